;; The engine lets no component call one around it: the call traps, and must go on to do so.
;; prints:
;; ends: trap
(core module $outer (import "host" "say" (func $say (param i32)))
  (func (export "say") (param i32) (call $say (i32.add (local.get 0) (i32.const 40)))))
(core instance $outer (instantiate $outer (with "host" (instance $host))))
(func $say-outer (param "x" u32) (canon lift (core func $outer "say")))
(component $inside
  (import "say" (func $say (param "x" u32)))
  (core func $say (canon lower (func $say)))
  (core module $m (import "" "say" (func $say (param i32)))
    (func (export "call") (param i32) (call $say (local.get 0)))
    (func $start (call $say (i32.const 0))) (start $start))
  (core instance $m (instantiate $m (with "" (instance (export "say" (func $say))))))
  (func (export "call") (param "x" u32) (canon lift (core func $m "call"))))
(instance $inside (instantiate $inside (with "say" (func $say-outer))))
(core module $run (func (export "run") (result i32) (i32.const 0)))
(core instance $run (instantiate $run))
(alias core export $run "run" (core func $main))
