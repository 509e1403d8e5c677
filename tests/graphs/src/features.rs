//! What a generated component may contain. It differs from component to component, so that some
//! have much of one thing ("swarm testing").

use super::choices::Choices;

/// What a component may contain.
#[derive(Clone, Copy, Debug)]
pub struct Features {
    /// Typed references to functions, and shims that use them.
    pub references: bool,
    /// Functions whose types are in recursion groups.
    pub groups: bool,
    /// Memories with 64-bit addresses.
    pub wide: bool,
    /// Modules with several memories and tables.
    pub several: bool,
    /// Exceptions.
    pub exceptions: bool,
    /// Resources of the component.
    pub resources: bool,
    /// Components in the component.
    pub nested: bool,
    /// Strings in other encodings than UTF-8.
    pub encodings: bool,
    /// How many of 100 accesses may trap.
    pub risk: usize,
    /// How many of 100 segments do not fit.
    pub misfits: usize,
}

impl Features {
    /// Decides.
    pub fn new(choices: &mut Choices) -> Self {
        Self {
            references: choices.chance(20),
            groups: choices.chance(10),
            wide: choices.chance(7),
            several: choices.chance(25),
            exceptions: choices.chance(5),
            resources: choices.chance(25),
            nested: choices.chance(30),
            encodings: choices.chance(40),
            risk: choices.pick(&[0, 0, 0, 1, 4]),
            misfits: choices.pick(&[0, 0, 0, 0, 4]),
        }
    }
}
