;; `ref.func` needs a declaration, and the only one is an export that nothing uses.
;; prints: 8
;; ends: 0
;; merges
(core module $table (table (export "table") 1 funcref) (type $t (func (result i32)))
  (func (export "call") (result i32) (call_indirect (type $t) (i32.const 0))))
(core instance $table (instantiate $table))
(core module $run
  (import "table" "table" (table $t 1 funcref)) (import "table" "call" (func $call (result i32)))
  (import "host" "say" (func $say (param i32)))
  (func $eight (export "eight") (result i32) (i32.const 8))
  (func (export "run") (result i32)
    (table.set $t (i32.const 0) (ref.func $eight)) (call $say (call $call)) (i32.const 0)))
(core instance $run (instantiate $run
  (with "table" (instance $table)) (with "host" (instance $host))))
(alias core export $run "run" (core func $main))
