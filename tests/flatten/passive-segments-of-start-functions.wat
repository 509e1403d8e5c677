;; Passive segments keep their state: dropped in one module, usable in another.
;; prints: 3 4
;; ends: trap
(core module $one
  (import "text" "memory" (memory 1))
  (data $d "\03")
  (func $start (memory.init $d (i32.const 2000) (i32.const 0) (i32.const 1)) (data.drop $d))
  (start $start)
  (func (export "again") (memory.init $d (i32.const 2000) (i32.const 0) (i32.const 1))))
(core instance $one (instantiate $one (with "text" (instance $text))))
(core module $two
  (import "text" "memory" (memory 1)) (import "one" "again" (func $again))
  (import "host" "say" (func $say (param i32)))
  (data $d "\04")
  (func (export "run") (result i32)
    (call $say (i32.load8_u (i32.const 2000)))
    (memory.init $d (i32.const 2000) (i32.const 0) (i32.const 1))
    (call $say (i32.load8_u (i32.const 2000)))
    (call $again)
    (call $say (i32.const 9))
    (i32.const 0)))
(core instance $two (instantiate $two
  (with "text" (instance $text)) (with "one" (instance $one)) (with "host" (instance $host))))
(alias core export $two "run" (core func $main))
