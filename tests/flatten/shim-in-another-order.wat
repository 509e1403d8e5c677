;; A fixup fills the slots in another order than the shim's functions have, at an offset that is a
;; global, and its table is larger.
;; prints: 1 102
;; ends: 0
(core module $shim
  (type $t (func (param i32)))
  (table (export "$imports") 4 funcref)
  (func (export "a") (param i32) (call_indirect (type $t) (local.get 0) (i32.const 2)))
  (func (export "b") (param i32) (call_indirect (type $t) (local.get 0) (i32.const 1))))
(core instance $shim (instantiate $shim))
(core module $main (import "shim" "a" (func $a (param i32))) (import "shim" "b" (func $b (param i32)))
  (func (export "run") (result i32) (call $a (i32.const 1)) (call $b (i32.const 2)) (i32.const 0)))
(core instance $main (instantiate $main (with "shim" (instance $shim))))
(core module $offset (global (export "offset") i32 (i32.const 1)))
(core instance $offset (instantiate $offset))
(core module $hundred (import "host" "say" (func $say (param i32)))
  (func (export "say") (param i32) (call $say (i32.add (local.get 0) (i32.const 100)))))
(core instance $hundred (instantiate $hundred (with "host" (instance $host))))
(core module $fixup
  (import "offset" "offset" (global $o i32)) (import "shim" "$imports" (table 4 funcref))
  (import "host" "say" (func $a (param i32))) (import "hundred" "say" (func $b (param i32)))
  (elem (global.get $o) func $b $a))
(core instance (instantiate $fixup
  (with "offset" (instance $offset)) (with "shim" (instance $shim))
  (with "host" (instance $host)) (with "hundred" (instance $hundred))))
(alias core export $main "run" (core func $main))
