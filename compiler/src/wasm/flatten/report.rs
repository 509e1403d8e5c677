//! What flattening did to a program.

use serde::{Deserialize, Serialize};

use super::reason::Reason;

/// What flattening did to a component.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flattened {
    /// How many core modules the program had at any depth, and how many it has now.
    pub modules: Change,
    /// How many core instances its components made, and how many they make now. Instances that only
    /// put existing items together count too.
    pub instances: Change,
    /// How many instances of core modules were merged.
    pub merged: usize,
    /// For each core module of the program now, in file order, the numbers of the modules before
    /// that it was made of, in the order in which they were instantiated. Empty for a module that
    /// edgec made.
    pub parts: Vec<Vec<usize>>,
    /// The numbers of the merged modules whose start functions run, in the order of the program.
    pub starts: Vec<usize>,
    /// The instances of core modules that were not merged, in the order of the program.
    pub kept: Vec<KeptInstance>,
}

/// A number before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Before.
    pub before: usize,
    /// After.
    pub after: usize,
}

/// An instance of a core module that was not merged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptInstance {
    /// The number of its core module in the program before, in file order. `None` if the program
    /// does not define the module.
    pub module: Option<usize>,
    /// The module's name, if it has one.
    pub name: Option<String>,
    /// The check that failed.
    pub reason: Reason,
}
