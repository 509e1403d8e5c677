;; An exception of another module is caught, and one with the same type but another identity is not.
;; prints: 5
;; ends: error
(core module $one (tag $e (export "e") (param i32))
  (func (export "throw") (param i32) (throw $e (local.get 0))))
(core instance $one (instantiate $one))
(core module $two (tag $e (export "e") (param i32))
  (func (export "throw") (param i32) (throw $e (local.get 0))))
(core instance $two (instantiate $two))
(core module $run
  (import "one" "e" (tag $e (param i32)))
  (import "one" "throw" (func $one (param i32))) (import "two" "throw" (func $two (param i32)))
  (import "host" "say" (func $say (param i32)))
  (func (export "run") (result i32)
    (call $say (block $caught (result i32)
      (try_table (catch $e $caught) (call $one (i32.const 5))) (i32.const 0)))
    (call $say (block $caught (result i32)
      (try_table (catch $e $caught) (call $two (i32.const 6))) (i32.const 0)))
    (i32.const 0)))
(core instance $run (instantiate $run
  (with "one" (instance $one)) (with "two" (instance $two)) (with "host" (instance $host))))
(alias core export $run "run" (core func $main))
