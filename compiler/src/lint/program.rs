//! The lint of a program: runs the engine's own front end as the engine does before it compiles,
//! and examines the resulting memories and tables.
//!
//! Source: `wasmtime` 48, `compile.rs`, `prepare_translation`, and `wasmtime-environ` 48,
//! `compile/module_environ.rs`, `finalize_memory_init` and `finalize_table_init`.

use wasmparser::{Parser, Validator};
use wasmtime_environ::component::{
    Component, ComponentTypesBuilder, GlobalInitializer, InstantiateModule, Translator,
};
use wasmtime_environ::{
    MemoryInit, ModuleEnvironment, ModuleTranslation, ModuleTypesBuilder, ScopeVec,
    StaticModuleIndex, TableInitialValue, TableSegmentElements, Tunables,
};

use super::cause::{self, Places};
use super::{
    Cause, CoreModule, Finding, Item, Loss, Reason, Rule, Work, finding_name, pool, start,
};
use crate::ProgramKind;
use crate::input::engine_limits::tunables;
use crate::input::features::SUPPORTED;

/// `Config::memory_guaranteed_dense_image_size`, which edgec leaves at its default.
const DENSE_IMAGE_SIZE: u64 = 16 << 20;

/// The page size for which images are laid out. On aarch64 it is 64 KiB, but no result depends on
/// it, because a page of WebAssembly is at least as large.
const PAGE_SIZE: u64 = 4096;

/// The findings for a valid program, or the error of the engine's front end.
pub(super) fn lint(wasm: &[u8], kind: ProgramKind) -> Result<Vec<Finding>, String> {
    let tunables = tunables();
    let mut validator = Validator::new_with_features(SUPPORTED);
    let mut findings = Vec::new();
    match kind {
        ProgramKind::Module => {
            let mut parser = Parser::new(0);
            parser.set_features(SUPPORTED);
            let mut types = ModuleTypesBuilder::new(&validator);
            let index = StaticModuleIndex::from_u32(0);
            let translation = ModuleEnvironment::new(&tunables, &mut validator, &mut types, index)
                .translate(parser, wasm)
                .map_err(|error| format!("{error:#}"))?;
            of_module(translation, 1, &tunables, &mut types, &mut findings);
        }
        ProgramKind::Component => {
            let scope = ScopeVec::new();
            let mut types = ComponentTypesBuilder::new(&validator);
            let (component, modules) =
                Translator::new(&tunables, &mut validator, &mut types, &scope)
                    .translate(wasm)
                    .map_err(|error| format!("{error:#}"))?;
            let mut wiring = Wiring::of(&component.component);
            for (index, translation) in modules {
                let times = wiring.times(index);
                let size = of_module(
                    translation,
                    times,
                    &tunables,
                    types.module_types_builder_mut(),
                    &mut findings,
                );
                wiring.size = wiring.size.saturating_add(size.saturating_mul(times));
            }
            findings.extend(wiring.findings(&component.component));
        }
    }
    Ok(findings)
}

/// How a component makes its core instances. It is the same for a program and its image.
pub(super) struct Wiring {
    instantiated: Vec<StaticModuleIndex>,
    imports: u64,
    /// The size of all instances in the engine's memory.
    pub(super) size: u64,
}

impl Wiring {
    pub(super) fn of(component: &Component) -> Self {
        let mut wiring = Self {
            instantiated: Vec::new(),
            imports: 0,
            size: 0,
        };
        for initializer in &component.initializers {
            if let GlobalInitializer::InstantiateModule(
                InstantiateModule::Static(index, given),
                _,
            ) = initializer
            {
                wiring.instantiated.push(*index);
                wiring.imports = wiring.imports.saturating_add(given.len() as u64);
            }
        }
        wiring.instantiated.sort_unstable();
        wiring
    }

    /// How often a module is instantiated.
    pub(super) fn times(&self, index: StaticModuleIndex) -> u64 {
        let upto = |index| self.instantiated.partition_point(|other| *other < index);
        let next = StaticModuleIndex::from_u32(index.as_u32().saturating_add(1));
        (upto(next) - upto(index)) as u64
    }

    /// The findings about the component as a whole.
    pub(super) fn findings(&self, component: &Component) -> Vec<Finding> {
        let mut findings = vec![Finding {
            rule: Rule::ManyInstances,
            module: None,
            cause: None,
            work: Work::Connect {
                instances: self.instantiated.len() as u64,
                imports: self.imports,
            },
        }];
        // A loss that every component has is not reported.
        findings.retain(|finding| !finding.is_minor());
        findings.extend(pool::of_component(component, self.size));
        findings
    }
}

