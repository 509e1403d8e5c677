//! Compares the list of settings with the engine's defaults and with all code that sets them, and
//! the registry of CPU targets with the code generator.

use std::collections::{BTreeMap, BTreeSet};

use cranelift_codegen::isa;
use cranelift_codegen::settings::SettingKind;
use edgec_targets::{Arch, all};
use wasmtime_environ::Tunables;

use super::*;
use crate::input::engine_limits;
use crate::native::initialize;

/// Settings of the engine that no configuration names. They are constants of the engine, need one
/// of its cargo features, or are set in another way.
const LEFT: [&str; 9] = [
    "branch_hinting",
    "collector",
    "debug_guest",
    "gc_zeal_alloc_counter",
    "inlining_small_callee_size",
    "inlining_sum_size_threshold",
    "operator_cost",
    "recording",
    "winch_callable",
];

/// The fields of a value and their values, from its `Debug` text.
fn fields(debug: &str) -> BTreeMap<String, String> {
    let (_, fields) = debug.split_once(" { ").unwrap();
    let fields = fields.trim_end_matches(" }").split(", ");
    let fields = fields.filter_map(|field| field.split_once(": "));
    fields
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn compiled(profile: EngineProfile) -> BTreeMap<String, String> {
    let target = edgec_targets::find("x86_64").unwrap();
    let config = config(target, WasmFeatures::WASM2, profile).unwrap();
    fields(&format!("{config:?}"))
}

fn front_end() -> BTreeMap<String, String> {
    fields(&format!("{:?}", engine_limits::tunables()))
}

/// The names of the settings that differ.
fn differ<'a>(one: &'a BTreeMap<String, String>, other: &BTreeMap<String, String>) -> Vec<&'a str> {
    // The flags for the CPU are a hash map, whose order is another one each time.
    let is_flag = |name: &str| name.starts_with('"') || name == "flags" || name == "settings";
    let differing = one
        .iter()
        .filter(|(name, _)| !is_flag(name))
        .filter(|(name, value)| other.get(*name).is_some_and(|it| it != *value));
    differing.map(|(name, _)| name.as_str()).collect()
}

#[test]
fn the_default_profile_has_the_engines_defaults() {
    let engine = fields(&format!("{:?}", Tunables::default_u64()));
    assert!(engine.len() > 30, "{engine:?}");
    assert_eq!(differ(&front_end(), &engine), ["collector"]);
}

#[test]
fn the_compiler_and_init_have_the_settings_of_the_list() {
    let list = front_end();
    // Backtraces without DWARF. The front end alone would pass it on, and nothing reads it.
    let dwarf = "parse_wasm_debuginfo";
    let default = compiled(EngineProfile::Default);
    assert_eq!(differ(&list, &default), [dwarf]);
    let edge = compiled(EngineProfile::Edge);
    assert_eq!(differ(&default, &edge), ["epoch_interruption"]);
    let left: Vec<&String> = list
        .keys()
        .filter(|name| !default.contains_key(*name))
        .collect();
    assert_eq!(left, LEFT);
    let init = fields(&format!("{:?}", initialize::config(WasmFeatures::WASM2)));
    assert_eq!(differ(&list, &init), [dwarf, "relaxed_simd_deterministic"]);
}

#[test]
fn the_manifest_states_what_is_compiled_with() {
    for profile in EngineProfile::ALL {
        let compiled = compiled(profile);
        let mut stated = 0;
        for (name, value) in tunables(WasmFeatures::WASM2, profile) {
            let mut snake = String::new();
            for letter in name.chars() {
                if letter.is_ascii_uppercase() {
                    snake.push('_');
                }
                snake.push(letter.to_ascii_lowercase());
            }
            let snake = match snake.as_str() {
                "collector" => continue,
                "debug_info" => "debug_native",
                other => other,
            };
            assert_eq!(compiled[snake].to_ascii_lowercase(), value, "{name}");
            stated += 1;
        }
        assert_eq!(stated, 18);
    }
}

/// A flag that a newer engine adds needs a decision.
#[test]
fn every_flag_of_the_code_generator_is_some_targets_or_unused_for_a_reason() {
    for arch in Arch::ALL {
        let isa = isa::lookup_by_name(arch.triple()).unwrap();
        let flags = isa.iter().filter(|it| it.kind == SettingKind::Bool);
        let flags: BTreeSet<&str> = flags.map(|flag| flag.name).collect();
        let features = all().filter(|target| target.arch == arch);
        let features = features.flat_map(|target| target.features);
        let used: BTreeSet<&str> = features.map(|feature| feature.cranelift_flag).collect();
        let unused = arch.unused_flags().iter();
        let unused: BTreeSet<&str> = unused.map(|flag| flag.cranelift_flag).collect();
        assert!(used.is_disjoint(&unused), "{}", arch.name());
        let known: BTreeSet<&str> = used.union(&unused).copied().collect();
        assert_eq!(flags, known, "{}", arch.name());
    }
}
