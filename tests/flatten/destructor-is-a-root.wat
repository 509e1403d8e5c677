;; Only a resource type names the destructor: it must stay, and what it uses.
;; prints: 131
;; ends: 0
(core module $dtor (import "host" "say" (func $say (param i32)))
  (func $hundred (param i32) (result i32) (i32.add (local.get 0) (i32.const 100)))
  (func (export "dtor") (param i32) (call $say (call $hundred (local.get 0)))))
(core instance $dtor (instantiate $dtor (with "host" (instance $host))))
(alias core export $dtor "dtor" (core func $dtor))
(type $r (resource (rep i32) (dtor (core func $dtor))))
(core func $new (canon resource.new $r))
(core func $drop (canon resource.drop $r))
(core module $run
  (import "r" "new" (func $new (param i32) (result i32))) (import "r" "drop" (func $drop (param i32)))
  (func (export "run") (result i32) (call $drop (call $new (i32.const 31))) (i32.const 0)))
(core instance $run (instantiate $run
  (with "r" (instance (export "new" (func $new)) (export "drop" (func $drop))))))
(alias core export $run "run" (core func $main))
