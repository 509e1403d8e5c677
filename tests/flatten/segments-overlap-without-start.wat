;; Overlapping segments of three modules, without a start function between them: the order of the
;; instances decides, not the order of the modules.
;; prints: 3 2 1
;; ends: 0
;; merges
(core module $c (import "text" "memory" (memory 1)) (data (i32.const 2000) "\03"))
(core module $b (import "text" "memory" (memory 1)) (data (i32.const 2000) "\02\02"))
(core module $a (import "text" "memory" (memory 1)) (data (i32.const 2000) "\01\01\01"))
(core instance $ia (instantiate $a (with "text" (instance $text))))
(core instance $ib (instantiate $b (with "text" (instance $text))))
(core instance $ic (instantiate $c (with "text" (instance $text))))
(core module $run
  (import "text" "memory" (memory 1)) (import "host" "say" (func $say (param i32)))
  (func (export "run") (result i32)
    (call $say (i32.load8_u (i32.const 2000)))
    (call $say (i32.load8_u (i32.const 2001)))
    (call $say (i32.load8_u (i32.const 2002)))
    (i32.const 0)))
(core instance $run (instantiate $run
  (with "text" (instance $text)) (with "host" (instance $host))))
(alias core export $run "run" (core func $main))
