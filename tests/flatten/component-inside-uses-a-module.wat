;; Two components instantiate a module of the component around them, by aliases. Each instance has
;; its own state.
;; composition
;; prints: 1 2 1
;; ends: 0
(core module $counter (global $n (mut i32) (i32.const 0))
  (func (export "next") (result i32)
    (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))
(component $one
  (alias outer $command $counter (core module $counter))
  (core instance $i (instantiate $counter))
  (func (export "next") (result u32) (canon lift (core func $i "next"))))
(instance $one (instantiate $one))
(component $two
  (alias outer $command $counter (core module $counter))
  (import "next" (func $next (result u32))) (import "say" (func $say (param "x" u32)))
  (core func $next (canon lower (func $next)))
  (core func $say (canon lower (func $say)))
  (core instance $i (instantiate $counter))
  (core module $m
    (import "here" "next" (func $here (result i32))) (import "" "next" (func $there (result i32)))
    (import "" "say" (func $say (param i32)))
    (func (export "run") (result i32)
      (call $say (call $here)) (call $say (call $here)) (call $say (call $there)) (i32.const 0)))
  (core instance $m (instantiate $m (with "here" (instance $i)) (with "" (instance
    (export "next" (func $next)) (export "say" (func $say))))))
  (func (export "run") (result (result)) (canon lift (core func $m "run"))))
(instance $two (instantiate $two (with "next" (func $one "next")) (with "say" (func $say))))
(alias export $two "run" (func $main))
