;; A module is an export of the component, so others can instantiate it.
;; prints: 1 2
;; ends: 0
(core module $counter (global $n (mut i32) (i32.const 0))
  (func (export "next") (result i32)
    (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))
(export "counter" (core module $counter))
(core instance $here (instantiate $counter))
(core module $run
  (import "here" "next" (func $here (result i32))) (import "host" "say" (func $say (param i32)))
  (func (export "run") (result i32)
    (call $say (call $here)) (call $say (call $here)) (i32.const 0)))
(core instance $run (instantiate $run
  (with "here" (instance $here)) (with "host" (instance $host))))
(alias core export $run "run" (core func $main))
