;; A start function writes where a later segment writes too: the segment's bytes must stay.
;; prints: 5
;; ends: 0
(core module $write (import "text" "memory" (memory 1))
  (func $write (i32.store8 (i32.const 2000) (i32.const 99))) (start $write))
(core instance $write (instantiate $write (with "text" (instance $text))))
(core module $late (import "text" "memory" (memory 1)) (data (i32.const 2000) "\05"))
(core instance $late (instantiate $late (with "text" (instance $text))))
(core module $run
  (import "text" "memory" (memory 1)) (import "host" "say" (func $say (param i32)))
  (func (export "run") (result i32) (call $say (i32.load8_u (i32.const 2000))) (i32.const 0)))
(core instance $run (instantiate $run
  (with "text" (instance $text)) (with "host" (instance $host))))
(alias core export $run "run" (core func $main))
