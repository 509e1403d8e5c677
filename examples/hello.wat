;; A command in the WebAssembly text format that needs no toolchain: it prints a line.
;; It uses WASI preview 1, so `edgec build` makes a `wasi:cli` component of it.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)

  ;; One buffer for fd_write: where the text is, and how long.
  (data (i32.const 0) "\08\00\00\00\15\00\00\00")
  (data (i32.const 8) "Hello from the edge!\n")

  (func (export "_start")
    i32.const 1  ;; standard output
    i32.const 0  ;; the buffers
    i32.const 1  ;; how many
    i32.const 32 ;; where the number of bytes written goes
    call $fd_write
    drop))
