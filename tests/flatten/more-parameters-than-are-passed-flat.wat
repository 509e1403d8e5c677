;; 17 parameters go through memory from one component to another, and directly within one.
;; composition
;; prints: 153 17
;; ends: 0
(component $sums
  (core module $memory (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core instance $memory (instantiate $memory))
  (core module $m (import "memory" "memory" (memory 1))
    (func (export "sum") (param $p i32) (result i32) (local $i i32) (local $sum i32)
      (loop $next
        (local.set $sum (i32.add (local.get $sum) (i32.load (local.get $p))))
        (local.set $p (i32.add (local.get $p) (i32.const 4)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $i) (i32.const 17))))
      (local.get $sum)))
  (core instance $m (instantiate $m (with "memory" (instance $memory))))
  (func (export "sum") (param "a" u32) (param "b" u32) (param "c" u32) (param "d" u32)
    (param "e" u32) (param "f" u32) (param "g" u32) (param "h" u32) (param "i" u32)
    (param "j" u32) (param "k" u32) (param "l" u32) (param "m" u32) (param "n" u32)
    (param "o" u32) (param "p" u32) (param "q" u32) (result u32)
    (canon lift (core func $m "sum") (memory (core memory $memory "memory"))
      (realloc (core func $memory "realloc")))))
(instance $sums (instantiate $sums))
(component $asks
  (import "sum" (func $sum (param "a" u32) (param "b" u32) (param "c" u32) (param "d" u32)
    (param "e" u32) (param "f" u32) (param "g" u32) (param "h" u32) (param "i" u32)
    (param "j" u32) (param "k" u32) (param "l" u32) (param "m" u32) (param "n" u32)
    (param "o" u32) (param "p" u32) (param "q" u32) (result u32)))
  (import "say" (func $say (param "x" u32)))
  (core func $say (canon lower (func $say)))
  (core module $memory (memory (export "memory") 1))
  (core instance $memory (instantiate $memory))
  (core func $sum (canon lower (func $sum) (memory (core memory $memory "memory"))))
  (core module $flat
    (func (export "last") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)
      (result i32) (local.get 16)))
  (core instance $flat (instantiate $flat))
  (core module $m
    (import "memory" "memory" (memory 1))
    (import "" "sum" (func $sum (param i32) (result i32)))
    (import "flat" "last" (func $last
      (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "" "say" (func $say (param i32)))
    (func (export "run") (result i32) (local $i i32)
      (loop $next
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (i32.store offset=1996 (i32.shl (local.get $i) (i32.const 2)) (local.get $i))
        (br_if $next (i32.lt_u (local.get $i) (i32.const 17))))
      (call $say (call $sum (i32.const 2000)))
      (call $say (call $last (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 4) (i32.const 5)
        (i32.const 6) (i32.const 7) (i32.const 8) (i32.const 9) (i32.const 10) (i32.const 11)
        (i32.const 12) (i32.const 13) (i32.const 14) (i32.const 15) (i32.const 16) (i32.const 17)))
      (i32.const 0)))
  (core instance $m (instantiate $m
    (with "memory" (instance $memory)) (with "flat" (instance $flat))
    (with "" (instance (export "sum" (func $sum)) (export "say" (func $say))))))
  (func (export "run") (result (result)) (canon lift (core func $m "run"))))
(instance $asks (instantiate $asks (with "sum" (func $sums "sum")) (with "say" (func $say))))
(alias export $asks "run" (func $main))
