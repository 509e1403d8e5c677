;; An element segment takes a function from a global of a module that stays.
;; prints: 7
;; ends: 0
;; merges
(core module $twice
  (func $f (result i32) (i32.const 7))
  (global (export "g") funcref (ref.func $f)))
(core instance $one (instantiate $twice))
(core instance $two (instantiate $twice))
(core module $first
  (func (export "zero") (result i32) (i32.const 0)))
(core instance $first (instantiate $first))
(core module $main
  (import "one" "g" (global $g funcref))
  (import "first" "zero" (func $zero (result i32)))
  (import "host" "say" (func $say (param i32)))
  (table 2 2 funcref)
  (elem (i32.const 0) funcref (item (global.get $g)))
  (type $n (func (result i32)))
  (func (export "run") (result i32)
    (call $say (call_indirect (type $n) (call $zero)))
    (call $zero)))
(core instance $main (instantiate $main (with "one" (instance $one)) (with "first" (instance $first)) (with "host" (instance $host))))
(alias core export $main "run" (core func $main))
