;; Equal recursion groups of two modules are one.
;; prints: 2
;; ends: 0
(core module $table (table (export "table") 1 funcref))
(core instance $table (instantiate $table))
(core module $group
  (import "table" "table" (table $t 1 funcref))
  (rec (type $f (func (result i32))) (type (struct)))
  (func $in-a-group (type $f) (i32.const 2))
  (elem (table $t) (i32.const 0) func $in-a-group))
(core instance $group (instantiate $group (with "table" (instance $table))))
(core module $run
  (import "table" "table" (table $t 1 funcref)) (import "host" "say" (func $say (param i32)))
  (type (func)) (rec (type $f (func (result i32))) (type (struct)))
  (func (export "run") (result i32)
    (call $say (call_indirect $t (type $f) (i32.const 0))) (i32.const 0)))
(core instance $run (instantiate $run
  (with "table" (instance $table)) (with "host" (instance $host))))
(alias core export $run "run" (core func $main))
