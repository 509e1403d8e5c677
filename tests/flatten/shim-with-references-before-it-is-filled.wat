;; As above, but a start function calls the shim before the global is filled: the stub traps.
;; prints: 1
;; ends: trap
(core module $shim
  (type $t (func (param i32)))
  (func $stub (type $t) unreachable)
  (global $g0 (export "g0") (mut (ref $t)) (ref.func $stub))
  (func (export "0") (type $t) (return_call_ref $t (local.get 0) (global.get $g0))))
(core instance $shim (instantiate $shim))
(core module $main
  (import "shim" "0" (func $later (param i32))) (import "host" "say" (func $say (param i32)))
  (func $start (call $say (i32.const 1)) (call $later (i32.const 2))) (start $start)
  (func (export "run") (result i32) (i32.const 0)))
(core instance $main (instantiate $main
  (with "shim" (instance $shim)) (with "host" (instance $host))))
(core module $fixup
  (type $t (func (param i32)))
  (import "shim" "g0" (global $g0 (mut (ref $t)))) (import "actual" "0" (func $f (type $t)))
  (elem declare func $f)
  (func $start (global.set $g0 (ref.func $f))) (start $start))
(core instance (instantiate $fixup
  (with "shim" (instance $shim)) (with "actual" (instance (export "0" (func $say))))))
(alias core export $main "run" (core func $main))
