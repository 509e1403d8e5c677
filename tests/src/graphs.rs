//! Component graphs: a flattened component does the same as before.
//!
//! A case is a number, its seed. The seed determines a component (`edgec-graphs`), what its host
//! answers ([`host`]), and the calls with their arguments. The component runs as it is, and
//! flattened. Everything that a host can see is compared ([`behaviour`], [`case`]): whether there
//! is an instance, and if not, which trap prevented it; results; the trap that ends a call; the
//! calls of the host with their arguments, in order; and digests of the instances' memories, tables
//! and globals, which components export.
//!
//! Two things are not compared: the texts of errors with the names of functions, and what happens
//! after the stack ran out. Some components also run on stock Wasmtime in its default
//! configuration, and some go through edgec's whole pipeline.

pub mod batch;
pub mod behaviour;
pub mod case;
pub mod host;
pub mod pass;
pub mod shrink;
pub mod wrong;
