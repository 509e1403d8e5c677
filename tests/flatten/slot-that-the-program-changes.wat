;; The program itself changes a slot of the shim while it runs.
;; prints: 1 12
;; ends: 0
(core module $shim
  (type $t (func (param i32)))
  (table (export "$imports") 1 1 funcref)
  (func (export "0") (param i32) (call_indirect (type $t) (local.get 0) (i32.const 0))))
(core instance $shim (instantiate $shim))
(core module $main
  (import "shim" "0" (func $later (param i32))) (import "shim" "$imports" (table $t 1 1 funcref))
  (import "host" "say" (func $say (param i32)))
  (func $ten (param i32) (call $say (i32.add (local.get 0) (i32.const 10))))
  (elem declare func $ten)
  (func (export "run") (result i32)
    (call $later (i32.const 1))
    (table.set $t (i32.const 0) (ref.func $ten))
    (call $later (i32.const 2))
    (i32.const 0)))
(core instance $main (instantiate $main
  (with "shim" (instance $shim)) (with "host" (instance $host))))
(core module $fixup
  (import "" "$imports" (table 1 1 funcref)) (import "" "0" (func $f (param i32)))
  (elem (i32.const 0) func $f))
(alias core export $shim "$imports" (core table $slots))
(core instance (instantiate $fixup (with "" (instance
  (export "$imports" (table $slots)) (export "0" (func $say))))))
(alias core export $main "run" (core func $main))
