;; A program, an adapter with its own state in the program's memory, a shim and a fixup: the adapter
;; is instantiated after the program, and before the slots are filled.
;; prints: 7 8
;; ends: 0
;; merges
(core module $shim
  (type $t (func (param i32 i32) (result i32))) (type $u (func (param i32)))
  (table (export "$imports") 2 2 funcref)
  (func (export "0") (type $t) (call_indirect (type $t) (local.get 0) (local.get 1) (i32.const 0)))
  (func (export "1") (type $u) (call_indirect (type $u) (local.get 0) (i32.const 1))))
(core instance $shim (instantiate $shim))
(core module $main
  (import "wasi_snapshot_preview1" "add" (func $add (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "say" (func $say (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 2000) "\03")
  (func (export "_start")
    (call $say (call $add (i32.load8_u (i32.const 2000)) (i32.const 4)))
    (call $say (call $add (i32.load8_u (i32.const 2000)) (i32.const 4)))))
(core instance $main (instantiate $main (with "wasi_snapshot_preview1" (instance
  (export "add" (func $shim "0")) (export "say" (func $shim "1"))))))
(core module $adapter
  (import "env" "memory" (memory 0)) (import "__main_module__" "_start" (func $start))
  (import "say" "say" (func $say (param i32)))
  (func (export "add") (param i32 i32) (result i32)
    (i32.store8 (i32.const 2000) (i32.add (i32.load8_u (i32.const 2000)) (i32.const 1)))
    (i32.add (local.get 0) (local.get 1)))
  (func (export "say") (param i32) (call $say (local.get 0)))
  (func (export "run") (result i32) (call $start) (i32.const 0)))
(core instance $adapter (instantiate $adapter
  (with "env" (instance (export "memory" (memory $main "memory"))))
  (with "__main_module__" (instance (export "_start" (func $main "_start"))))
  (with "say" (instance $host))))
(core module $fixup
  (import "" "$imports" (table 2 2 funcref))
  (import "" "0" (func $f (param i32 i32) (result i32))) (import "" "1" (func $g (param i32)))
  (elem (i32.const 0) func $f $g))
(alias core export $shim "$imports" (core table $slots))
(core instance (instantiate $fixup (with "" (instance
  (export "$imports" (table $slots))
  (export "0" (func $adapter "add")) (export "1" (func $adapter "say"))))))
(alias core export $adapter "run" (core func $main))
