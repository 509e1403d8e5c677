;; Start functions run in the order of the instances, also if modules are defined in another one.
;; prints: 1 2 3 4
;; ends: 0
(core module $c (import "host" "say" (func $say (param i32)))
  (func $start (call $say (i32.const 3))) (start $start))
(core module $a (import "host" "say" (func $say (param i32)))
  (func $start (call $say (i32.const 1))) (start $start))
(core module $b (import "host" "say" (func $say (param i32)))
  (func $start (call $say (i32.const 2))) (start $start))
(core instance (instantiate $a (with "host" (instance $host))))
(core instance (instantiate $b (with "host" (instance $host))))
(core instance (instantiate $c (with "host" (instance $host))))
(core module $run (import "host" "say" (func $say (param i32)))
  (func (export "run") (result i32) (call $say (i32.const 4)) (i32.const 0)))
(core instance $run (instantiate $run (with "host" (instance $host))))
(alias core export $run "run" (core func $main))
