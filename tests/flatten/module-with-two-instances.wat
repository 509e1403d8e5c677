;; Two instances of one module have a state each.
;; prints: 1 2 1 3
;; ends: 0
;; keeps: instantiated-again
(core module $counter (global $n (mut i32) (i32.const 0))
  (func (export "next") (result i32)
    (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))
(core instance $a (instantiate $counter))
(core instance $b (instantiate $counter))
(core module $run
  (import "a" "next" (func $a (result i32))) (import "b" "next" (func $b (result i32)))
  (import "host" "say" (func $say (param i32)))
  (func (export "run") (result i32)
    (call $say (call $a)) (call $say (call $a)) (call $say (call $b)) (call $say (call $a))
    (i32.const 0)))
(core instance $run (instantiate $run
  (with "a" (instance $a)) (with "b" (instance $b)) (with "host" (instance $host))))
(alias core export $run "run" (core func $main))
