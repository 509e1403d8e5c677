//! All checks of the project, step by step. `.ci/run` installs what the steps need.

mod checks;

use std::time::{Duration, Instant};

use crate::Outcome;

/// A part of the checks.
struct Step {
    name: &'static str,
    /// What it checks.
    about: &'static str,
    check: fn() -> Outcome,
    when: When,
}

/// When a step runs.
#[derive(PartialEq, Eq)]
enum When {
    Always,
    /// Only if it is named: the hosted CI has a separate job for it.
    Named,
}

static STEPS: &[Step] = &[
    Step {
        name: "dependencies",
        about: "bans, licences, sources",
        check: checks::dependencies,
        when: When::Always,
    },
    Step {
        name: "format",
        about: "rustfmt",
        check: checks::format,
        when: When::Always,
    },
    Step {
        name: "tests",
        about: "Clippy, documentation, tests",
        check: checks::tests,
        when: When::Always,
    },
    Step {
        name: "corpus",
        about: "real programs: a small part of the corpus",
        check: checks::corpus,
        when: When::Always,
    },
    Step {
        name: "toolchains",
        about: "components that other toolchains make, merged and not merged",
        check: checks::toolchains,
        when: When::Always,
    },
    Step {
        name: "serve",
        about: "a serving host: examples, replacement, hostile programs and clients, faults",
        check: checks::serve,
        when: When::Always,
    },
    Step {
        name: "legacy",
        about: "legacy exceptions, translated by a real wasm-opt",
        check: checks::legacy,
        when: When::Always,
    },
    Step {
        name: "integrations",
        about: "the GitHub Action, the GitLab component, the Dockerfile: schemas and scripts",
        check: checks::integrations,
        when: When::Always,
    },
    Step {
        name: "release",
        about: "the files of a release: archives, digests, signature, provenance",
        check: checks::release,
        when: When::Always,
    },
    Step {
        name: "deploy",
        about: "images, manifests, units and workflows for hosts: validators, and the steps of a pod",
        check: checks::deploy,
        when: When::Always,
    },
    Step {
        name: "sbom",
        about: "bills of materials, by the validators of CycloneDX and SPDX",
        check: checks::sbom,
        when: When::Always,
    },
    Step {
        name: "shared-cache",
        about: "build caches that machines share: with real Redis, S3 and WebDAV servers",
        check: checks::shared_cache,
        when: When::Always,
    },
    Step {
        name: "registry",
        about: "push, pull, copy and sync with real registries, tools of others, and faults",
        check: checks::registry,
        when: When::Always,
    },
    Step {
        name: "report",
        about: "the pages of `edgec report` in a headless Chromium",
        check: checks::report,
        when: When::Always,
    },
    Step {
        name: "telemetry",
        about: "the status page of a host in a headless Chromium, its metrics by promtool",
        check: checks::telemetry,
        when: When::Always,
    },
    Step {
        name: "fleet",
        about: "a small simulated fleet: rollouts, a bad version, a dead cache, no origin",
        check: checks::fleet,
        when: When::Always,
    },
    Step {
        name: "soak",
        about: "expensive builds under low limits, for a minute",
        check: checks::soak,
        when: When::Always,
    },
    Step {
        name: "fuzz",
        about: "each fuzz target for some seconds",
        check: checks::fuzz,
        when: When::Always,
    },
    Step {
        name: "alone",
        about: "the loader, the store, the verifier and a host's edgec, without a C++ compiler",
        check: checks::alone,
        when: When::Always,
    },
    Step {
        name: "package",
        about: "the libraries as packages of a registry",
        check: checks::package,
        when: When::Always,
    },
    Step {
        name: "aarch64",
        about: "edgec compiled for aarch64: on an emulated CPU, it pulls, follows and serves",
        check: checks::aarch64,
        when: When::Named,
    },
    Step {
        name: "no-cxx",
        about: "edgec without Binaryen, without a C++ compiler",
        check: checks::without_cxx,
        when: When::Named,
    },
];

/// The names of the steps, one per line, with what they check.
pub(crate) fn steps() -> String {
    let line = |step: &Step| {
        let named = match step.when {
            When::Always => "",
            When::Named => " (only if it is named)",
        };
        format!("{:14} {}{named}", step.name, step.about)
    };
    STEPS.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Runs all steps, or the named ones, in their order, and prints how long each took.
pub(crate) fn run_steps(names: &[&str]) -> Outcome {
    for name in names {
        if !STEPS.iter().any(|step| step.name == *name) {
            return Err(format!("no step {name}; there are:\n{}", steps()));
        }
    }
    let wanted = |step: &&Step| match names {
        [] => step.when == When::Always,
        names => names.contains(&step.name),
    };
    let begin = Instant::now();
    let mut times: Vec<(&str, Duration)> = Vec::new();
    for step in STEPS.iter().filter(wanted) {
        println!(
            "\n=== {}: {} ({} s)",
            step.name,
            step.about,
            begin.elapsed().as_secs()
        );
        let started = Instant::now();
        (step.check)()?;
        times.push((step.name, started.elapsed()));
    }
    println!("\n=== done");
    for (name, time) in times {
        println!("{:>6} s  {name}", time.as_secs());
    }
    println!("{:>6} s  in all", begin.elapsed().as_secs());
    Ok(())
}
