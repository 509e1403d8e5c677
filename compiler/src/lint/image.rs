//! The lint of an image: what its own description for the engine, `.wasmtime.info`, says.
//!
//! It says what will be done with this very image, and less about why: which segments fill a
//! table is in the code by then. It is decoded with the engine's types, which trust it: a
//! hostile one can make them allocate what a length field says, or panic. So this runs in a
//! worker only ([`super::process`]).
//!
//! Source: `wasmtime-environ` 48, `module.rs`, `module_artifacts.rs`, `component/artifacts.rs`.

use wasmtime_environ::component::ComponentArtifacts;
use wasmtime_environ::{
    Abi, CompiledFunctionsTable, CompiledModuleInfo, FuncKey, Module, ModuleStartup, ModuleTypes,
};

use super::program::Wiring;
use super::{Cause, CoreModule, Finding, Item, Reason, Rule, Work, pool};
use crate::Kind;

/// What the engine loses of an image of this version, from its `.wasmtime.info`.
pub(super) fn lint(info: &[u8], kind: Kind) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    match kind {
        Kind::Module => {
            let (info, functions, _): (CompiledModuleInfo, CompiledFunctionsTable, ModuleTypes) =
                postcard::from_bytes(info).map_err(|error| error.to_string())?;
            of_module(&info.module, 1, &functions, &mut findings);
        }
        Kind::Component => {
            let artifacts: ComponentArtifacts =
                postcard::from_bytes(info).map_err(|error| error.to_string())?;
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

/// Adds what one module loses; the size of its instance.
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
            .map(str::to_owned),
        instances,
    };
    let begin = findings.len();
    let mut add = |rule, cause, work| {
        findings.push(Finding {
            rule,
            module: Some(core.clone()),
            cause,
            work,
        });
    };
    let cause = |item, index, reason| Cause {
        item,
        index,
        name: None,
        offset: None,
        reason,
    };
    // Without data, or when it can be mapped, the engine has another form.
    if module.memory_initialization.is_segmented() && !module.runtime_data.is_empty() {
        let lengths = module.runtime_data.values();
        let lengths = lengths.map(|range| range.end.saturating_sub(range.start).into());
        let only_imported = module.memories.len() <= module.num_imported_memories;
        let cause = only_imported.then(|| cause(Item::Memory, 0, Reason::ImportedMemory));
        add(
            Rule::MemoryCopied,
            cause,
            Work::Copy {
                bytes: lengths.fold(0, u64::saturating_add),
                segments: module.runtime_data.len() as u64,
            },
        );
    }
    if !module.passive_elements.is_empty() {
        let lists = module.passive_elements.values();
        let elements = lists.map(|(_, length)| *length);
        add(
            Rule::PassiveElements,
            None,
            Work::Fill {
                elements: elements.fold(0, u64::saturating_add),
            },
        );
    }
    let defined = module.globals.len();
    let defined = defined.saturating_sub(module.num_imported_globals);
    let computed = defined.saturating_sub(module.global_initializers.len());
    if computed > 0 {
        let globals = computed as u64;
        add(Rule::ComputedGlobals, None, Work::Compute { globals });
    }
    if matches!(module.startup, ModuleStartup::Always(_)) {
        let key = FuncKey::ModuleStartup(Abi::Wasm, module.module_index);
        let code = functions.func_loc(key);
        let code = code.map_or(0, |code| code.length.into());
        // Without a table, and with no other reason for code, it is the start function.
        let rule = if module.tables.is_empty() && findings.len() == begin {
            Rule::StartFunction
        } else {
            Rule::StartupCode
        };
        findings.push(Finding {
            rule,
            module: Some(core.clone()),
            cause: None,
            work: match rule {
                Rule::StartFunction => Work::Run { little: false },
                _ => Work::Startup { bytes: code },
            },
        });
    }
    let segments = module.runtime_data.len() as u64;
    let entered = Finding {
        rule: Rule::ManySegments,
        module: Some(core.clone()),
        cause: None,
        work: Work::Enter { segments },
    };
    findings.extend((!entered.is_minor()).then_some(entered));
    findings.extend(pool::of_module(module, &core));
    pool::instance_size(module)
}
