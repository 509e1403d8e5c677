;; Each start function runs in a task of its own, with an empty context.
;; prints: 0
;; ends: 0
;; keeps: one-task
(core module $apart (func $start) (start $start))
(core instance (instantiate $apart))
(core instance (instantiate $apart))
(core func $set (canon context.set i32 0))
(core func $get (canon context.get i32 0))
(core instance $context (export "set" (func $set)) (export "get" (func $get)))
(core module $first
  (import "context" "set" (func $set (param i32)))
  (func (export "zero") (result i32) (i32.const 0))
  (func $start (call $set (i32.const 5)))
  (start $start))
(core instance $first (instantiate $first (with "context" (instance $context))))
(core module $main
  (import "context" "get" (func $get (result i32)))
  (import "first" "zero" (func $zero (result i32)))
  (import "host" "say" (func $say (param i32)))
  (func (export "run") (result i32) (call $zero))
  (func $start (call $say (call $get)))
  (start $start))
(core instance $main (instantiate $main (with "first" (instance $first)) (with "context" (instance $context)) (with "host" (instance $host))))
(alias core export $main "run" (core func $main))
