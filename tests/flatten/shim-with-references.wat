;; The slots are mutable globals with references, which a start function fills, as newer toolchains
;; make them. At first they hold a function that traps.
;; prints: 4 5
;; ends: 0
(core module $shim
  (type $t (func (param i32)))
  (func $stub (type $t) unreachable)
  (global $g0 (export "g0") (mut (ref $t)) (ref.func $stub))
  (func (export "0") (type $t) (return_call_ref $t (local.get 0) (global.get $g0))))
(core instance $shim (instantiate $shim))
(core module $main (import "shim" "0" (func $later (param i32)))
  (func (export "run") (result i32)
    (call $later (i32.const 4)) (call $later (i32.const 5)) (i32.const 0)))
(core instance $main (instantiate $main (with "shim" (instance $shim))))
(core module $fixup
  (type $t (func (param i32)))
  (import "shim" "g0" (global $g0 (mut (ref $t)))) (import "actual" "0" (func $f (type $t)))
  (elem declare func $f)
  (func $start (global.set $g0 (ref.func $f))) (start $start))
(core instance (instantiate $fixup
  (with "shim" (instance $shim)) (with "actual" (instance (export "0" (func $say))))))
(alias core export $main "run" (core func $main))
