;; The same function reaches a module by several names, through instances that put items together.
;; prints: 3 3 5
;; ends: 0
;; merges
(core module $one (func (export "") (result i32) (i32.const 3))
  (global (export "g") (mut i32) (i32.const 4)))
(core instance $one (instantiate $one))
(core instance $bundle (export "a" (func $one "")) (export "b" (func $one "")) (export "g" (global $one "g")))
(alias core export $bundle "b" (core func $b))
(alias core export $bundle "g" (core global $g))
(core instance $again (export "c" (func $b)) (export "h" (global $g)))
(core module $run
  (import "bundle" "a" (func $a (result i32))) (import "again" "c" (func $c (result i32)))
  (import "bundle" "g" (global $g (mut i32))) (import "again" "h" (global $h (mut i32)))
  (import "host" "say" (func $say (param i32)))
  (func (export "run") (result i32)
    (call $say (call $a)) (call $say (call $c))
    (global.set $g (i32.const 5)) (call $say (global.get $h))
    (i32.const 0)))
(core instance $run (instantiate $run
  (with "bundle" (instance $bundle)) (with "again" (instance $again)) (with "host" (instance $host))))
(alias core export $run "run" (core func $main))
