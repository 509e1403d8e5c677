;; An instance that stays changes a global of a merged module: it is no constant.
;; prints: 5 6 7
;; ends: 0
;; keeps: instantiated-again
(core module $state (global $g (export "g") (mut i32) (i32.const 5))
  (func (export "read") (result i32) (global.get $g)))
(core instance $state (instantiate $state))
(core module $twice (import "state" "g" (global $g (mut i32)))
  (func (export "more") (global.set $g (i32.add (global.get $g) (i32.const 1)))))
(core instance $a (instantiate $twice (with "state" (instance $state))))
(core instance $b (instantiate $twice (with "state" (instance $state))))
(core module $run
  (import "state" "read" (func $read (result i32)))
  (import "a" "more" (func $a)) (import "b" "more" (func $b))
  (import "host" "say" (func $say (param i32)))
  (func (export "run") (result i32)
    (call $say (call $read)) (call $a) (call $say (call $read))
    (call $b) (call $say (call $read)) (i32.const 0)))
(core instance $run (instantiate $run
  (with "state" (instance $state)) (with "a" (instance $a)) (with "b" (instance $b))
  (with "host" (instance $host))))
(alias core export $run "run" (core func $main))
