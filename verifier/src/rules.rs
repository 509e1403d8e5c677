//! The policy's own rules. They apply once the signed bytes are known.
//!
//! A rule looks at the manifest, the clock, and the caller's expectations; one rule looks at the
//! code. Every rule is checked, whatever the results of the others, so a report names everything
//! that is wrong with an artifact.
//!
//! More than 400 lines: one list of rules, each a short function.

use edgec_artifact::{Manifest, Sha256Digest, UnixTime};

use crate::TrustPolicy;
use crate::advisories::SHIPPED;
use crate::check::{CheckName, Mode, Status};
use crate::checks::Checks;
use crate::engine_version::EngineVersion;
use crate::error::{VerifyError, error_chain};
use crate::expected::Expected;
use crate::pattern::{self, Pattern};
use crate::policy::channel;
use crate::release::Companions;

/// The input of the rules.
pub(crate) struct Facts<'a> {
    pub(crate) image: &'a [u8],
    pub(crate) manifest: &'a Manifest,
    pub(crate) expected: &'a Expected,
    pub(crate) now: UnixTime,
    /// SHA-256 of the envelope's payload.
    pub(crate) payload: Sha256Digest,
    pub(crate) companions: &'a Companions,
}

/// A rule's result for an artifact.
enum Finding {
    /// The rule holds. The text is the evidence.
    Good(String),
    /// Neither policy nor artifact state anything to compare. The text says why.
    Nothing(String),
}

