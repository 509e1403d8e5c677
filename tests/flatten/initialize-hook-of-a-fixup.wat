;; One fixup module fills the slots and calls the program's `_initialize`, as newer toolchains make
;; it. The program's memory is what the host reads.
;; prints: 5 6
;; ends: 0
;; merges
(core module $shim
  (table (export "$imports") 1 1 funcref) (type $t (func (param i32)))
  (func (export "0") (param i32) (call_indirect (type $t) (local.get 0) (i32.const 0))))
(core instance $shim (instantiate $shim))
(core module $main
  (import "shim" "0" (func $later (param i32)))
  (func (export "_initialize") (call $later (i32.const 5)))
  (func (export "run") (result i32) (call $later (i32.const 6)) (i32.const 0)))
(core instance $main (instantiate $main (with "shim" (instance $shim))))
(core module $fixup
  (import "shim" "$imports" (table 1 1 funcref)) (import "actual" "0" (func $f (param i32)))
  (import "main" "_initialize" (func $initialize))
  (start $initialize)
  (elem (i32.const 0) func $f))
(core instance (instantiate $fixup
  (with "shim" (instance $shim)) (with "main" (instance $main))
  (with "actual" (instance (export "0" (func $say))))))
(alias core export $main "run" (core func $main))
