;; The destructor of a resource is a function of the program, which makes and drops resources: a
;; cycle through the type.
;; prints: 31 7 131 8
;; ends: 0
(core module $shim
  (type $t (func (param i32)))
  (table (export "$imports") 1 1 funcref)
  (func (export "drop") (type $t) (call_indirect (type $t) (local.get 0) (i32.const 0))))
(core instance $shim (instantiate $shim))
(alias core export $shim "drop" (core func $dtor))
(type $r (resource (rep i32) (dtor (core func $dtor))))
(core func $new (canon resource.new $r))
(core func $rep (canon resource.rep $r))
(core func $drop (canon resource.drop $r))
(core module $main
  (import "r" "new" (func $new (param i32) (result i32)))
  (import "r" "rep" (func $rep (param i32) (result i32)))
  (import "r" "drop" (func $drop (param i32)))
  (import "host" "say" (func $say (param i32)))
  (global $dropped (mut i32) (i32.const 0))
  (func (export "dtor") (param i32)
    (global.set $dropped (local.get 0))
    (call $say (i32.add (local.get 0) (i32.const 100))))
  (func (export "run") (result i32) (local $r i32)
    (local.set $r (call $new (i32.const 31)))
    (call $say (call $rep (local.get $r)))
    (call $say (i32.const 7))
    (call $drop (local.get $r))
    (call $say (i32.const 8))
    (i32.ne (global.get $dropped) (i32.const 31))))
(core instance $main (instantiate $main
  (with "r" (instance (export "new" (func $new)) (export "rep" (func $rep)) (export "drop" (func $drop))))
  (with "host" (instance $host))))
(core module $fixup
  (import "" "$imports" (table 1 1 funcref)) (import "" "0" (func $f (param i32)))
  (elem (i32.const 0) func $f))
(alias core export $shim "$imports" (core table $slots))
(core instance (instantiate $fixup (with "" (instance
  (export "$imports" (table $slots)) (export "0" (func $main "dtor"))))))
(alias core export $main "run" (core func $main))