type Judgement = Result<Finding, VerifyError>;
type Rule = fn(&TrustPolicy, &Facts<'_>) -> Judgement;

/// Every check that has a mode, with its rule, in the order of reports.
const RULES: [(CheckName, Rule); CheckName::WITH_MODE.len()] = [
    (CheckName::Application, application),
    (CheckName::Channel, in_channel),
    (CheckName::Target, target),
    (CheckName::Version, version),
    (CheckName::Revocation, revocation),
    (CheckName::Compiler, compiler),
    (CheckName::Builder, builder),
    (CheckName::Advisories, advisory),
    (CheckName::Profile, profile),
    (CheckName::Imports, imports),
    (CheckName::Validity, validity),
    (CheckName::Expiry, expiry),
    (CheckName::Audit, audit),
    (CheckName::Provenance, provenance),
    (CheckName::Release, release),
    (CheckName::Freshness, freshness),
    (CheckName::Notary, notary),
    (CheckName::Log, log),
];

/// Checks every rule. The first enforced rule that does not hold is the error.
pub(crate) fn decide(
    policy: &TrustPolicy,
    facts: &Facts<'_>,
    checks: &mut Checks,
) -> Result<(), VerifyError> {
    decide_some(policy, facts, checks, |_| true)
}

/// Like [`decide`], without the rule that reads the image.
pub(crate) fn decide_ahead(
    policy: &TrustPolicy,
    facts: &Facts<'_>,
    checks: &mut Checks,
) -> Result<(), VerifyError> {
    decide_some(policy, facts, checks, |name| name != CheckName::Audit)
}

fn decide_some(
    policy: &TrustPolicy,
    facts: &Facts<'_>,
    checks: &mut Checks,
    is_asked: impl Fn(CheckName) -> bool,
) -> Result<(), VerifyError> {
    // The policy's modes do not apply to the caller's expectations.
    let rules = RULES.map(|(name, rule)| (name, rule, policy.mode(name)));
    let first: [(CheckName, Rule, Mode); 1] = [(CheckName::Expected, expected, Mode::Enforce)];
    let all = first.into_iter().chain(rules);
    let mut refused = None;
    for (name, rule, mode) in all.filter(|(name, ..)| is_asked(*name)) {
        if mode == Mode::Off {
            checks.record(name, Status::Off, "by the policy".to_owned());
            continue;
        }
        match rule(policy, facts) {
            Ok(Finding::Good(evidence)) => checks.record(name, Status::Passed, evidence),
            Ok(Finding::Nothing(why)) => checks.record(name, Status::NotApplicable, why),
            Err(error) if mode == Mode::Warn => {
                checks.record(name, Status::Warned, error_chain(&error));
            }
            Err(error) => {
                let error = checks.failed(name, error);
                refused = refused.or(Some(error));
            }
        }
    }
    refused.map_or(Ok(()), Err)
}

fn expected(_: &TrustPolicy, facts: &Facts<'_>) -> Judgement {
    let mut asked = Vec::new();
    if let Some(wanted) = facts.expected.wanted_application() {
        let found = &facts.manifest.name;
        if wanted != found {
            return Err(VerifyError::OtherApplication {
                found: found.clone(),
                wanted: wanted.to_owned(),
            });
        }
        asked.push(format!("application `{found}`"));
    }
    if let Some(wanted) = facts.expected.wanted_channel() {
        let found = channel(facts.manifest);
        if wanted != found {
            return Err(VerifyError::OtherChannel {
                found: found.to_owned(),
                wanted: wanted.to_owned(),
            });
        }
        asked.push(format!("channel `{found}`"));
    }
    Ok(match asked.as_slice() {
        [] => Finding::Nothing("no application was named".to_owned()),
        _ => Finding::Good(format!("{}, as asked for", asked.join(" of "))),
    })
}

/// Compares with a list of the policy, if there is one.
fn in_list(
    list: Option<&[Pattern]>,
    found: &str,
    error: impl FnOnce(String) -> VerifyError,
) -> Judgement {
    let Some(patterns) = list else {
        return Ok(unlimited(found));
    };
    let list = pattern::join(patterns);
    if pattern::allows(Some(patterns), found) {
        return Ok(Finding::Good(format!("`{found}` is allowed by {list}")));
    }
    Err(error(list))
}

fn unlimited(found: &str) -> Finding {
    Finding::Nothing(format!("`{found}`; not limited"))
}

fn application(policy: &TrustPolicy, facts: &Facts<'_>) -> Judgement {
    let found = &facts.manifest.name;
    let list = policy.allow.applications.as_deref();
    in_list(list, found, |wanted| VerifyError::Application {
        found: found.clone(),
        wanted,
    })
}

fn in_channel(policy: &TrustPolicy, facts: &Facts<'_>) -> Judgement {
    let found = channel(facts.manifest);
    let list = policy.allow.channels.as_deref();
    if list.is_none() && found.is_empty() {
        return Ok(Finding::Nothing("none is stated".to_owned()));
    }
    let finding = in_list(list, found, |wanted| VerifyError::Channel {
        found: found.to_owned(),
        wanted,
    })?;
    Ok(match finding {
        Finding::Good(_) if found.is_empty() => {
            let list = pattern::join(list.unwrap_or_default());
            Finding::Good(format!("none is stated, which {list} allows"))
        }
        finding => finding,
    })
}

fn target(policy: &TrustPolicy, facts: &Facts<'_>) -> Judgement {
    let target = &facts.manifest.target;
    let found = &target.id;
    let Some(patterns) = policy.allow.targets.as_deref() else {
        return Ok(unlimited(found));
    };
    let allowed = pattern::join(patterns);
    match pattern::allows_target(Some(patterns), target) {
        true => Ok(Finding::Good(format!("`{found}` is allowed by {allowed}"))),
        false => Err(VerifyError::Target {
            found: found.clone(),
            allowed,
        }),
    }
}

fn profile(policy: &TrustPolicy, facts: &Facts<'_>) -> Judgement {
    let found = &facts.manifest.engine.profile;
    in_list(policy.allow.profiles.as_deref(), found, |allowed| {
        VerifyError::Profile {
            found: found.clone(),
            allowed,
        }
    })
}

fn imports(policy: &TrustPolicy, facts: &Facts<'_>) -> Judgement {
    let imports = &facts.manifest.capabilities.imports;
    let Some(patterns) = policy.allow.imports.as_deref() else {
        let why = format!("{} imports; not limited", imports.len());
        return Ok(Finding::Nothing(why));
    };
    let refused = policy.refused_imports(imports);
    if refused.is_empty() {
        let (count, list) = (imports.len(), pattern::join(patterns));
        let evidence = format!("{count} imports, as signed, allowed by {list}");
        return Ok(Finding::Good(evidence));
    }
    Err(VerifyError::Import { imports: refused })
}

fn version(policy: &TrustPolicy, facts: &Facts<'_>) -> Judgement {
    let (application, found) = (&facts.manifest.name, facts.manifest.version);
    match policy.minimum_versions.get(application) {
        None => Ok(Finding::Nothing(format!(
            "{found}; no minimum for `{application}`"
        ))),
        Some(minimum) if found >= *minimum => Ok(Finding::Good(format!(
            "{found}, at least {minimum} is accepted"
        ))),
        Some(minimum) => Err(VerifyError::Rollback {
            application: application.clone(),
            found,
            minimum: *minimum,
        }),
    }
}

fn revocation(policy: &TrustPolicy, facts: &Facts<'_>) -> Judgement {
    let digest = facts.manifest.image.fsverity;
    if let Some(reason) = policy.revoked_digests.get(&digest) {
        let reason = reason.clone();
        return Err(VerifyError::RevokedDigest { digest, reason });
    }
    Ok(match policy.revoked_digests.len() {
        0 => Finding::Nothing("no image is revoked".to_owned()),
        count => Finding::Good(format!("not among the {count} revoked images")),
    })
}

fn compiler(policy: &TrustPolicy, facts: &Facts<'_>) -> Judgement {
    let rules = &policy.compiler;
    let engine = &facts.manifest.engine;
    let found = &engine.version;
    let made = format!("{} {found}", engine.name);
    if rules.minimum.is_none() && rules.denied.is_empty() {
        let why = format!("{made}; no rule about it");
        return Ok(Finding::Nothing(why));
    }
    let version = engine_version(found)?;
    if let Some(minimum) = rules.minimum.filter(|minimum| version < *minimum) {
        let found = version;
        return Err(VerifyError::CompilerVersion { found, minimum });
    }
    let target = &facts.manifest.target;
    let denied = rules.denied.iter().find(|denied| {
        denied.range.contains(version) && pattern::allows_target(denied.targets.as_deref(), target)
    });
    if let Some(denied) = denied {
        return Err(VerifyError::CompilerDenied {
            found: found.clone(),
            range: denied.range.to_string(),
            reason: denied.reason.clone(),
        });
    }
    let lowest = rules.minimum.iter();
    let lowest: String = lowest
        .map(|m| format!(", at least {m} is accepted"))
        .collect();
    let denied = match rules.denied.len() {
        0 => String::new(),
        count => format!(", in none of {count} denied ranges"),
    };
    Ok(Finding::Good(format!("{made} (as signed){lowest}{denied}")))
}

fn builder(policy: &TrustPolicy, facts: &Facts<'_>) -> Judgement {
    let stated = &facts.manifest.builder.edgec;
    let Some(minimum) = policy.builder_minimum else {
        return Ok(Finding::Nothing(format!(
            "edgec {stated}; no rule about it"
        )));
    };
    let found: EngineVersion = stated.parse().map_err(|_| VerifyError::BuilderUnknown {
        found: stated.clone(),
    })?;
    match found >= minimum {
        true => Ok(Finding::Good(format!(
            "edgec {found} (as signed), at least {minimum} is accepted"
        ))),
        false => Err(VerifyError::BuilderVersion { found, minimum }),
    }
}

fn engine_version(found: &str) -> Result<EngineVersion, VerifyError> {
    found.parse().map_err(|_| VerifyError::CompilerUnknown {
        found: found.to_owned(),
    })
}

fn advisory(policy: &TrustPolicy, facts: &Facts<'_>) -> Judgement {
    if !policy.compiler.advisories {
        let why = "the shipped advisories are not included";
        return Ok(Finding::Nothing(why.to_owned()));
    }
    let found = &facts.manifest.engine.version;
    let target = &facts.manifest.target;
    let version = engine_version(found)?;
    let features = &facts.manifest.wasm_features;
    let concerning = SHIPPED
        .iter()
        .find(|advisory| advisory.concerns(version, &target.triple, features));
    if let Some(advisory) = concerning {
        return Err(VerifyError::Advisory {
            found: found.clone(),
            target: target.id.clone(),
            id: advisory.id,
            title: advisory.title,
        });
    }
    Ok(Finding::Good(format!(
        "none of the {} that this edgec ships concerns wasmtime {found} for {} (as signed)",
        SHIPPED.iter().filter(|it| it.shape.is_none()).count(),
        target.id
    )))
}

fn validity(_: &TrustPolicy, facts: &Facts<'_>) -> Judgement {
    let now = facts.now;
    let validity = facts.manifest.validity.unwrap_or_default();
    match (validity.not_before, validity.expires) {
        (Some(not_before), _) if now < not_before => {
            Err(VerifyError::NotYetValid { not_before, now })
        }
        (_, Some(expires)) if now >= expires => Err(VerifyError::Expired { expires, now }),
        (None, None) => Ok(Finding::Nothing("no limits stated".to_owned())),
        (Some(from), Some(until)) => Ok(Finding::Good(format!("from {from} until {until}"))),
        (Some(from), None) => Ok(Finding::Good(format!("from {from} on; does not expire"))),
        (None, Some(until)) => Ok(Finding::Good(format!("no start date; expires at {until}"))),
    }
}

fn audit(policy: &TrustPolicy, facts: &Facts<'_>) -> Judgement {
    if !policy.compiler.audit {
        let why = "not asked for";
        return Ok(Finding::Nothing(why.to_owned()));
    }
    // The places where the engine enters are in a table that only the engine's crates can read.
    let report = crate::audit::audit(facts.image, facts.manifest, None);
    let report = report.map_err(|error| VerifyError::NotAudited {
        reason: error_chain(&error),
    })?;
    if let Some(first) = report.findings.first() {
        return Err(VerifyError::Audit {
            found: report.found,
            first: first.to_string(),
        });
    }
    Ok(Finding::Good(format!(
        "a lint of the code found nothing in {} instructions of {} functions; entry points not checked",
        report.instructions, report.functions
    )))
}

fn provenance(policy: &TrustPolicy, facts: &Facts<'_>) -> Judgement {
    let (expected, manifest) = (facts.expected, facts.manifest);
    let evidence = crate::provenance::judge(policy, expected, manifest, facts.now)?;
    Ok(demanded(evidence))
}

fn release(policy: &TrustPolicy, facts: &Facts<'_>) -> Judgement {
    let Facts {
        companions,
        expected,
        manifest,
        payload,
        ..
    } = *facts;
    let evidence = crate::release::release(policy, companions, expected, manifest, payload)?;
    Ok(demanded(evidence))
}

fn freshness(policy: &TrustPolicy, facts: &Facts<'_>) -> Judgement {
    let Facts {
        companions,
        expected,
        manifest,
        payload,
        now,
        ..
    } = *facts;
    let evidence = crate::release::freshness(policy, companions, expected, manifest, payload, now)?;
    Ok(demanded(evidence))
}

fn notary(policy: &TrustPolicy, facts: &Facts<'_>) -> Judgement {
    let (expected, manifest) = (facts.expected, facts.manifest);
    let evidence = crate::notary::judge(policy, expected, manifest, facts.payload, facts.now)?;
    Ok(demanded(evidence))
}

/// The finding about a statement that the policy may demand.
fn demanded(evidence: Option<String>) -> Finding {
    match evidence {
        Some(evidence) => Finding::Good(evidence),
        None => Finding::Nothing("not required".to_owned()),
    }
}

fn log(policy: &TrustPolicy, facts: &Facts<'_>) -> Judgement {
    Ok(
        match crate::log::judge(policy, facts.expected, facts.manifest)? {
            Some(evidence) => Finding::Good(evidence),
            None => Finding::Nothing("no log is named".to_owned()),
        },
    )
}

fn expiry(policy: &TrustPolicy, facts: &Facts<'_>) -> Judgement {
    if !policy.expiry_required {
        let why = "not required";
        return Ok(Finding::Nothing(why.to_owned()));
    }
    let stated = facts
        .manifest
        .validity
        .and_then(|validity| validity.expires);
    match stated {
        Some(expires) => Ok(Finding::Good(format!("{expires}, required"))),
        None => Err(VerifyError::NoExpiry),
    }
}
