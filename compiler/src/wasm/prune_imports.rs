//! Removes the imports of a component that nothing in it uses, if the user asks for it.
//!
//! A program cannot call what it does not import, so a host need not grant it. Toolchains import
//! whole worlds, and Binaryen removes imports of core modules that their code does not use. Then
//! the functions that were lowered for them are left over, and so are the component's imports.
//!
//! What code may run or what a host may see stays, with everything that it uses: exports, core
//! modules and their instances, components and their instances, resource types with destructors.
//! Everything else is a definition without effects, and goes unless something that stays uses it.
//! Only the outermost component loses entries. An import of a component in it does not reach the
//! host.
//!
//! ```text
//! entries ─▶ live: what is used ─▶ write: without the others ─▶ validated, and the types compared
//! ```

mod encode;
mod entries;
mod live;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use self::entries::{Entries, Entry};
use self::live::{Live, live};
use self::write::without_others;
use crate::input::validate::validate_known;
use crate::wasm::same_types;
use crate::{ProgramKind, ValidComponent};

/// Why the unused imports of a component stay, although they should go. The program alone decides,
/// so a rebuild finds the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum NotPruned {
    /// The component has parts that this stage does not know.
    #[error("the component has parts that edgec cannot follow")]
    Unread,
    /// Without them, the component is invalid. This is a defect of edgec.
    #[error("without them, the component was not valid")]
    Invalid,
    /// Without them, more of the component's type changes than these imports. This is a defect of
    /// edgec.
    #[error("without them, the component had another type")]
    OtherType,
}

impl NotPruned {
    /// The name of the reason, for machines.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unread => "unread",
            Self::Invalid => "invalid",
            Self::OtherType => "other-type",
        }
    }
}

/// A program after this stage.
pub(crate) struct Pruned {
    pub(crate) program: ValidComponent,
    /// The names of the imports that were removed.
    pub(crate) removed: BTreeSet<String>,
    /// Why none was removed, if that is not because all are used.
    pub(crate) failed: Option<NotPruned>,
}

impl Pruned {
    /// A program that keeps all of its imports.
    pub(crate) fn nothing(program: ValidComponent) -> Self {
        Self {
            program,
            removed: BTreeSet::new(),
            failed: None,
        }
    }
}

/// Removes the unused imports of a component. Nothing else that a host can see changes. A core
/// module stays as it is: the optimizer removes its imports.
pub(crate) fn prune_imports(program: ValidComponent) -> Pruned {
    if program.kind() == ProgramKind::Module {
        return Pruned::nothing(program);
    }
    match without_unused(&program) {
        Ok(Some((program, removed))) => Pruned {
            program,
            removed,
            failed: None,
        },
        Ok(None) => Pruned::nothing(program),
        Err(reason) => Pruned {
            failed: Some(reason),
            ..Pruned::nothing(program)
        },
    }
}

/// The component without its unused imports, and their names. `None` if it uses all of them.
fn without_unused(
    program: &ValidComponent,
) -> Result<Option<(ValidComponent, BTreeSet<String>)>, NotPruned> {
    let entries = Entries::read(program.bytes()).ok_or(NotPruned::Unread)?;
    let live = live(&entries).ok_or(NotPruned::Unread)?;
    let removed = unused(&entries, &live);
    if removed.is_empty() {
        return Ok(None);
    }
    let bytes = without_others(&entries, &live).ok_or(NotPruned::Unread)?;
    let pruned = checked(program, bytes, &removed)?;
    Ok(Some((pruned, removed)))
}

/// The names of the imports that nothing uses.
fn unused(entries: &Entries<'_>, live: &Live) -> BTreeSet<String> {
    let imports = entries.items.iter().enumerate();
    let unused = imports.filter_map(|(number, item)| match &item.entry {
        Entry::Import(import) if !live.has(number) => Some(import.name.name.to_owned()),
        _ => None,
    });
    unused.collect()
}

/// The component of these bytes, if it is valid and differs from the one before only in that these
/// imports are missing.
fn checked(
    before: &ValidComponent,
    bytes: Vec<u8>,
    removed: &BTreeSet<String>,
) -> Result<ValidComponent, NotPruned> {
    // Function bodies do not change.
    let after = validate_known(bytes, before.code()).map_err(|_| NotPruned::Invalid)?;
    let (had, has) = (before.interface(), after.interface());
    let left: BTreeSet<String> = had.imports.difference(removed).cloned().collect();
    let is_same = has.imports == left
        && has.exports == had.exports
        && same_types::is_subtype(after.bytes(), before.bytes());
    match is_same {
        true => Ok(after),
        false => Err(NotPruned::OtherType),
    }
}
