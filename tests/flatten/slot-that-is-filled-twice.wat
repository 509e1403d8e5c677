;; A second fixup fills the slot again, after a start function has called the first function.
;; prints: 1 12 13
;; ends: 0
(core module $shim
  (type $t (func (param i32)))
  (table (export "$imports") 1 1 funcref)
  (func (export "0") (param i32) (call_indirect (type $t) (local.get 0) (i32.const 0))))
(core instance $shim (instantiate $shim))
(core module $fixup
  (import "" "$imports" (table 1 1 funcref)) (import "" "0" (func $f (param i32)))
  (elem (i32.const 0) func $f))
(alias core export $shim "$imports" (core table $slots))
(core instance (instantiate $fixup (with "" (instance
  (export "$imports" (table $slots)) (export "0" (func $say))))))
(core module $starts (import "shim" "0" (func $later (param i32)))
  (func $start (call $later (i32.const 1))) (start $start))
(core instance (instantiate $starts (with "shim" (instance $shim))))
(core module $ten (import "host" "say" (func $say (param i32)))
  (func (export "say") (param i32) (call $say (i32.add (local.get 0) (i32.const 10)))))
(core instance $ten (instantiate $ten (with "host" (instance $host))))
(alias core export $ten "say" (core func $say-ten))
(core instance (instantiate $fixup (with "" (instance
  (export "$imports" (table $slots)) (export "0" (func $say-ten))))))
(core module $main (import "shim" "0" (func $later (param i32)))
  (func (export "run") (result i32)
    (call $later (i32.const 2)) (call $later (i32.const 3)) (i32.const 0)))
(core instance $main (instantiate $main (with "shim" (instance $shim))))
(alias core export $main "run" (core func $main))
