//! The lint of an image, from `.wasmtime.info`, the image's own description for the engine.
//!
//! It says what the engine will do with this very image, but less about the reasons: for example,
//! the code that fills a table no longer shows the segments. The image may be unverified, so this
//! runs only in a worker ([`super::process`]).
//!
//! Source: `wasmtime-environ` 48, `module.rs`.

use wasmtime_environ::{Abi, CompiledFunctionsTable, FuncKey, Module, ModuleStartup};

use super::program::Wiring;
use super::{Cause, CoreModule, Finding, Item, Loss, Reason, Rule, Work, finding_name, pool};
use crate::ProgramKind;
use crate::image::metadata::Metadata;

/// The findings for an image of this version, from its `.wasmtime.info`.
pub(super) fn lint(info: &[u8], kind: ProgramKind) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    match Metadata::read(info, kind).map_err(|error| error.to_string())? {
        Metadata::Module(artifacts) => {
            let (info, functions, _) = &*artifacts;
            of_module(&info.module, 1, functions, &mut findings);
        }
        Metadata::Component(artifacts) => {
            let component = &artifacts.info.component;
            let mut wiring = Wiring::of(component);
            for (index, info) in &artifacts.static_modules {
                let times = wiring.times(index);
                let size = of_module(&info.module, times, &artifacts.table, &mut findings);
                wiring.size = wiring.size.saturating_add(size.saturating_mul(times));
            }
            findings.extend(wiring.findings(component));
        }
    }
    Ok(findings)
}

/// Adds the losses of one module. Returns the size of its instance.
fn of_module(
    module: &Module,
    instances: u64,
    functions: &CompiledFunctionsTable,
    findings: &mut Vec<Finding>,
) -> u64 {
    if instances == 0 {
        return 0;
    }
    let core = CoreModule {
        index: module.module_index.as_u32(),
        name: module
            .name
            .and_then(|name| module.strings.get(name))
            .map(finding_name),
        instances,
    };
    let finding = |(rule, cause, work): Loss| Finding {
        rule,
        module: Some(core.clone()),
        cause,
        work,
    };
    let losses = [
        copied(module),
        passive_elements(module),
        computed_globals(module),
    ];
    let mut losses: Vec<Loss> = losses.into_iter().flatten().collect();
    // Without a table, and without another reason for code, the code is the start function.
    let only_start = module.tables.is_empty() && losses.is_empty();
    losses.extend(startup(module, functions, only_start));
    findings.extend(losses.into_iter().map(finding));
    let segments = module.runtime_data.len() as u64;
    let entered = finding((Rule::ManySegments, None, Work::Enter { segments }));
    findings.extend((!entered.is_minor()).then_some(entered));
    findings.extend(pool::of_module(module, &core));
    pool::instance_size(module)
}

/// What is copied into memories. If there is no data, or it can be mapped, the engine has another
/// form.
fn copied(module: &Module) -> Option<Loss> {
    if !module.memory_initialization.is_segmented() || module.runtime_data.is_empty() {
        return None;
    }
    let lengths = module.runtime_data.values();
    let lengths = lengths.map(|range| range.end.saturating_sub(range.start).into());
    let only_imported = module.memories.len() <= module.num_imported_memories;
    let cause = only_imported.then(|| Cause::of_index(Item::Memory, 0, Reason::ImportedMemory));
    let work = Work::Copy {
        bytes: lengths.fold(0, u64::saturating_add),
        segments: module.runtime_data.len() as u64,
    };
    Some((Rule::MemoryCopied, cause, work))
}

/// The elements of passive segments.
fn passive_elements(module: &Module) -> Option<Loss> {
    if module.passive_elements.is_empty() {
        return None;
    }
    let lists = module.passive_elements.values();
    let elements = lists.map(|(_, length)| *length);
    let elements = elements.fold(0, u64::saturating_add);
    Some((Rule::PassiveElements, None, Work::Fill { elements }))
}

/// Globals whose values are computed.
fn computed_globals(module: &Module) -> Option<Loss> {
    let defined = module.globals.len();
    let defined = defined.saturating_sub(module.num_imported_globals);
    let computed = defined.saturating_sub(module.global_initializers.len());
    let globals = computed as u64;
    (computed > 0).then_some((Rule::ComputedGlobals, None, Work::Compute { globals }))
}

/// The code that runs at every instantiation.
fn startup(module: &Module, functions: &CompiledFunctionsTable, only_start: bool) -> Option<Loss> {
    if !matches!(module.startup, ModuleStartup::Always(_)) {
        return None;
    }
    if only_start {
        return Some((Rule::StartFunction, None, Work::Run { little: false }));
    }
    let code = functions.func_loc(FuncKey::ModuleStartup(Abi::Wasm, module.module_index));
    let bytes = code.map_or(0, |code| code.length.into());
    Some((Rule::StartupCode, None, Work::Startup { bytes }))
}
