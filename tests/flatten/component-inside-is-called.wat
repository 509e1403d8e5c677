;; The engine lets no component call one inside it: the call traps, and must go on to do so.
;; prints: 1
;; ends: trap
(component $inside
  (core module $m (func (export "add") (param i32) (result i32)
    (i32.add (local.get 0) (i32.const 1))))
  (core instance $m (instantiate $m))
  (func (export "add") (param "x" u32) (result u32) (canon lift (core func $m "add"))))
(instance $inside (instantiate $inside))
(core func $add (canon lower (func $inside "add")))
(core module $run
  (import "" "add" (func $add (param i32) (result i32))) (import "host" "say" (func $say (param i32)))
  (func (export "run") (result i32)
    (call $say (i32.const 1)) (call $say (call $add (i32.const 1))) (i32.const 0)))
(core instance $run (instantiate $run
  (with "" (instance (export "add" (func $add)))) (with "host" (instance $host))))
(alias core export $run "run" (core func $main))
