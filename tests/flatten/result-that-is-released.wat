;; A result is a string that a `post-return` function releases after it was copied. Both are in
;; other modules than the function.
;; composition
;; prints: 65 1 66 2
;; ends: 0
(component $gives
  (core module $memory (memory (export "memory") 1))
  (core instance $memory (instantiate $memory))
  (core module $released (global (export "n") (mut i32) (i32.const 0)))
  (core instance $released (instantiate $released))
  (core module $post
    (import "memory" "memory" (memory 1)) (import "released" "n" (global $n (mut i32)))
    (func (export "post") (param i32)
      (i32.store (local.get 0) (i32.const 0))
      (global.set $n (i32.add (global.get $n) (i32.const 1)))))
  (core instance $post (instantiate $post
    (with "memory" (instance $memory)) (with "released" (instance $released))))
  (core module $m
    (import "memory" "memory" (memory 1)) (import "released" "n" (global $n (mut i32)))
    (func (export "next") (result i32)
      (i32.store (i32.const 100) (i32.const 200)) (i32.store (i32.const 104) (i32.const 1))
      (i32.store8 (i32.const 200) (i32.add (i32.const 65) (global.get $n)))
      (i32.const 100))
    (func (export "released") (result i32) (global.get $n)))
  (core instance $m (instantiate $m
    (with "memory" (instance $memory)) (with "released" (instance $released))))
  (func (export "next") (result string) (canon lift (core func $m "next")
    (memory (core memory $memory "memory")) (post-return (core func $post "post"))))
  (func (export "released") (result u32) (canon lift (core func $m "released"))))
(instance $gives (instantiate $gives))
(component $takes
  (import "next" (func $next (result string))) (import "released" (func $released (result u32)))
  (import "say" (func $say (param "x" u32)))
  (core func $say (canon lower (func $say)))
  (core func $released (canon lower (func $released)))
  (core module $memory (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core instance $memory (instantiate $memory))
  (core func $next (canon lower (func $next) string-encoding=latin1+utf16
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core module $m
    (import "memory" "memory" (memory 1)) (import "" "next" (func $next (param i32)))
    (import "" "released" (func $released (result i32))) (import "" "say" (func $say (param i32)))
    (func (export "run") (result i32)
      (call $next (i32.const 16)) (call $say (i32.load8_u (i32.load (i32.const 16))))
      (call $say (call $released))
      (call $next (i32.const 16)) (call $say (i32.load8_u (i32.load (i32.const 16))))
      (call $say (call $released))
      (i32.const 0)))
  (core instance $m (instantiate $m (with "memory" (instance $memory)) (with "" (instance
    (export "next" (func $next)) (export "released" (func $released)) (export "say" (func $say))))))
  (func (export "run") (result (result)) (canon lift (core func $m "run"))))
(instance $takes (instantiate $takes
  (with "next" (func $gives "next")) (with "released" (func $gives "released"))
  (with "say" (func $say))))
(alias export $takes "run" (func $main))
