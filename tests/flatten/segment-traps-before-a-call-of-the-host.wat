;; A segment does not fit, and a later module's start function would print.
;; prints:
;; ends: trap
(core module $early (import "text" "memory" (memory 1)) (data (i32.const 65533) "four"))
(core instance (instantiate $early (with "text" (instance $text))))
(core module $later (import "host" "say" (func $say (param i32)))
  (func $start (call $say (i32.const 1))) (start $start))
(core instance (instantiate $later (with "host" (instance $host))))
(core module $run (import "host" "say" (func $say (param i32)))
  (func (export "run") (result i32) (call $say (i32.const 2)) (i32.const 0)))
(core instance $run (instantiate $run (with "host" (instance $host))))
(alias core export $run "run" (core func $main))
