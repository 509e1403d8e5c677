;; A component gets a module as an argument, and has two instances.
;; composition
;; prints: 1 2 1
;; ends: 0
(core module $counter (global $n (mut i32) (i32.const 0))
  (func (export "next") (result i32)
    (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))
(component $counts
  (import "counter" (core module $counter (export "next" (func (result i32)))))
  (core instance $i (instantiate $counter))
  (core module $more (import "i" "next" (func $next (result i32)))
    (func (export "next") (result i32) (call $next)))
  (core instance $m (instantiate $more (with "i" (instance $i))))
  (func (export "next") (result u32) (canon lift (core func $m "next"))))
(instance $one (instantiate $counts (with "counter" (core module $counter))))
(instance $two (instantiate $counts (with "counter" (core module $counter))))
(component $runs
  (import "one" (func $one (result u32))) (import "two" (func $two (result u32)))
  (import "say" (func $say (param "x" u32)))
  (core func $one (canon lower (func $one)))
  (core func $two (canon lower (func $two)))
  (core func $say (canon lower (func $say)))
  (core module $m
    (import "" "one" (func $one (result i32))) (import "" "two" (func $two (result i32)))
    (import "" "say" (func $say (param i32)))
    (func (export "run") (result i32)
      (call $say (call $one)) (call $say (call $one)) (call $say (call $two)) (i32.const 0)))
  (core instance $m (instantiate $m (with "" (instance
    (export "one" (func $one)) (export "two" (func $two)) (export "say" (func $say))))))
  (func (export "run") (result (result)) (canon lift (core func $m "run"))))
(instance $runs (instantiate $runs (with "one" (func $one "next")) (with "two" (func $two "next"))
  (with "say" (func $say))))
(alias export $runs "run" (func $main))
