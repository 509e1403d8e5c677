//! Command programs that print numbers, as components of many core modules.
//!
//! A test has only the part of a component that it is about (`tests/flatten/*.wat`). Around it come
//! the imports of WASI and a way to print.

/// The imports of WASI.
const IMPORTS: &str = include_str!("commands/imports.wat");
/// Core modules that print numbers.
const PRINTER: &str = include_str!("commands/printer.wat");
/// The line of a part that has components which call each other. The engine does not let them call
/// a component around them, so the printer is a component beside them.
const COMPOSITION: &str = ";; composition";

/// A `wasi:cli` command around a part of a component.
///
/// The part can use the core instances `$text` with a `memory` of one page, of which it may use all
/// above 1024, and `$host` with the function `say`, which prints a number and a space. `$say` is
/// this function. The part defines `$main`, a core function that returns 0 for success.
///
/// If the part contains the line `;; composition`, there is only the component function `$say`, and
/// `$main` is a component function that returns a `result`.
pub fn command(part: &str) -> String {
    let is_composition = part.lines().any(|line| line == COMPOSITION);
    let (printer, run) = match is_composition {
        true => (sayer(), ""),
        false => (
            PRINTER.to_owned(),
            "(func $main (result (result)) (canon lift (core func $main)))",
        ),
    };
    format!(
        "(component $command\n{IMPORTS}{printer}{part}\n{run}
  (instance $command-exports (export \"run\" (func $main)))
  (export \"wasi:cli/run@0.2.0\" (instance $command-exports)))\n"
    )
}

/// The printer as a component, and an instance of it.
fn sayer() -> String {
    let inside = format!("{IMPORTS}{PRINTER}").replace("$command", "$sayer");
    format!(
        "(component $sayer\n{inside}
    (func (export \"say\") (param \"x\" u32) (canon lift (core func $say))))
  (instance $sayer (instantiate $sayer
    (with \"wasi:io/error@0.2.0\" (instance $errors))
    (with \"wasi:io/streams@0.2.0\" (instance $streams))
    (with \"wasi:cli/stdout@0.2.0\" (instance $stdout))))
  (alias export $sayer \"say\" (func $say))\n"
    )
}
