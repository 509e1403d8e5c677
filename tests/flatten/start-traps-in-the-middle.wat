;; The second of three start functions traps: the third must not run.
;; prints: 1
;; ends: trap
(core module $say (import "host" "say" (func $say (param i32)))
  (func $start (call $say (i32.const 1))) (start $start))
(core module $trap (func $start unreachable) (start $start))
(core module $late (import "host" "say" (func $say (param i32)))
  (func $start (call $say (i32.const 3))) (start $start))
(core instance (instantiate $say (with "host" (instance $host))))
(core instance (instantiate $trap))
(core instance (instantiate $late (with "host" (instance $host))))
(core module $run (func (export "run") (result i32) (i32.const 0)))
(core instance $run (instantiate $run))
(alias core export $run "run" (core func $main))
