//! Known faults of the engine's code generation that affect this build's programs.

use edgec_compiler::ValidComponent;
use edgec_verifier::{ENGINE_VERSION, SHIPPED};
use serde::Serialize;

use crate::failures::verifier::remedy;
use crate::naming::Job;

/// An advisory, and a target whose code it affects.
#[derive(Serialize)]
pub(super) struct Concern {
    target: &'static str,
    id: &'static str,
    title: &'static str,
    effect: &'static str,
    remedy: String,
}

/// The advisories that affect the code of a program, for each target of its job.
pub(super) fn of(job: &Job, program: &ValidComponent) -> Vec<Concern> {
    let features = &program.feature_names();
    let concerns = job.outputs.iter().flat_map(|(target, _)| {
        let by_shape = |id| program.advisories().any(|it| it == id);
        let concerning = SHIPPED.iter().filter(move |a| {
            a.concerns(ENGINE_VERSION, target.triple(), features) || by_shape(a.id)
        });
        concerning.map(|advisory| Concern {
            target: target.id,
            id: advisory.id,
            title: advisory.title,
            effect: advisory.effect,
            remedy: remedy(advisory),
        })
    });
    concerns.collect()
}

/// Prints one warning for each advisory, whatever the number of targets.
pub(super) fn print(concerns: &[Concern], input: &str) {
    for (place, concern) in concerns.iter().enumerate() {
        let mut told = concerns.iter().take(place);
        if told.any(|it| it.id == concern.id) {
            continue;
        }
        let all = concerns.iter().filter(|it| it.id == concern.id);
        let targets: Vec<&str> = all.map(|it| it.target).collect();
        eprintln!(
            "warning: {input}: {} concerns the code for {}: {}: {}",
            concern.id,
            targets.join(" and "),
            concern.title,
            concern.effect
        );
        eprintln!(
            "  hint: {} (`edgec advisories {}`)",
            concern.remedy, concern.id
        );
    }
}
