//! The differential generator: made-up programs do at every level of the optimizer what they do
//! without it.
//!
//! A case is a number, its seed. From it come a program ([`generator`]), what its host does
//! ([`host`]), and what is called, with what. The program is run as it is and as each level leaves
//! it, and everything that a host can see is compared ([`behaviour`], [`case`]): exports, results,
//! whether a call traps, memories, globals and tables after each call or trap, which traps keep it
//! from being instantiated, and the calls of the host.
//!
//! Not compared: which trap a call ends with (Binaryen may change their order), which NaN
//! arithmetic gives (there is one here), and what comes after the stack or the engine's fuel ran
//! out. Programs end by a counter of their own, and memories stop growing at the same size
//! everywhere.

pub mod batch;
pub mod behaviour;
pub mod case;
pub mod generator;
pub mod host;
pub mod preview1;
pub mod random;
pub mod sections;
pub mod shrink;
pub mod terms;
pub mod worker;
