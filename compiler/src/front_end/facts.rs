//! What goes into the process that reads inputs, and what it finds out about a program.

use serde::{Deserialize, Serialize};

use crate::{
    Adapter, AddedTypes, Choice, Gate, Interface, KindChoice, ProgramKind, Resources, WorldSource,
};

/// How an input becomes a program, and what is demanded of the program.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Intake {
    /// What a core module becomes.
    pub kind: KindChoice,
    /// The world whose types a core module gets, if it carries none.
    pub wit: Option<WorldSource>,
    /// What is demanded.
    pub gate: Gate,
}

impl Intake {
    /// Demands nothing.
    pub fn new(kind: KindChoice) -> Self {
        Self {
            kind,
            wit: None,
            gate: Gate::default(),
        }
    }
}

/// Facts about an input that is a program.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Facts {
    /// Whether the input was in the text format.
    pub from_text: bool,
    /// How a core module became a component; `None` if it did not.
    pub adapter: Option<Adapter>,
    /// The kind that a core module became, and why.
    pub choice: Option<Choice>,
    /// The component types that edgec added to a core module, if the user named them.
    pub added: Option<AddedTypes>,
    /// The program's kind.
    pub kind: ProgramKind,
    /// Its length in bytes.
    pub length: usize,
    /// What it imports and exports.
    pub interface: Interface,
    /// What an instance of it needs.
    pub resources: Resources,
}
