;; The host reads the memory of the program, which imports the lowered function: a cycle that only
;; slots can make.
;; prints: yes
;; ends: 0
(core module $shim
  (type $t (func (param i32 i32 i32 i32)))
  (table (export "$imports") 1 1 funcref)
  (func (export "0") (type $t)
    (call_indirect (type $t) (local.get 0) (local.get 1) (local.get 2) (local.get 3)
      (i32.const 0))))
(core instance $shim (instantiate $shim))
(core module $main
  (import "shim" "0" (func $write (param i32 i32 i32 i32)))
  (import "wasi" "stdout" (func $stdout (result i32)))
  (memory (export "memory") 1) (data (i32.const 2000) "yes ")
  (func (export "run") (result i32)
    (call $write (call $stdout) (i32.const 2000) (i32.const 4) (i32.const 3000))
    (i32.load8_u (i32.const 3000))))
(core instance $main (instantiate $main
  (with "shim" (instance $shim)) (with "wasi" (instance (export "stdout" (func $get-stdout))))))
(core func $write-from-main (canon lower
  (func $streams "[method]output-stream.blocking-write-and-flush")
  (memory (core memory $main "memory"))))
(core module $fixup
  (import "" "$imports" (table 1 1 funcref))
  (import "" "0" (func $f (param i32 i32 i32 i32)))
  (elem (i32.const 0) func $f))
(alias core export $shim "$imports" (core table $slots))
(core instance (instantiate $fixup (with "" (instance
  (export "$imports" (table $slots)) (export "0" (func $write-from-main))))))
(alias core export $main "run" (core func $main))
