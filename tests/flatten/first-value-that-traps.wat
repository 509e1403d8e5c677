;; The first value of a global is an array that is too large. The trap comes after a start function
;; of another module called the host.
;; prints: 1
;; ends: trap
;; keeps: segment-may-trap
(core module $apart (func $start) (start $start))
(core instance (instantiate $apart))
(core instance (instantiate $apart))
(core module $first
  (type $a (array (mut i64)))
  (import "host" "say" (func $say (param i32)))
  (global $g (export "g") (ref $a) (array.new_default $a (i32.const 1)))
  (func $start (call $say (array.len (global.get $g))))
  (func (export "one") (result i32) (i32.const 1))
  (start $start))
(core instance $first (instantiate $first (with "host" (instance $host))))
(core module $main
  (import "first" "one" (func $one (result i32)))
  (type $a (array (mut i64)))
  (global $g (ref $a) (array.new_default $a (i32.const -1)))
  (func (export "run") (result i32) (array.len (global.get $g)) (drop) (call $one)))
(core instance $main (instantiate $main (with "first" (instance $first))))
(alias core export $main "run" (core func $main))
