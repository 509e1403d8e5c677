;; A fixup fills only the first of two slots. A call of the second traps.
;; prints: 1
;; ends: trap
(core module $shim
  (type $t (func (param i32)))
  (table (export "$imports") 2 2 funcref)
  (func (export "0") (param i32) (call_indirect (type $t) (local.get 0) (i32.const 0)))
  (func (export "1") (param i32) (call_indirect (type $t) (local.get 0) (i32.const 1))))
(core instance $shim (instantiate $shim))
(core module $main
  (import "shim" "0" (func $one (param i32))) (import "shim" "1" (func $two (param i32)))
  (func (export "run") (result i32)
    (call $one (i32.const 1)) (call $two (i32.const 2)) (i32.const 0)))
(core instance $main (instantiate $main (with "shim" (instance $shim))))
(core module $fixup
  (import "" "$imports" (table 2 2 funcref)) (import "" "0" (func $f (param i32)))
  (elem (i32.const 0) func $f))
(alias core export $shim "$imports" (core table $slots))
(core instance (instantiate $fixup (with "" (instance
  (export "$imports" (table $slots)) (export "0" (func $say))))))
(alias core export $main "run" (core func $main))
