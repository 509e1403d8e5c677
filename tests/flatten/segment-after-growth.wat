;; A segment fits only because an earlier start function has grown the memory.
;; prints: 7
;; ends: 0
(core module $grow (import "text" "memory" (memory 1))
  (func $grow (drop (memory.grow (i32.const 1)))) (start $grow))
(core instance $grow (instantiate $grow (with "text" (instance $text))))
(core module $late (import "text" "memory" (memory 1)) (data (i32.const 70000) "\07"))
(core instance $late (instantiate $late (with "text" (instance $text))))
(core module $run
  (import "text" "memory" (memory 1)) (import "host" "say" (func $say (param i32)))
  (func (export "run") (result i32) (call $say (i32.load8_u (i32.const 70000))) (i32.const 0)))
(core instance $run (instantiate $run
  (with "text" (instance $text)) (with "host" (instance $host))))
(alias core export $run "run" (core func $main))
