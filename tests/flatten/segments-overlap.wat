;; Two modules write the same place of a shared memory. The later instance's bytes must stay, and a
;; start function between them must see the earlier bytes.
;; prints: 11 22
;; ends: 0
(core module $one (import "text" "memory" (memory 1)) (data (i32.const 2000) "\0b"))
(core instance $one (instantiate $one (with "text" (instance $text))))
(core module $look
  (import "text" "memory" (memory 1)) (import "host" "say" (func $say (param i32)))
  (func (export "look") (call $say (i32.load8_u (i32.const 2000)))) (start 1))
(core instance $look (instantiate $look
  (with "text" (instance $text)) (with "host" (instance $host))))
(core module $two (import "text" "memory" (memory 1)) (data (i32.const 2000) "\16"))
(core instance $two (instantiate $two (with "text" (instance $text))))
(core module $run
  (import "look" "look" (func $look))
  (func (export "run") (result i32) (call $look) (i32.const 0)))
(core instance $run (instantiate $run (with "look" (instance $look))))
(alias core export $run "run" (core func $main))
