;; An element segment does not fit into the table of another module.
;; prints: 1
;; ends: trap
(core module $table (table (export "table") 2 funcref))
(core instance $table (instantiate $table))
(core module $first (import "host" "say" (func $say (param i32)))
  (func $start (call $say (i32.const 1))) (start $start))
(core instance (instantiate $first (with "host" (instance $host))))
(core module $late (import "table" "table" (table 2 funcref))
  (func $f) (elem (i32.const 1) func $f $f))
(core instance (instantiate $late (with "table" (instance $table))))
(core module $run (import "host" "say" (func $say (param i32)))
  (func (export "run") (result i32) (call $say (i32.const 2)) (i32.const 0)))
(core instance $run (instantiate $run (with "host" (instance $host))))
(alias core export $run "run" (core func $main))