/// Adds the losses of one module. Returns the size of its instance.
fn of_module(
    mut translation: ModuleTranslation<'_>,
    instances: u64,
    tunables: &Tunables,
    types: &mut ModuleTypesBuilder,
    findings: &mut Vec<Finding>,
) -> u64 {
    let places = Places::of(translation.wasm, translation.wasm_module_offset);
    let blocking_data = cause::of_data(&translation, &places);
    translation.finalize_memory_init(tunables, PAGE_SIZE, DENSE_IMAGE_SIZE, types);
    translation.finalize_table_init(tunables, types);
    if instances == 0 {
        return 0;
    }

    let module = &translation.module;
    let core = CoreModule {
        index: module.module_index.as_u32(),
        name: module.name.map(|name| finding_name(&module.strings[name])),
        instances,
    };
    let segments = module.runtime_data.len() as u64;
    let losses = [
        copied(&translation).map(|work| (Rule::MemoryCopied, blocking_data, work)),
        filled(&translation, &places).map(|(cause, work)| (Rule::TableEager, cause, work)),
        passive_elements(&translation, &places),
        computed_globals(&translation),
        started(&translation),
        Some((Rule::ManySegments, None, Work::Enter { segments })),
    ];
    let losses = losses.into_iter().flatten();
    let new = losses.map(|(rule, cause, work)| Finding {
        rule,
        module: Some(core.clone()),
        cause,
        work,
    });
    findings.extend(new.filter(|new| new.rule != Rule::ManySegments || !new.is_minor()));
    findings.extend(pool::of_module(module, &core));
    pool::instance_size(module)
}

/// The elements of passive segments.
fn passive_elements(translation: &ModuleTranslation<'_>, places: &Places) -> Option<Loss> {
    if translation.passive_elements.is_empty() {
        return None;
    }
    let lists = translation.passive_elements.values();
    let elements = lists
        .map(TableSegmentElements::len)
        .fold(0, u64::saturating_add);
    let cause = places.passive_elements.map(|(index, offset)| Cause {
        offset: Some(offset),
        ..Cause::of_index(Item::Element, index, Reason::Passive)
    });
    Some((Rule::PassiveElements, cause, Work::Fill { elements }))
}

/// Globals whose values are computed.
fn computed_globals(translation: &ModuleTranslation<'_>) -> Option<Loss> {
    let (first, _) = translation.global_initializers.first()?;
    let globals = translation.global_initializers.len() as u64;
    let index = translation.module.global_index(*first).as_u32();
    let cause = Cause::of_index(Item::Global, index, Reason::ComputedValue);
    Some((
        Rule::ComputedGlobals,
        Some(cause),
        Work::Compute { globals },
    ))
}

/// The start function.
fn started(translation: &ModuleTranslation<'_>) -> Option<Loss> {
    let function = translation.start_func?;
    let names = &translation.debuginfo.name_section.func_names;
    let cause = Cause {
        name: names.get(&function).map(|&name| finding_name(name)),
        ..Cause::of_index(Item::Function, function.as_u32(), Reason::Start)
    };
    let little = start::is_little(translation.wasm, function.as_u32());
    Some((Rule::StartFunction, Some(cause), Work::Run { little }))
}

/// What is copied into memories, if the engine made no images of them.
fn copied(translation: &ModuleTranslation<'_>) -> Option<Work> {
    if !translation.module.memory_initialization.is_segmented() {
        return None;
    }
    let MemoryInit::Processed(segments) = &translation.memory_init else {
        return None;
    };
    let lengths = segments.iter().filter_map(|(_, _, data)| {
        let data = translation.runtime_data.get(*data)?;
        Some(data.len() as u64)
    });
    (!segments.is_empty()).then(|| Work::Copy {
        bytes: lengths.fold(0, u64::saturating_add),
        segments: segments.len() as u64,
    })
}

/// The elements of tables that the engine did not fill.
fn filled(translation: &ModuleTranslation<'_>, places: &Places) -> Option<(Option<Cause>, Work)> {
    let module = &translation.module;
    let init = &translation.table_initialization;
    let valued = init.initial_values.iter().filter_map(|(index, value)| {
        let TableInitialValue::Expr(_) = value else {
            return None;
        };
        let table = module.table_index(index);
        Some((table, module.tables.get(table)?.limits.min))
    });
    let valued: Vec<_> = valued.collect();
    if valued.is_empty() && init.segments.is_empty() {
        return None;
    }
    let cause = cause::of_elements(translation, places).or_else(|| {
        let (index, _) = valued.first()?;
        Some(Cause::of_index(
            Item::Table,
            index.as_u32(),
            Reason::InitialValue,
        ))
    });
    let elements = valued.iter().map(|(_, elements)| *elements);
    let elements = elements
        .chain(init.segments.iter().map(|segment| segment.elements.len()))
        .fold(0, u64::saturating_add);
    Some((cause, Work::Fill { elements }))
}
