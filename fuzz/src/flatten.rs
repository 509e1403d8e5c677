//! How the core modules of a component are merged.

mod bulk;
mod component;
mod machine;
mod module;
mod plain;
mod steps;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use edgec_compiler::{
    FlattenReason, KindChoice, Level, Optimized, Optimizer, Reads, Runs, Tool, ValidComponent,
    adapt, optimize, read, validate,
};
use edgec_graphs::{Choices, graph};

/// Reasons that no component should give: each would be a defect of edgec.
pub const DEFECTS: [FlattenReason; 2] = [FlattenReason::Invalid, FlattenReason::OtherType];

/// The bytes are the decisions that make a component. The merged component is valid, has the same
/// imports and exports, and does the same in an interpreter. The result is the same each time.
pub fn flatten(data: &[u8]) {
    let text = graph(&mut Choices::of_tape(data.iter().copied().map(u32::from)));
    let input = read(text.into_bytes()).expect("a text");
    // The engine refuses some components.
    let Ok(adapted) = adapt(input, KindChoice::Component) else {
        return;
    };
    let program = adapted.component;
    let before = component::run(program.bytes());
    for reads in [Reads::Binaryen116, Reads::Everything] {
        let merged = merged(program.clone(), reads);
        let after = &merged.component;
        validate(after.bytes().to_vec()).expect("a valid component");
        assert_eq!(after.interface(), program.interface());
        let Some(report) = &merged.flattened else {
            continue;
        };
        let defect = |reason| report.kept.iter().any(|kept| kept.reason == reason);
        assert!(!DEFECTS.into_iter().any(defect), "{report:?}");
        assert!(report.modules.after <= report.modules.before);
        if let Some((before, after)) = before.as_ref().zip(component::run(after.bytes())) {
            same(before, &after);
        }
        let again = self::merged(program.clone(), reads);
        assert_eq!(again.component.bytes(), after.bytes());
        assert_eq!(again.flattened, merged.flattened);
    }
}

/// Compares what two components did, until one of them came to no end.
fn same(before: &[String], after: &[String]) {
    for (one, other) in before.iter().zip(after) {
        if [one, other]
            .iter()
            .any(|line| *line == component::EXHAUSTED)
        {
            return;
        }
        assert_eq!(one, other);
    }
    let ends = |log: &[String]| log.last().is_none_or(|line| line != component::EXHAUSTED);
    assert!(before.len() == after.len() || !ends(before) || !ends(after));
}

/// The component with merged core modules. The optimizer returns every module as it is, and reads
/// what `reads` says.
pub fn merged(program: ValidComponent, reads: Reads) -> Optimized {
    let optimizer = Optimizer {
        program: PathBuf::new(),
        arguments: Vec::new(),
        tool: Tool::Binaryen,
        version: String::new(),
        timeout: Duration::from_secs(600),
        memory: 8 << 30,
        reads,
        spared: BTreeSet::new(),
        runs: Runs::By(|module, _| Ok(module.to_vec())),
        answers: None,
    };
    optimize(program, Level::O1, &optimizer, |_, _| {}).expect("an optimizer that never fails")
}
