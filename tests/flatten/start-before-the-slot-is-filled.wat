;; A start function calls through a shim before a fixup has filled it, as adapters do. It traps, and
;; must not call what comes later.
;; prints: 1
;; ends: trap
(core module $shim
  (table (export "$imports") 1 1 funcref) (type $t (func (param i32)))
  (func (export "0") (param i32) (call_indirect (type $t) (local.get 0) (i32.const 0))))
(core instance $shim (instantiate $shim))
(core module $main
  (import "shim" "0" (func $later (param i32))) (import "host" "say" (func $say (param i32)))
  (func $start (call $say (i32.const 1)) (call $later (i32.const 2))) (start $start)
  (func (export "run") (result i32) (i32.const 0)))
(core instance $main (instantiate $main
  (with "shim" (instance $shim)) (with "host" (instance $host))))
(core module $fixup
  (import "" "$imports" (table 1 1 funcref)) (import "" "0" (func $f (param i32)))
  (elem (i32.const 0) func $f))
(alias core export $shim "$imports" (core table $slots))
(core instance (instantiate $fixup (with "" (instance
  (export "$imports" (table $slots)) (export "0" (func $say))))))
(alias core export $main "run" (core func $main))
