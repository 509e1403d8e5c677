;; A memory with 64-bit addresses, which another module writes and grows.
;; prints: 4 2 9
;; ends: 0
(core module $wide (memory (export "memory") i64 1 4) (data (i64.const 16) "\04"))
(core instance $wide (instantiate $wide))
(core module $run
  (import "wide" "memory" (memory i64 1)) (import "host" "say" (func $say (param i32)))
  (func (export "run") (result i32)
    (call $say (i32.load8_u (i64.const 16)))
    (drop (memory.grow (i64.const 1)))
    (call $say (i32.wrap_i64 (memory.size)))
    (i32.store8 (i64.const 65536) (i32.const 9))
    (call $say (i32.load8_u (i64.const 65536)))
    (i32.const 0)))
(core instance $run (instantiate $run
  (with "wide" (instance $wide)) (with "host" (instance $host))))
(alias core export $run "run" (core func $main))
