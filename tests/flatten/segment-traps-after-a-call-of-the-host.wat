;; A start function prints, and a later module's segment does not fit. The text must come first.
;; prints: 1
;; ends: trap
(core module $first (import "host" "say" (func $say (param i32)))
  (func $start (call $say (i32.const 1))) (start $start))
(core instance (instantiate $first (with "host" (instance $host))))
(core module $late (import "text" "memory" (memory 1)) (data (i32.const 65536) "\05"))
(core instance (instantiate $late (with "text" (instance $text))))
(core module $run (import "host" "say" (func $say (param i32)))
  (func (export "run") (result i32) (call $say (i32.const 2)) (i32.const 0)))
(core instance $run (instantiate $run (with "host" (instance $host))))
(alias core export $run "run" (core func $main))
