//! Edits of a module that make it another program: what a wrong optimizer would do.
//!
//! They are apart from [`Sections`], which the generator also compiles and which has no use for
//! them.

use super::sections::{CODE, Sections, operators, sized};

impl Sections {
    /// The module without the last entry of that section, if it has one.
    pub fn without_last(&self, id: u8) -> Option<Self> {
        let mut entries = self.entries(id)?;
        entries.pop()?;
        Some(self.with_entries(id, &entries))
    }

    /// The module with `new` for every operator that begins with `old`, if it has functions.
    pub fn with_operator(&self, old: &[u8], new: &[u8]) -> Option<Self> {
        let bodies = self.entries(CODE)?;
        let bodies = bodies.iter().map(|body| {
            let (locals, operators) = operators(body)?;
            let operators = operators
                .iter()
                .map(|operator| match operator.starts_with(old) {
                    true => new,
                    false => operator.as_slice(),
                });
            let operators: Vec<&[u8]> = operators.collect();
            Some(sized(&[locals, operators.concat()].concat()))
        });
        let bodies: Option<Vec<_>> = bodies.collect();
        Some(self.with_entries(CODE, &bodies.expect("valid functions")))
    }
}
