;; A start function runs when one of two shims is filled. It may call the one, and traps at the
;; other.
;; prints: 1
;; ends: trap
(core module $shim
  (table (export "$imports") 1 1 funcref) (type $t (func (param i32)))
  (func (export "0") (param i32) (call_indirect (type $t) (local.get 0) (i32.const 0))))
(core module $other
  (table (export "$imports") 1 1 funcref) (type $t (func (param i32)))
  (func (export "0") (param i32) (call_indirect (type $t) (local.get 0) (i32.const 0))))
(core instance $shim (instantiate $shim))
(core instance $other (instantiate $other))
(core module $main
  (import "shim" "0" (func $one (param i32))) (import "other" "0" (func $two (param i32)))
  (func (export "begin") (call $one (i32.const 1)) (call $two (i32.const 2)))
  (func (export "run") (result i32) (call $two (i32.const 3)) (i32.const 0)))
(core instance $main (instantiate $main
  (with "shim" (instance $shim)) (with "other" (instance $other))))
(core module $fixup
  (import "" "$imports" (table 1 1 funcref)) (import "" "0" (func $f (param i32)))
  (elem (i32.const 0) func $f))
(core module $fixup-too
  (import "" "$imports" (table 1 1 funcref)) (import "" "0" (func $f (param i32)))
  (elem (i32.const 0) func $f))
(alias core export $shim "$imports" (core table $slots))
(core instance (instantiate $fixup (with "" (instance
  (export "$imports" (table $slots)) (export "0" (func $say))))))
(core module $starts (import "main" "begin" (func $begin)) (start $begin))
(core instance (instantiate $starts (with "main" (instance $main))))
(alias core export $other "$imports" (core table $other-slots))
(core instance (instantiate $fixup-too (with "" (instance
  (export "$imports" (table $other-slots)) (export "0" (func $say))))))
(alias core export $main "run" (core func $main))
