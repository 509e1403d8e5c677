  (core module $text (memory (export "memory") 1))
  (core instance $text (instantiate $text))
  (core func $get-stdout (canon lower (func $stdout "get-stdout")))
  (core func $write (canon lower
    (func $streams "[method]output-stream.blocking-write-and-flush")
    (memory (core memory $text "memory"))))
  (core module $printer
    (import "text" "memory" (memory 1))
    (import "wasi" "stdout" (func $stdout (result i32)))
    (import "wasi" "write" (func $write (param i32 i32 i32 i32)))
    ;; Prints a number and a space.
    (func (export "say") (param $number i32) (local $at i32)
      (local.set $at (i32.const 40))
      (i32.store8 (local.get $at) (i32.const 32))
      (loop $digit
        (local.set $at (i32.sub (local.get $at) (i32.const 1)))
        (i32.store8 (local.get $at)
          (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
        (local.set $number (i32.div_u (local.get $number) (i32.const 10)))
        (br_if $digit (local.get $number)))
      (call $write (call $stdout) (local.get $at)
        (i32.sub (i32.const 41) (local.get $at)) (i32.const 48))))
  (core instance $printer (instantiate $printer
    (with "text" (instance $text))
    (with "wasi" (instance
      (export "stdout" (func $get-stdout)) (export "write" (func $write))))))
  (alias core export $printer "say" (core func $say))
  (core instance $host (export "say" (func $say)))
