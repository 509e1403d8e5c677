;; Offsets of segments, and the value of a global, come from globals of other modules.
;; prints: 30 31 7 2010
;; ends: 0
;; merges
(core module $bases
  (global (export "base") i32 (i32.const 2010)) (global (export "first") i32 (i32.const 1)))
(core instance $bases (instantiate $bases))
(core module $table (table (export "table") 4 funcref))
(core instance $table (instantiate $table))
(core module $code
  (type $f (func (result i32)))
  (import "bases" "base" (global $base i32)) (import "bases" "first" (global $first i32))
  (import "text" "memory" (memory 1)) (import "table" "table" (table 4 funcref))
  (import "host" "say" (func $say (param i32)))
  (global $copy i32 (global.get $base))
  (data (global.get $base) "\1e")
  (data (offset (i32.add (global.get $base) (i32.const 1))) "\1f")
  (elem (global.get $first) func $seven)
  (func $seven (type $f) (i32.const 7))
  (func (export "run") (result i32)
    (call $say (i32.load8_u (i32.const 2010)))
    (call $say (i32.load8_u (i32.const 2011)))
    (call $say (call_indirect (type $f) (i32.const 1)))
    (call $say (global.get $copy))
    (i32.const 0)))
(core instance $code (instantiate $code
  (with "bases" (instance $bases)) (with "text" (instance $text))
  (with "table" (instance $table)) (with "host" (instance $host))))
(alias core export $code "run" (core func $main))
