//! Generates programs from numbers: a process that answers each number with a core module.
//!
//! The results of computations must be visible. So functions of arithmetic are added
//! (`arithmetic`), and values that a program would drop go into a sum that it exports or prints
//! (`sink`). Command programs also call functions of WASI preview 1 (`calls`).
//!
//! A line on standard input is a kind of program, `module`, `command` or `mutation`, and a seed.
//! `any` and `component` are programs with any features and sizes, which are only built (`any`).
//! `graph` is a component of many core modules (`edgec-graphs`).
//! The answer is the length of the program in four bytes, little-endian, and the program. The
//! length is 0 if the seed gives no program. The only argument is the folder of the public suites,
//! for mutations.

mod any;
mod arithmetic;
mod calls;
mod command;
mod mutation;
mod nan;
mod operators;
mod program;
#[path = "../../src/differential/random.rs"]
mod random;
#[path = "../../src/differential/sections.rs"]
mod sections;
mod sink;
#[path = "../../src/differential/terms.rs"]
mod terms;
mod writer;

use std::io::{self, BufRead as _, Write as _};
use std::path::Path;

fn main() -> io::Result<()> {
    // If the generator panics for a seed, there is no program for it.
    std::panic::set_hook(Box::new(|_| {}));
    let folder = std::env::args().nth(1).unwrap_or_default();
    let suites = (!folder.is_empty()).then(|| mutation::Suites::new(Path::new(&folder)));
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (kind, seed) = line.split_once(' ').expect("a kind and a seed");
        let seed = seed.parse().expect("a seed");
        let made = std::panic::catch_unwind(|| match (kind, &suites) {
            ("module", _) => program::module(seed),
            ("command", _) => command::command(seed),
            ("mutation", Some(suites)) => suites.mutation(seed),
            ("any", _) => any::module(seed),
            ("component", _) => any::component(seed),
            ("graph", _) => {
                let text = edgec_graphs::graph(&mut edgec_graphs::Choices::of_seed(seed));
                wat::parse_str(text).ok()
            }
            _ => None,
        });
        let program = made.ok().flatten().map(|program| match kind {
            // These results are not compared.
            "any" | "component" | "graph" => program,
            _ => nan::one(&program),
        });
        let program = program.unwrap_or_default();
        let length = u32::try_from(program.len()).expect("a small program");
        out.write_all(&length.to_le_bytes())?;
        out.write_all(&program)?;
        out.flush()?;
    }
    Ok(())
}
