;; While the canonical ABI runs `realloc`, a component may not call out.
;; composition
;; prints: 1
;; ends: trap
(component $takes
  (import "say" (func $say (param "x" u32)))
  (core func $say (canon lower (func $say)))
  (core module $memory (memory (export "memory") 1))
  (core instance $memory (instantiate $memory))
  (core module $m (import "" "say" (func $say (param i32)))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (call $say (i32.const 9)) (i32.const 4096))
    (func (export "take") (param $p i32) (param $units i32)))
  (core instance $m (instantiate $m (with "" (instance (export "say" (func $say))))))
  (func (export "take") (param "s" string) (canon lift (core func $m "take")
    (memory (core memory $memory "memory")) (realloc (core func $m "realloc")))))
(instance $takes (instantiate $takes (with "say" (func $say))))
(component $gives
  (import "take" (func $take (param "s" string))) (import "say" (func $say (param "x" u32)))
  (core func $say (canon lower (func $say)))
  (core module $pages (memory (export "memory") 1) (data (i32.const 2000) "abc"))
  (core instance $pages (instantiate $pages))
  (core func $take (canon lower (func $take) (memory (core memory $pages "memory"))))
  (core module $m
    (import "" "take" (func $take (param i32 i32))) (import "" "say" (func $say (param i32)))
    (func (export "run") (result i32)
      (call $say (i32.const 1)) (call $take (i32.const 2000) (i32.const 3)) (i32.const 0)))
  (core instance $m (instantiate $m (with "" (instance
    (export "take" (func $take)) (export "say" (func $say))))))
  (func (export "run") (result (result)) (canon lift (core func $m "run"))))
(instance $gives (instantiate $gives (with "take" (func $takes "take")) (with "say" (func $say))))
(alias export $gives "run" (func $main))
