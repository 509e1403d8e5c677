//! Known faults of the engine's code generation that affect this build's programs.

use edgec_compiler::{EngineProfile, ValidComponent};
use edgec_verifier::{Advisory, ENGINE_VERSION, SHIPPED};
use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::failures::verifier::{fix, remedy};
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

/// Checks the identifiers of advisories that the user allows.
pub(super) fn known(allowed: &[String]) -> Result<(), Failure> {
    let is_known = |id: &&String| SHIPPED.iter().any(|it| it.id.eq_ignore_ascii_case(id));
    match allowed.iter().find(|id| !is_known(id)) {
        Some(id) => Err(super::super::advisories::unknown(id)),
        None => Ok(()),
    }
}

/// Refuses code with a known fault for hosts of the edge, which run programs of many tenants. A
/// host that others use must not end because one program uses what its engine does wrong.
pub(super) fn refuse(
    build: &edgec_builder::Plan,
    allowed: &[String],
    program: &ValidComponent,
) -> Result<(), Failure> {
    if build.recipe.profile != EngineProfile::Edge {
        return Ok(());
    }
    let features = &program.feature_names();
    let concerning = |it: &&Advisory| {
        let mut targets = build.targets.iter();
        targets.any(|target| it.concerns(ENGINE_VERSION, target.triple(), features))
    };
    let is_allowed = |it: &&Advisory| allowed.iter().any(|id| it.id.eq_ignore_ascii_case(id));
    let mut found = SHIPPED
        .iter()
        .filter(concerning)
        .filter(|it| !is_allowed(it));
    let Some(advisory) = found.next() else {
        return Ok(());
    };
    let (id, title, effect) = (advisory.id, advisory.title, advisory.effect);
    let message =
        format!("{id} concerns the code, which is for the profile `edge`: {title}: {effect}");
    Err(
        Failure::new(Exit::Rejected, "advisory", message).hint(format!(
            "{} (`edgec advisories {id}`); --allow-advisory {id} builds it all the same",
            fix(advisory)
        )),
    )
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
