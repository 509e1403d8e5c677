;; A command that needs a table of squares. `fill` makes it: at build time with
;; `edgec build --init fill`, else on the first use of every instance.
(component
  (core module $squares
    (memory 1)
    (global $calls (mut i32) (i32.const 0))
    (func $fill (export "fill") (local $i i32)
      (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      (loop $next
        (i32.store
          (i32.shl (local.get $i) (i32.const 2))
          (i32.mul (local.get $i) (local.get $i)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $i) (i32.const 10000)))))
    ;; The exit code: 0 when the table was there already.
    (func (export "run") (result i32)
      (if (result i32) (i32.eqz (global.get $calls))
        (then (call $fill) (i32.const 1))
        (else (i32.ne (i32.load (i32.const 39996)) (i32.const 99980001))))))
  (core instance $app (instantiate $squares))
  (func (export "fill") (canon lift (core func $app "fill")))
  (func $run (result (result)) (canon lift (core func $app "run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $command)))
