;; Two shims' slots hold each other's functions: a call ends when the stack is full. A pass that
;; follows slots must end too.
;; prints: 1
;; ends: trap
(core module $first
  (type $t (func (param i32))) (table (export "$imports") 1 1 funcref)
  (func (export "0") (param i32) (call_indirect (type $t) (local.get 0) (i32.const 0))))
(core module $second
  (type $t (func (param i32))) (table (export "$imports") 1 1 funcref)
  (func (export "0") (param i32) (call_indirect (type $t) (local.get 0) (i32.const 0))))
(core instance $first (instantiate $first))
(core instance $second (instantiate $second))
(core module $main (import "shim" "0" (func $later (param i32)))
  (import "host" "say" (func $say (param i32)))
  (func (export "run") (result i32)
    (call $say (i32.const 1)) (call $later (i32.const 5)) (i32.const 0)))
(core instance $main (instantiate $main
  (with "shim" (instance $first)) (with "host" (instance $host))))
(core module $fix-first
  (import "" "$imports" (table 1 1 funcref)) (import "" "0" (func $f (param i32)))
  (elem (i32.const 0) func $f))
(core module $fix-second
  (import "" "$imports" (table 1 1 funcref)) (import "" "0" (func $f (param i32)))
  (elem (i32.const 0) func $f))
(core instance (instantiate $fix-first (with "" (instance
  (export "$imports" (table $first "$imports")) (export "0" (func $second "0"))))))
(core instance (instantiate $fix-second (with "" (instance
  (export "$imports" (table $second "$imports")) (export "0" (func $first "0"))))))
(alias core export $main "run" (core func $main))
