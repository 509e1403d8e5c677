;; Two modules have a memory each, at the same addresses and of different sizes.
;; prints: 1 2 3
;; ends: trap
(core module $one (memory 1 1) (data (i32.const 8) "\01")
  (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "grow") (result i32) (memory.grow (i32.const 1))))
(core module $two (memory 3 3) (data (i32.const 8) "\02")
  (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "size") (result i32) (memory.size)))
(core instance $one (instantiate $one))
(core instance $two (instantiate $two))
(core module $run
  (import "one" "load" (func $one (param i32) (result i32)))
  (import "two" "load" (func $two (param i32) (result i32)))
  (import "two" "size" (func $size (result i32)))
  (import "host" "say" (func $say (param i32)))
  (func (export "run") (result i32)
    (call $say (call $one (i32.const 8))) (call $say (call $two (i32.const 8)))
    (call $say (call $size))
    (drop (call $two (i32.const 70000)))
    (call $say (call $one (i32.const 70000)))
    (i32.const 0)))
(core instance $run (instantiate $run
  (with "one" (instance $one)) (with "two" (instance $two)) (with "host" (instance $host))))
(alias core export $run "run" (core func $main))
