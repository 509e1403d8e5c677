;; A start function sets an entry that a later module's segment sets again, and another one that
;; stays.
;; prints: 3 2
;; ends: 0
(core module $table (table (export "table") 2 funcref))
(core instance $table (instantiate $table))
(core module $sets (import "table" "table" (table $t 2 funcref))
  (elem declare func $two) (func $two (result i32) (i32.const 2))
  (func $start
    (table.set $t (i32.const 0) (ref.func $two)) (table.set $t (i32.const 1) (ref.func $two)))
  (start $start))
(core instance (instantiate $sets (with "table" (instance $table))))
(core module $run (import "table" "table" (table $t 2 funcref))
  (import "host" "say" (func $say (param i32))) (type $f (func (result i32)))
  (elem (i32.const 0) func $three) (func $three (result i32) (i32.const 3))
  (func (export "run") (result i32)
    (call $say (call_indirect (type $f) (i32.const 0)))
    (call $say (call_indirect (type $f) (i32.const 1)))
    (i32.const 0)))
(core instance $run (instantiate $run
  (with "table" (instance $table)) (with "host" (instance $host))))
(alias core export $run "run" (core func $main))
