;; One module grows a memory that another one reads, writes and measures.
;; prints: 1 2 9 2
;; ends: 0
;; merges
(core module $grow
  (import "text" "memory" (memory 1))
  (func (export "grow") (drop (memory.grow (i32.const 1))) (i32.store8 (i32.const 70000) (i32.const 9))))
(core instance $grow (instantiate $grow (with "text" (instance $text))))
(core module $run
  (import "text" "memory" (memory 1)) (import "grow" "grow" (func $grow))
  (import "host" "say" (func $say (param i32)))
  (func (export "run") (result i32)
    (call $say (memory.size)) (call $grow) (call $say (memory.size))
    (call $say (i32.load8_u (i32.const 70000)))
    (call $say (memory.size))
    (i32.const 0)))
(core instance $run (instantiate $run
  (with "text" (instance $text)) (with "grow" (instance $grow)) (with "host" (instance $host))))
(alias core export $run "run" (core func $main))
