;; A module puts a function of another type into a slot. The call must trap.
;; prints: 1
;; ends: trap
(core module $shim
  (type $t (func (param i32)))
  (table (export "$imports") 1 1 funcref)
  (func (export "0") (param i32) (call_indirect (type $t) (local.get 0) (i32.const 0))))
(core instance $shim (instantiate $shim))
(core module $main
  (import "shim" "0" (func $later (param i32))) (import "host" "say" (func $say (param i32)))
  (func (export "run") (result i32)
    (call $say (i32.const 1)) (call $later (i32.const 2)) (i32.const 0)))
(core instance $main (instantiate $main
  (with "shim" (instance $shim)) (with "host" (instance $host))))
(core module $fixup
  (import "shim" "$imports" (table 1 1 funcref))
  (func $other (result i32) (i32.const 3)) (elem (i32.const 0) func $other))
(core instance (instantiate $fixup (with "shim" (instance $shim))))
(alias core export $main "run" (core func $main))
