//! Reads from an artifact what the page shows.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;

use edgec_artifact::elf::ElfImage;
use edgec_artifact::{Artifact as File, Manifest};
use edgec_builder::unverified;
use edgec_compiler::LoadItem;
use edgec_pages::report::{
    Artifact, Check, Code, Finding, Function, Module, Outcome, Part, Read, Trust as Examined,
};
use edgec_verifier::{Status, examine};

use crate::cold_start::ColdStart;
use crate::commands::diff::Opened;
use crate::commands::inspect;
use crate::failure::Failure;
use crate::failures::builder::table_failure;
use crate::failures::verifier::verify_failure_of;
use crate::render::{self, safe};
use crate::trust::Trust;
use crate::{exports, time, workers};

/// The most parts of a description that have a row.
const MAX_DESCRIBED: usize = 500;

/// An artifact as the page shows it. `file` are all of its bytes.
pub(super) fn artifact(
    file: &[u8],
    opened: &Opened<'_>,
    trust: Examined,
) -> Result<Artifact, Failure> {
    let manifest = &opened.manifest;
    let shown = &opened.side.artifact;
    let rejected =
        |code, error: &dyn std::error::Error| Failure::rejected(code, error).about_safe(shown);
    let decoded = File::decode(file).map_err(|error| rejected("layout", &error))?;
    let elf = ElfImage::parse(opened.bytes).map_err(|error| rejected("image", &error))?;
    let info = opened.image.section(".wasmtime.info");
    let cold_start = ColdStart::of_image(&manifest.engine.version, info, manifest.kind);
    let findings = cold_start
        .listed()
        .map(|(rule, message, nanoseconds)| Finding {
            rule: rule.to_owned(),
            message: message.to_owned(),
            nanoseconds,
        });
    let signatures = decoded.envelope().signatures().iter();
    Ok(Artifact {
        file: shown.clone(),
        name: safe(&manifest.name),
        version: inspect::version(manifest),
        target: safe(&manifest.target.id),
        facts: facts(manifest),
        length: file.len() as u64,
        parts: parts(&elf, opened, file.len() as u64)?,
        code: code(opened),
        cold_start: findings.collect(),
        cold_start_unknown: cold_start.unknown_because().map(str::to_owned),
        imports: manifest
            .capabilities
            .imports
            .iter()
            .map(|it| safe(it))
            .collect(),
        exports: match exports::names(manifest, &opened.image) {
            Ok(names) => Ok(names.iter().map(|it| safe(it)).collect()),
            Err(failure) => Err(safe(failure.message())),
        },
        key_ids: signatures.map(|it| safe(it.key_id())).collect(),
        trust,
    })
}

fn facts(manifest: &Manifest) -> Vec<(&'static str, String)> {
    vec![
        ("application", render::cell(&manifest.name)),
        ("version", inspect::version(manifest)),
        ("kind", manifest.kind.name().to_owned()),
        ("target", inspect::target(manifest)),
        ("CPU features", inspect::cpu_features(manifest)),
        ("engine", inspect::engine(manifest)),
        ("validity", inspect::validity(manifest)),
        ("input", inspect::bytes(&manifest.source.input)),
        ("optimized", inspect::bytes(&manifest.source.optimized)),
        ("image sha256", manifest.image.sha256.to_string()),
        ("image fs-verity", manifest.image.fsverity.to_string()),
        ("resources", inspect::resources(manifest)),
        ("built by", inspect::builders(manifest).join("; ")),
    ]
}

/// The parts of a file: the sections, what lies between them, and the envelope.
fn parts(elf: &ElfImage, opened: &Opened<'_>, file: u64) -> Result<Vec<Part>, Failure> {
    let image = opened.bytes.len() as u64;
    let description = description(opened)?;
    let sections = elf.sections.iter();
    let in_sections = sections.fold(0, |sum: u64, it| sum.saturating_add(it.size));
    let part = |name: &str, bytes, read| Part {
        name: name.to_owned(),
        bytes,
        read,
        is_code: name == ".text",
        parts: match name {
            ".wasmtime.info" => description.clone(),
            _ => Vec::new(),
        },
    };
    let mut parts: Vec<Part> = elf
        .sections
        .iter()
        .map(|it| part(&safe(&it.name), it.size, read_when(&it.name)))
        .collect();
    let between = image.saturating_sub(in_sections);
    let never = Read::Later("headers at a load, and room between sections");
    parts.push(part("headers and gaps", between, never));
    let envelope = Read::AtLoad("at each load: manifest and signatures");
    parts.push(part("(envelope)", file.saturating_sub(image), envelope));
    Ok(parts)
}

