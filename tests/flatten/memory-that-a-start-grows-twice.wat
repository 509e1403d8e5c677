;; Start functions of two modules grow and measure one memory, in order.
;; prints: 1 2 2 4
;; ends: 0
(core module $one (import "text" "memory" (memory 1)) (import "host" "say" (func $say (param i32)))
  (func $start (call $say (memory.grow (i32.const 1))) (call $say (memory.size))) (start $start))
(core module $two (import "text" "memory" (memory 1)) (import "host" "say" (func $say (param i32)))
  (func $start (call $say (memory.grow (i32.const 2))) (call $say (memory.size))) (start $start))
(core instance (instantiate $one (with "text" (instance $text)) (with "host" (instance $host))))
(core instance (instantiate $two (with "text" (instance $text)) (with "host" (instance $host))))
(core module $run (func (export "run") (result i32) (i32.const 0)))
(core instance $run (instantiate $run))
(alias core export $run "run" (core func $main))
