;; A shim keeps a thread's base address in a global with accessors. The program's start function
;; sets it, and a later module reads it.
;; prints: 640
;; ends: 0
;; merges
(core module $shim
  (type $t (func (param i32)))
  (table (export "$imports") 1 1 funcref)
  (global $base (mut i32) (i32.const 0))
  (func (export "$get-tls-base") (result i32) (global.get $base))
  (func (export "$set-tls-base") (param i32) (global.set $base (local.get 0)))
  (func (export "0") (param i32) (call_indirect (type $t) (local.get 0) (i32.const 0))))
(core instance $shim (instantiate $shim))
(core module $main
  (import "shim" "0" (func $later (param i32)))
  (import "shim" "$set-tls-base" (func $set (param i32)))
  (import "shim" "$get-tls-base" (func $get (result i32)))
  (func $start (call $set (i32.const 640))) (start $start)
  (func (export "run") (result i32) (call $later (call $get)) (i32.const 0)))
(core instance $main (instantiate $main (with "shim" (instance $shim))))
(core module $fixup
  (import "" "$imports" (table 1 1 funcref)) (import "" "0" (func $f (param i32)))
  (elem (i32.const 0) func $f))
(alias core export $shim "$imports" (core table $slots))
(core instance (instantiate $fixup (with "" (instance
  (export "$imports" (table $slots)) (export "0" (func $say))))))
(alias core export $main "run" (core func $main))
