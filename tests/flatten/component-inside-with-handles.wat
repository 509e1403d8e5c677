;; Each component has a table of handles of its own: a handle of one means nothing in another.
;; composition
;; prints: 50
;; ends: error
(component $has
  (type $r (resource (rep i32)))
  (export $thing "thing" (type $r))
  (core func $new (canon resource.new $r))
  (core func $rep (canon resource.rep $r))
  (core module $handles
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "rep" (func $rep (param i32) (result i32)))
    (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
    (func (export "guess") (param i32) (result i32) (call $rep (local.get 0))))
  (core instance $handles (instantiate $handles (with "" (instance
    (export "new" (func $new)) (export "rep" (func $rep))))))
  (core module $m (import "" "make" (func $make (param i32) (result i32)))
    (func (export "make") (param i32) (result i32) (call $make (local.get 0)))
    (func (export "look") (param i32) (result i32) (local.get 0)))
  (core instance $m (instantiate $m (with "" (instance $handles))))
  (func (export "make") (param "x" u32) (result (own $thing)) (canon lift (core func $m "make")))
  (func (export "look") (param "r" (borrow $thing)) (result u32) (canon lift (core func $m "look")))
  (func (export "guess") (param "x" u32) (result u32)
    (canon lift (core func $handles "guess"))))
(instance $has (instantiate $has))
(component $uses
  (import "thing" (type $thing (sub resource)))
  (import "make" (func $make (param "x" u32) (result (own $thing))))
  (import "look" (func $look (param "r" (borrow $thing)) (result u32)))
  (import "guess" (func $guess (param "x" u32) (result u32)))
  (import "say" (func $say (param "x" u32)))
  (core func $make (canon lower (func $make)))
  (core func $look (canon lower (func $look)))
  (core func $guess (canon lower (func $guess)))
  (core func $say (canon lower (func $say)))
  (core module $add (func (export "add") (param i32) (result i32) (local.get 0)))
  (core instance $add (instantiate $add))
  (core module $m
    (import "" "make" (func $make (param i32) (result i32)))
    (import "" "look" (func $look (param i32) (result i32)))
    (import "" "guess" (func $guess (param i32) (result i32)))
    (import "" "say" (func $say (param i32)))
    (import "add" "add" (func $add (param i32) (result i32)))
    (func (export "run") (result i32) (local $r i32)
      (local.set $r (call $make (i32.const 50)))
      (call $say (call $add (call $look (local.get $r))))
      (call $say (call $guess (local.get $r)))
      (i32.const 0)))
  (core instance $m (instantiate $m (with "add" (instance $add)) (with "" (instance
    (export "make" (func $make)) (export "look" (func $look))
    (export "guess" (func $guess)) (export "say" (func $say))))))
  (func (export "run") (result (result)) (canon lift (core func $m "run"))))
(instance $uses (instantiate $uses
  (with "thing" (type $has "thing")) (with "make" (func $has "make"))
  (with "look" (func $has "look")) (with "guess" (func $has "guess")) (with "say" (func $say))))
(alias export $uses "run" (func $main))
