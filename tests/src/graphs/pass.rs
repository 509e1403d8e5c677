//! The pass under test: the only place here that calls it.

use std::collections::BTreeMap;

use edgec_compiler::{Reads, ValidComponent};
use edgec_fuzz::{DEFECTS, merged};
use wasmparser::{Instance, Parser, Payload};

/// A component after the pass.
pub struct Flattened {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The number of core instances that were not merged, by the code of the reason.
    pub kept: BTreeMap<String, usize>,
    /// A reason that would be a defect of edgec.
    pub defect: Option<String>,
}

/// The pass, or a replacement. Modules that the optimizer cannot read are not merged with others.
pub type Flatten = fn(&ValidComponent, Reads) -> Flattened;

/// Merges core modules as edgec's builds do: unused exports are removed before. No module is
/// optimized.
pub fn flatten(program: &ValidComponent, reads: Reads) -> Flattened {
    let optimized = merged(program.clone(), reads);
    let mut kept = BTreeMap::new();
    let mut defect = None;
    for instance in optimized.flattened.iter().flat_map(|report| &report.kept) {
        *kept.entry(instance.reason.code().to_owned()).or_default() += 1;
        if DEFECTS.contains(&instance.reason) {
            defect = Some(instance.reason.code().to_owned());
        }
    }
    Flattened {
        bytes: optimized.component.bytes().to_vec(),
        kept,
        defect,
    }
}

/// How many instances of core modules a component makes, at every depth of its text.
pub fn instances(component: &[u8]) -> usize {
    let payloads = Parser::new(0).parse_all(component).map_while(Result::ok);
    let sections = payloads.filter_map(|payload| match payload {
        Payload::InstanceSection(section) => Some(section),
        _ => None,
    });
    let entries = sections.flat_map(|section| section.into_iter().flatten());
    entries
        .filter(|instance| matches!(instance, Instance::Instantiate { .. }))
        .count()
}