/// The parts of the description that the engine decodes, the largest first.
fn description(opened: &Opened<'_>) -> Result<Vec<(String, u64)>, Failure> {
    let program = workers::program()?;
    let parts = unverified::load_parts(&program, &opened.manifest, &opened.image);
    let mut parts =
        parts.map_err(|error| table_failure("image", &error).about_safe(&opened.side.artifact))?;
    parts.sort_by_key(|part| (Reverse(part.bytes), part.item));
    let more: u64 = parts.iter().skip(MAX_DESCRIBED).map(|it| it.bytes).sum();
    parts.truncate(MAX_DESCRIBED);
    let named = parts.iter().map(|part| {
        let name = match part.item {
            LoadItem::Component => "the component".to_owned(),
            LoadItem::Types => "types".to_owned(),
            LoadItem::Functions => "places of functions".to_owned(),
            LoadItem::Module(number) => match opened.code.module(number) {
                Some(name) => format!("core module {number} {}", safe(name)),
                None => format!("core module {number}"),
            },
            _ => "something else".to_owned(),
        };
        (name, part.bytes)
    });
    let more = (more > 0).then(|| ("smaller parts".to_owned(), more));
    Ok(named.chain(more).collect())
}

/// When a host reads a section.
///
/// Source: `wasmtime` 48, `runtime/code_memory.rs` (`CodeMemory::new`: what it does with each
/// section), `engine/serialization.rs` (`check_compatible`).
fn read_when(section: &str) -> Read {
    match section {
        ".wasmtime.engine" => Read::AtLoad("at each load: compared with the host's engine"),
        ".wasmtime.info" => Read::AtLoad("at each load: decoded whole, which is most of a load"),
        ".wasmtime.bti" | ".shstrtab" | ".strtab" | ".symtab" => {
            Read::AtLoad("at each load: names and marks of sections")
        }
        ".text" => Read::Later("when the code runs, a page at a time"),
        ".rodata.wasm" => Read::Later("when an instance uses the data, a page at a time"),
        ".wasmtime.traps" | ".wasmtime.addrmap" | ".wasmtime.frames" => Read::Later("after a trap"),
        ".wasmtime.exceptions" => Read::Later("when the program throws"),
        ".wasmtime.stackmap" => Read::Later("when garbage is collected"),
        ".name.wasm" | ".wasmtime.dwarf" => Read::Later("for a backtrace"),
        _ => Read::Later("when it is used"),
    }
}

/// The functions by module. Functions that share their code are one.
fn code(opened: &Opened<'_>) -> Code {
    let mut modules: BTreeMap<u32, Module> = BTreeMap::new();
    let mut last: Option<(u64, u64, u32)> = None;
    // They are sorted by their place, and share all of their code or nothing.
    for function in opened.code.functions() {
        let place = (function.start, function.size);
        if let Some((start, size, module)) = last {
            let first = modules.get_mut(&module).filter(|_| place == (start, size));
            if let Some(first) = first.and_then(|module| module.functions.last_mut()) {
                first.shared = first.shared.saturating_add(1);
                continue;
            }
        }
        last = Some((function.start, function.size, function.module));
        let module = modules.entry(function.module).or_insert_with(|| Module {
            number: function.module,
            name: opened.code.module(function.module).map(safe),
            functions: Vec::new(),
        });
        module.functions.push(Function {
            index: function.index,
            name: function.name.as_deref().map(shown),
            bytes: function.size,
            shared: 0,
        });
    }
    Code {
        modules: modules.into_values().collect(),
        is_named: opened.code.is_named(),
    }
}

/// A function's name as people write it.
fn shown(name: &str) -> String {
    crate::bounds::excerpt(rustc_demangle::demangle(name), 400)
}

/// What the verifier says about a file. The failure is that of an artifact that it refuses.
///
/// # Errors
///
/// The machine has no clock.
pub(super) fn trust(
    path: &Path,
    file: &[u8],
    trust: &Trust,
) -> Result<(Examined, Option<Failure>), Failure> {
    let (checks, accepted, failure) =
        match examine(file, &trust.policy, &trust.expected, time::now()?) {
            Ok(artifact) => (
                artifact.checks().to_vec(),
                artifact.accepted().to_vec(),
                None,
            ),
            Err(rejection) => {
                let failure = verify_failure_of(&rejection.error, file).in_file(path);
                (rejection.checks, Vec::new(), Some(failure))
            }
        };
    let policy = match trust.report.without() {
        Some(without) => without.to_owned(),
        None => trust.report.text(),
    };
    let examined = Examined::Examined {
        policy: safe(&policy),
        accepted: failure.is_none(),
        error: failure.as_ref().map(|it| it.message().to_owned()),
        signed_by: accepted
            .iter()
            .map(|it| (safe(&it.key_name), it.key_id.to_string()))
            .collect(),
        checks: checks
            .iter()
            .map(|it| Check {
                name: it.name.name().to_owned(),
                outcome: match it.status {
                    Status::Passed => Outcome::Passed,
                    Status::Failed => Outcome::Failed,
                    Status::Warned => Outcome::Warned,
                    // A status that is not known is no success.
                    _ => Outcome::NotMade,
                },
                word: it.status.word().to_owned(),
                evidence: safe(&it.evidence),
            })
            .collect(),
    };
    Ok((examined, failure))
}
