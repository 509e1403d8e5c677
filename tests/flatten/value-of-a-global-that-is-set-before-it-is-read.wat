;; A global of one module is the initial value of another module's global. A start function changes
;; the first one in between only if it is mutable, so the second is a constant.
;; prints: 41 41 42
;; ends: 0
;; merges
(core module $one (global $c (export "c") i32 (i32.const 41))
  (global $m (export "m") (mut i32) (global.get $c))
  (func $start (global.set $m (i32.add (global.get $m) (i32.const 1)))) (start $start))
(core instance $one (instantiate $one))
(core module $two (import "one" "c" (global $c i32)) (import "one" "m" (global $m (mut i32)))
  (import "host" "say" (func $say (param i32)))
  (global $copy i32 (global.get $c))
  (func (export "run") (result i32)
    (call $say (global.get $c)) (call $say (global.get $copy)) (call $say (global.get $m))
    (i32.const 0)))
(core instance $two (instantiate $two (with "one" (instance $one)) (with "host" (instance $host))))
(alias core export $two "run" (core func $main))
