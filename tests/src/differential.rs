//! The differential generator: at every level of the optimizer, generated programs do the same as
//! without it.
//!
//! A case is a number, its seed. The seed determines a program ([`generator`]), what its host does
//! ([`host`]), and the calls with their arguments. The original program runs, and the program that
//! each level makes of it. Everything that a host can see is compared ([`behaviour`], [`case`]):
//! exports, results, whether a call traps, memories, globals and tables after each call or trap,
//! which traps prevent an instance, and the calls of the host.
//!
//! A command program becomes a component or stays a core module, as edgec's rule for preview 1
//! decides. Stock runs it as a core module. Both must print the same and exit with the same code.
//!
//! Three things are not compared: which trap ends a call (Binaryen may change the order of traps),
//! which NaN arithmetic gives (programs here use a single NaN), and what happens after the stack or
//! the engine's fuel ran out. Programs end by their own counter, and memories stop growing at the
//! same size everywhere.

pub mod batch;
pub mod behaviour;
pub mod case;
mod edits;
pub mod generator;
pub mod host;
pub mod random;
pub mod sections;
pub mod shrink;
pub mod terms;
pub mod worker;
