//! A command program in the form that `wit-bindgen` gives programs: it prints its arguments, and
//! makes and drops resources whose destructor is its own.

/// Where the program's memory is defined.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// In the program.
    Own,
    /// In what the encoder adds.
    Imported,
}

/// Whether the program asks for a thread's base address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// It does not.
    None,
    /// It imports functions that read and set the address.
    Imported,
}

/// The program, as text.
pub fn program(memory: Memory, base: Base) -> String {
    let memory = match memory {
        Memory::Own => ("", "(memory (export \"memory\") 2)"),
        Memory::Imported => ("(import \"env\" \"memory\" (memory 2))", ""),
    };
    let base = match base {
        Base::None => (
            "",
            "(global $base (mut i32) (i32.const 0))
             (func $get-base (result i32) (global.get $base))
             (func $set-base (param i32) (global.set $base (local.get 0)))",
        ),
        Base::Imported => (
            "(import \"env\" \"__wasm_get_tls_base\" (func $get-base (result i32)))
             (import \"env\" \"__wasm_set_tls_base\" (func $set-base (param i32)))",
            "",
        ),
    };
    let (imports, definitions) = (memory.0.to_owned() + base.0, memory.1.to_owned() + base.1);
    PROGRAM
        .replace(";; IMPORTS", &imports)
        .replace(";; DEFINITIONS", &definitions)
}

const PROGRAM: &str = r#"(module
  ;; IMPORTS
  (import "wasi:cli/stdout@0.2.12" "get-stdout" (func $stdout (result i32)))
  (import "wasi:cli/environment@0.2.12" "get-arguments" (func $arguments (param i32)))
  (import "wasi:io/streams@0.2.12" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.12" "[resource-drop]output-stream" (func $close (param i32)))
  (import "[export]test:made/things" "[resource-new]thing" (func $new (param i32) (result i32)))
  (import "[export]test:made/things" "[resource-rep]thing" (func $rep (param i32) (result i32)))
  (import "[export]test:made/things" "[resource-drop]thing" (func $drop (param i32)))
  ;; DEFINITIONS
  (data (i32.const 16) "initialized\0amade    \0adropped \0abase    \0aargument \0a")
  (global $next (mut i32) (i32.const 66000))
  (func $say (param $at i32) (param $length i32) (local $stream i32)
    (local.set $stream (call $stdout))
    (call $write (local.get $stream) (local.get $at) (local.get $length) (i32.const 64000))
    (call $close (local.get $stream))
    (if (i32.load8_u (i32.const 64000)) (then unreachable)))
  ;; Prints a line with a digit in place of the character before its end.
  (func $count (param $at i32) (param $length i32) (param $digit i32)
    (i32.store8 offset=0
      (i32.add (local.get $at) (i32.sub (local.get $length) (i32.const 2)))
      (i32.add (i32.const 48) (i32.rem_u (local.get $digit) (i32.const 10))))
    (call $say (local.get $at) (local.get $length)))
  (func (export "_initialize")
    (call $set-base (i32.const 4))
    (call $say (i32.const 16) (i32.const 12)))
  (func (export "cabi_realloc") (param $old i32) (param $was i32) (param $align i32)
    (param $size i32) (result i32) (local $new i32)
    (local.set $new (i32.and
      (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    (global.set $next (i32.add (local.get $new) (local.get $size)))
    (memory.copy (local.get $new) (local.get $old) (local.get $was))
    (local.get $new))
  (func (export "test:made/things#[constructor]thing") (param i32) (result i32)
    (call $count (i32.const 28) (i32.const 9) (local.get 0))
    (call $new (local.get 0)))
  (func (export "test:made/things#[method]thing.get") (param i32) (result i32) (local.get 0))
  (func (export "test:made/things#[dtor]thing") (param i32)
    (call $count (i32.const 37) (i32.const 9) (local.get 0)))
  (func (export "wasi:cli/run@0.2.12#run") (result i32) (local $thing i32) (local $each i32)
    (call $count (i32.const 46) (i32.const 9) (call $get-base))
    ;; The arguments, each with a line of its own.
    (call $arguments (i32.const 64100))
    (block $end (loop $next
      (br_if $end (i32.ge_u (local.get $each) (i32.load offset=4 (i32.const 64100))))
      (local.set $thing (i32.add
        (i32.load (i32.const 64100)) (i32.shl (local.get $each) (i32.const 3))))
      (if (i32.load offset=4 (local.get $thing)) (then
        (call $say (i32.load (local.get $thing)) (i32.load offset=4 (local.get $thing)))))
      (local.set $each (i32.add (local.get $each) (i32.const 1)))
      (call $count (i32.const 55) (i32.const 10) (local.get $each))
      (br $next)))
    (local.set $thing (call $new (i32.const 7)))
    (call $count (i32.const 28) (i32.const 9) (call $rep (local.get $thing)))
    (call $drop (local.get $thing))
    ;; Fails if there are three arguments.
    (i32.eq (local.get $each) (i32.const 3))))
"#;
