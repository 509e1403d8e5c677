//! The end-to-end tests, with the real binary and real programs. Each subject is a module.
//!
//! There is one test binary, because each would link the engine and the optimizer again. It is a
//! target of package `edgec`, so cargo builds the binary for its tests.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cloned_instead_of_copied,
    clippy::expect_used,
    clippy::manual_let_else,
    clippy::missing_errors_doc,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::redundant_closure_for_method_calls,
    clippy::semicolon_if_nothing_returned,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise; the other lints are those of edgec-tests"
)]

mod aarch64;
mod agreement;
mod agreement_policy;
mod agreement_releases;
mod all_or_none;
mod attack;
mod attack_build;
mod attack_ed25519;
mod attack_files;
mod attack_policy;
mod attack_releases;
mod attack_store;
mod attack_store_files;
mod attack_store_many;
mod attack_table;
mod attack_totals;
mod attack_trust_files;
mod audit;
mod blobs;
mod bombs;
mod build;
mod builder;
mod cache;
mod cache_recompile;
mod check;
mod circles;
mod cold_start;
mod completions;
mod conformance;
mod core_modules;
mod debug_files;
mod deployment;
mod deployment_sources;
mod deployment_trust;
mod dev;
mod diff;
mod differential;
mod documents;
mod edge;
mod engine_faults;
mod errors;
mod every_level;
mod explain;
mod exports;
mod extensions;
mod file_kinds;
mod flatten;
mod fleet;
mod front_end;
mod graphs;
mod guests;
mod hosting;
mod hosting_policies;
mod imports;
mod inherited_signals;
mod init;
mod interop;
mod kept_functions;
mod kernel_answers;
mod key_reach;
mod key_sources;
mod keys;
mod legacy_exceptions;
mod loader;
mod machine;
mod machine_stack;
mod manifest_room;
mod observer;
mod optimizer;
mod optimizer_regressions;
mod optimizer_version;
mod output_places;
mod outputs;
mod passphrases;
mod pkcs11;
mod policy_init;
mod policy_messages;
mod pools;
mod preview1;
mod preview1_hosts;
mod preview1_programs;
mod program_limits;
mod progress;
mod project;
mod project_limits;
mod project_names;
mod project_schema;
mod provenance;
mod provenance_policy;
mod prune_imports;
mod rebuild;
mod recipes;
mod registry;
mod regressions;
mod release_verbs;
mod report;
mod resident;
mod run;
mod sarif;
mod sbom;
mod sbom_policy;
mod schema;
mod scripts;
mod secret_places;
mod secret_search;
mod serve;
mod serve_bounds;
mod serve_clients;
mod serve_hostile;
mod serve_needs;
mod serve_refusals;
mod serve_releases;
mod shared_cache;
mod signers;
mod stock;
mod store_crash;
mod store_current;
mod store_damage;
mod store_errors;
mod store_upkeep;
mod sync;
mod sync_crash;
mod sync_inside;
mod sync_retry;
mod sync_signals;
mod target_names;
mod targets;
mod tidy;
mod transcripts;
mod two_algorithms;
mod unseen;
mod unsigned;
mod usage;
mod vectors;
mod verify;
mod walls;
mod world;
mod x86_levels;
