;; A module grows, sets and measures the table of another one, which then calls through it.
;; prints: 2 3 6 8 4294967295
;; ends: trap
(core module $table
  (type $t (func (result i32))) (table $t (export "table") 2 3 funcref)
  (func (export "call") (param i32) (result i32) (call_indirect (type $t) (local.get 0)))
  (func (export "size") (result i32) (table.size $t)))
(core instance $table (instantiate $table))
(core module $change
  (import "table" "table" (table $t 2 3 funcref))
  (import "table" "call" (func $call (param i32) (result i32)))
  (import "table" "size" (func $size (result i32)))
  (import "host" "say" (func $say (param i32)))
  (elem declare func $six $eight)
  (func $six (result i32) (i32.const 6)) (func $eight (result i32) (i32.const 8))
  (func (export "run") (result i32)
    (call $say (call $size))
    (drop (table.grow $t (ref.func $six) (i32.const 1)))
    (call $say (call $size))
    (call $say (call $call (i32.const 2)))
    (table.set $t (i32.const 0) (ref.func $eight))
    (call $say (call $call (i32.const 0)))
    (call $say (table.grow $t (ref.null func) (i32.const 1)))
    (call $say (call $call (i32.const 1)))
    (i32.const 0)))
(core instance $change (instantiate $change
  (with "table" (instance $table)) (with "host" (instance $host))))
(alias core export $change "run" (core func $main))
