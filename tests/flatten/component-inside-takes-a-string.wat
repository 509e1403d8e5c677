;; A string goes from one component to another, in another encoding. A pointer is checked against
;; the memory that it belongs to, which is smaller than the other one.
;; composition
;; prints: 2 233 65
;; ends: trap
(component $takes
  (import "say" (func $say (param "x" u32)))
  (core func $say (canon lower (func $say)))
  (core module $memory (memory (export "memory") 2) (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (if (local.get 0) (then (return (local.get 0))))
      (global.get $next) (global.set $next (i32.add (global.get $next) (i32.const 64)))))
  (core instance $memory (instantiate $memory))
  (core module $m (import "" "say" (func $say (param i32))) (import "memory" "memory" (memory 2))
    (func (export "take") (param $p i32) (param $units i32)
      (call $say (local.get $units))
      (call $say (i32.load16_u (local.get $p)))
      (call $say (i32.load16_u offset=2 (local.get $p)))))
  (core instance $m (instantiate $m
    (with "memory" (instance $memory)) (with "" (instance (export "say" (func $say))))))
  (func (export "take") (param "s" string) (canon lift (core func $m "take")
    string-encoding=utf16 (memory (core memory $memory "memory"))
    (realloc (core func $memory "realloc")))))
(instance $takes (instantiate $takes (with "say" (func $say))))
(component $gives
  (import "take" (func $take (param "s" string)))
  (core module $pages (memory (export "memory") 1) (data (i32.const 2000) "\c3\a9A"))
  (core instance $pages (instantiate $pages))
  (core func $take (canon lower (func $take) (memory (core memory $pages "memory"))))
  (core module $m (import "" "take" (func $take (param i32 i32)))
    (func (export "run") (result i32)
      (call $take (i32.const 2000) (i32.const 3))
      ;; Beyond this memory, but not beyond the other one.
      (call $take (i32.const 65530) (i32.const 100))
      (i32.const 0)))
  (core instance $m (instantiate $m (with "" (instance (export "take" (func $take))))))
  (func (export "run") (result (result)) (canon lift (core func $m "run"))))
(instance $gives (instantiate $gives (with "take" (func $takes "take"))))
(alias export $gives "run" (func $main))
