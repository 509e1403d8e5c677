;; A shim passes calls on with tail calls, so a program may call itself through it without an end of
;; the stack. A start function runs before the shim is filled, so the slot stays.
;; prints: 2
;; ends: 0
;; merges
(core module $apart (func $start) (start $start))
(core instance (instantiate $apart))
(core instance (instantiate $apart))
(core module $shim
  (type $t (func (param i32)))
  (table (export "$imports") 1 1 funcref)
  (func (export "0") (type $t)
    (return_call_indirect (type $t) (local.get 0) (i32.const 0))))
(core instance $shim (instantiate $shim))
(core module $lib (func (export "less") (param i32) (result i32)
  (i32.sub (local.get 0) (i32.const 1))))
(core instance $lib (instantiate $lib))
(core module $main
  (import "shim" "0" (func $again (param i32)))
  (import "lib" "less" (func $less (param i32) (result i32)))
  (import "host" "say" (func $say (param i32)))
  (table 1 1 funcref)
  (type $n (func))
  (elem (i32.const 0) func $nothing)
  (func $nothing)
  (func $count (export "count") (param i32)
    (if (i32.eqz (local.get 0)) (then (return)))
    (return_call $again (call $less (local.get 0))))
  (func (export "run") (result i32)
    (call $count (i32.const 500000))
    (call $say (i32.const 2))
    (i32.const 0))
  (func $start (call_indirect (type $n) (i32.const 0)))
  (start $start))
(core instance $main (instantiate $main
  (with "shim" (instance $shim)) (with "lib" (instance $lib)) (with "host" (instance $host))))
(core module $fixup
  (type $t (func (param i32)))
  (import "shim" "$imports" (table 1 1 funcref))
  (import "main" "count" (func $count (type $t)))
  (elem (i32.const 0) func $count))
(core instance (instantiate $fixup (with "shim" (instance $shim)) (with "main" (instance $main))))
(alias core export $main "run" (core func $main))
