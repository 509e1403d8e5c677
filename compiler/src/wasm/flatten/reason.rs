//! Why a core instance is not merged. Each variant is one check.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a core instance stays as it is. The program alone decides, so a rebuild finds the same
/// reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Reason {
    /// Its core module is imported, or belongs to a component further out.
    DefinedElsewhere,
    /// Its core module is instantiated more than once. Merging would copy the code.
    InstantiatedAgain,
    /// The component exports or passes core modules, or a component in it uses them, by index.
    ModulesByIndex,
    /// The component has more imports among its core modules than are followed, or so many runs of
    /// instances that following them for each run would take long; or a merged module would have
    /// more items of a kind than a module may have.
    TooLarge,
    /// This stage cannot read its core module.
    Unread,
    /// The optimizer cannot read its core module, but can read the others; or the other way round.
    /// In one module, none of them would be optimized.
    Unoptimizable,
    /// It has a shared memory, which other threads may see while it is set up.
    SharedMemory,
    /// One of its segments may be out of bounds, or one of its first values is an array that may be
    /// too large. The trap must come at the same moment.
    SegmentMayTrap,
    /// A constant expression takes a global whose value is not a constant.
    GlobalNotConstant,
    /// A start function runs before its segments are written.
    SegmentsAfterStart,
    /// Its start function runs after some slots were filled, and before others are.
    StartBetweenFills,
    /// Its start function would run in one task with another one, and might find that out.
    OneTask,
    /// It imports something of an instance that is not merged and depends on merged ones.
    ThroughAnother,
    /// The merged module would have more memories than any of its parts. A pool allows few.
    Memories,
    /// The merged module would have more tables than any of its parts. A pool allows few.
    Tables,
    /// The state of an instance of the merged module would be larger than a pool allows.
    InstanceSize,
    /// A function that the slots would hold has a type with references.
    SlotType,
    /// More slots would be necessary than a table in a pool may have elements.
    Slots,
    /// Merging would not leave fewer core modules.
    NoGain,
    /// So many instances cannot be merged that the search for the others was given up.
    TooManyReasons,
    /// The merged component is invalid. This is a defect of edgec.
    Invalid,
    /// The merged component has another type. This is a defect of edgec.
    OtherType,
    /// The merged component uses features that the program does not use.
    MoreFeatures,
}

impl Reason {
    /// Every reason.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 23] = [
        Self::DefinedElsewhere,
        Self::InstantiatedAgain,
        Self::ModulesByIndex,
        Self::TooLarge,
        Self::Unread,
        Self::Unoptimizable,
        Self::SharedMemory,
        Self::SegmentMayTrap,
        Self::GlobalNotConstant,
        Self::SegmentsAfterStart,
        Self::StartBetweenFills,
        Self::OneTask,
        Self::ThroughAnother,
        Self::Memories,
        Self::Tables,
        Self::InstanceSize,
        Self::SlotType,
        Self::Slots,
        Self::NoGain,
        Self::TooManyReasons,
        Self::Invalid,
        Self::OtherType,
        Self::MoreFeatures,
    ];

    /// The name of the check, for machines.
    pub const fn code(self) -> &'static str {
        match self {
            Self::DefinedElsewhere => "defined-elsewhere",
            Self::InstantiatedAgain => "instantiated-again",
            Self::ModulesByIndex => "modules-by-index",
            Self::TooLarge => "too-large",
            Self::Unread => "unread",
            Self::Unoptimizable => "unoptimizable",
            Self::SharedMemory => "shared-memory",
            Self::SegmentMayTrap => "segment-may-trap",
            Self::GlobalNotConstant => "global-not-constant",
            Self::SegmentsAfterStart => "segments-after-start",
            Self::StartBetweenFills => "start-between-fills",
            Self::OneTask => "one-task",
            Self::ThroughAnother => "through-another",
            Self::Memories => "memories",
            Self::Tables => "tables",
            Self::InstanceSize => "instance-size",
            Self::SlotType => "slot-type",
            Self::Slots => "slots",
            Self::NoGain => "no-gain",
            Self::TooManyReasons => "too-many-reasons",
            Self::Invalid => "invalid",
            Self::OtherType => "other-type",
            Self::MoreFeatures => "more-features",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DefinedElsewhere => "it comes from outside the component",
            Self::InstantiatedAgain => "it is instantiated more than once",
            Self::ModulesByIndex => "the component passes core modules on",
            Self::TooLarge => "the component, or a merged core module, has too many items",
            Self::Unread => "it has parts that edgec cannot merge",
            Self::Unoptimizable => "the optimizer can read only some of the core modules",
            Self::SharedMemory => "it has a shared memory",
            Self::SegmentMayTrap => "one of its segments or first values may trap",
            Self::GlobalNotConstant => "it needs a global's value before that value is known",
            Self::SegmentsAfterStart => "a start function runs before its segments are written",
            Self::StartBetweenFills => {
                "its start function runs while only some functions are linked"
            }
            Self::OneTask => "its start function needs a task of its own",
            Self::ThroughAnother => "it depends on merged core modules through one that stays",
            Self::Memories => "a merged core module would have more memories than a pool allows",
            Self::Tables => "a merged core module would have more tables than a pool allows",
            Self::InstanceSize => "an instance would need more memory than a pool allows",
            Self::SlotType => "a function that must be linked late has references in its type",
            Self::Slots => "too many functions must be linked late",
            Self::NoGain => "merging would not leave fewer core modules",
            Self::TooManyReasons => "too many core modules cannot be merged",
            Self::Invalid => "the merged component was not valid",
            Self::OtherType => "the merged component had another type",
            Self::MoreFeatures => "the merged component would need more WebAssembly features",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_reason_has_a_code_and_a_sentence_of_its_own() {
        let codes: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        let sentences: BTreeSet<String> = Reason::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        assert_eq!(sentences.len(), Reason::ALL.len());
    }

    #[test]
    fn the_document_explains_every_reason() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let text = std::fs::read_to_string(root.join("docs/flatten.md")).unwrap();
        // An entry of the list names one reason, or several.
        let entries = text.lines().filter(|line| line.starts_with("- `"));
        let heads = entries.filter_map(|line| line.split_once("`: "));
        let explained: BTreeSet<&str> = heads
            .flat_map(|(head, _)| head.trim_start_matches("- `").split("`, `"))
            .collect();
        let codes: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(explained, codes);
    }
}
