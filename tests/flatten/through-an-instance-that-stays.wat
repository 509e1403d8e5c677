;; A path from a merged module leads through an instance that stays, and back to a module that could
;; be merged: the start functions on it print in order.
;; prints: 1 2 7 3 2 8 9
;; ends: 0
;; keeps: instantiated-again
(core module $first (import "host" "say" (func $say (param i32)))
  (func $start (call $say (i32.const 1))) (start $start)
  (func (export "f") (param i32) (call $say (local.get 0))))
(core instance $first (instantiate $first (with "host" (instance $host))))
(core module $twice (import "x" "f" (func $f (param i32))) (import "host" "say" (func $say (param i32)))
  (func $start (call $say (i32.const 2)) (call $f (i32.const 7))) (start $start)
  (func (export "f") (param i32) (call $f (i32.add (local.get 0) (i32.const 1)))))
(core instance $middle (instantiate $twice
  (with "x" (instance $first)) (with "host" (instance $host))))
(core module $last (import "x" "f" (func $f (param i32))) (import "host" "say" (func $say (param i32)))
  (func $start (call $say (i32.const 3))) (start $start)
  (func (export "f") (param i32) (call $f (local.get 0))))
(core instance $last (instantiate $last
  (with "x" (instance $middle)) (with "host" (instance $host))))
(core instance $again (instantiate $twice
  (with "x" (instance $last)) (with "host" (instance $host))))
(core module $run (import "x" "f" (func $f (param i32)))
  (func (export "run") (result i32) (call $f (i32.const 7)) (i32.const 0)))
(core instance $run (instantiate $run (with "x" (instance $again))))
(alias core export $run "run" (core func $main))
