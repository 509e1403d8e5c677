;; Two modules have a table each. An index out of bounds must trap, and not call a function of the
;; other module.
;; prints: 1
;; ends: trap
(core module $one
  (type $t (func (result i32))) (table 2 2 funcref) (elem (i32.const 0) func $f $f)
  (func $f (result i32) (i32.const 1))
  (func (export "call") (param i32) (result i32) (call_indirect (type $t) (local.get 0))))
(core instance $one (instantiate $one))
(core module $two
  (type $t (func (result i32))) (table 2 2 funcref) (elem (i32.const 0) func $f $f)
  (func $f (result i32) (i32.const 2))
  (func (export "call") (param i32) (result i32) (call_indirect (type $t) (local.get 0))))
(core instance $two (instantiate $two))
(core module $run
  (import "one" "call" (func $one (param i32) (result i32)))
  (import "two" "call" (func $two (param i32) (result i32)))
  (import "host" "say" (func $say (param i32)))
  (func (export "run") (result i32)
    (call $say (call $one (i32.const 1)))
    (call $say (call $one (i32.const 2)))
    (i32.const 0)))
(core instance $run (instantiate $run
  (with "one" (instance $one)) (with "two" (instance $two)) (with "host" (instance $host))))
(alias core export $run "run" (core func $main))
