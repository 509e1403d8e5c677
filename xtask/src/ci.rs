//! All checks of the project, step by step. `.ci/run` installs what the steps need.

use std::time::{Duration, Instant};

use crate::Outcome;
use crate::machine;
use crate::shell::{cargo, command, repository, run, target_folder};

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
        check: dependencies,
        when: When::Always,
    },
    Step {
        name: "format",
        about: "rustfmt",
        check: format,
        when: When::Always,
    },
    Step {
        name: "tests",
        about: "Clippy, documentation, tests",
        check: tests,
        when: When::Always,
    },
    Step {
        name: "corpus",
        about: "real programs: a small part of the corpus",
        check: corpus,
        when: When::Always,
    },
    Step {
        name: "toolchains",
        about: "components that other toolchains make, merged and not merged",
        check: toolchains,
        when: When::Always,
    },
    Step {
        name: "serve",
        about: "a serving host: examples, replacement, hostile programs and clients, faults",
        check: serve,
        when: When::Always,
    },
    Step {
        name: "legacy",
        about: "legacy exceptions, translated by a real wasm-opt",
        check: legacy,
        when: When::Always,
    },
    Step {
        name: "integrations",
        about: "the GitHub Action, the GitLab component, the Dockerfile: schemas and scripts",
        check: integrations,
        when: When::Always,
    },
    Step {
        name: "release",
        about: "the files of a release: archives, digests, signature, provenance",
        check: release,
        when: When::Always,
    },
    Step {
        name: "deploy",
        about: "images, manifests, units and workflows for hosts: validators, and the steps of a pod",
        check: deploy,
        when: When::Always,
    },
    Step {
        name: "sbom",
        about: "bills of materials, by the validators of CycloneDX and SPDX",
        check: sbom,
        when: When::Always,
    },
    Step {
        name: "shared-cache",
        about: "build caches that machines share: with real Redis, S3 and WebDAV servers",
        check: shared_cache,
        when: When::Always,
    },
    Step {
        name: "registry",
        about: "push, pull, copy and sync with real registries, tools of others, and faults",
        check: registry,
        when: When::Always,
    },
    Step {
        name: "report",
        about: "the pages of `edgec report` in a headless Chromium",
        check: report,
        when: When::Always,
    },
    Step {
        name: "telemetry",
        about: "the status page of a host in a headless Chromium, its metrics by promtool",
        check: telemetry,
        when: When::Always,
    },
    Step {
        name: "fleet",
        about: "a small simulated fleet: rollouts, a bad version, a dead cache, no origin",
        check: fleet,
        when: When::Always,
    },
    Step {
        name: "soak",
        about: "expensive builds under low limits, for a minute",
        check: soak,
        when: When::Always,
    },
    Step {
        name: "fuzz",
        about: "each fuzz target for some seconds",
        check: fuzz,
        when: When::Always,
    },
    Step {
        name: "alone",
        about: "the loader, the store, the verifier and a host's edgec, without a C++ compiler",
        check: alone,
        when: When::Always,
    },
    Step {
        name: "package",
        about: "the libraries as packages of a registry",
        check: package,
        when: When::Always,
    },
    Step {
        name: "aarch64",
        about: "edgec compiled for aarch64: on an emulated CPU, it pulls, follows and serves",
        check: aarch64,
        when: When::Named,
    },
    Step {
        name: "no-cxx",
        about: "edgec without Binaryen, without a C++ compiler",
        check: without_cxx,
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

/// Workspaces of their own, whose programs only tests use.
const APART: [&str; 4] = [
    "tests/differences/programs/Cargo.toml",
    "tests/generator/Cargo.toml",
    "tests/registry/clients/Cargo.toml",
    "tests/toolchains/encoders/Cargo.toml",
];

fn dependencies() -> Outcome {
    let checks = ["bans", "licenses", "sources"];
    run(cargo(&["deny", "--locked", "check"]).args(checks))?;
    for manifest in APART {
        run(cargo(&["deny", "--locked", "--config", "deny.toml"])
            .args(["--manifest-path", manifest, "check"])
            .args(["-A", "license-not-encountered"])
            .args(["-A", "license-exception-not-encountered"])
            .args(checks))?;
    }
    Ok(())
}

fn format() -> Outcome {
    run(&mut cargo(&["fmt", "--all", "--", "--check"]))?;
    for manifest in APART {
        let apart = ["--manifest-path", manifest, "--", "--check"];
        run(cargo(&["fmt"]).args(apart))?;
    }
    Ok(())
}

/// Clippy takes the compiler's place for the workspace's own crates, and `.ci/rustdoc` builds the
/// documentation. So the code that they check is compiled only once, for the tests.
fn tests() -> Outcome {
    let target = target_folder()?;
    let checked = |arguments: &[&str]| {
        let mut cargo = cargo(&["test", "--locked", "--workspace"]);
        // Not among the defaults, and it has tests.
        let all = ["--features", "edgec/otlp"];
        cargo
            .args(all)
            .args(arguments)
            .env("CARGO_TARGET_DIR", &target)
            .env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver")
            .env("RUSTDOC", repository().join(".ci/rustdoc"))
            // How `cargo clippy -- -D warnings` passes it to clippy-driver.
            .env("CLIPPY_ARGS", "-D__CLIPPY_HACKERY__warnings");
        for variable in machine::required() {
            cargo.env(variable, "1");
        }
        run(&mut cargo)
    };
    // First everything that the second call leaves out, such as the benchmarks. Examples are not
    // included: this would link each of them once more.
    checked(&["--lib", "--bins", "--tests", "--benches", "--no-run"])?;
    checked(&[])?;
    // Once more, so that the log has what cosign says about a bundle, and about other bytes.
    let cosign = "interop::cosign_accepts_the_bundle_over_the_image_alone";
    checked(&["--test", "it", "--", "--exact", "--nocapture", cosign])
}

/// The edgec program that an earlier step built.
fn edgec() -> Result<String, String> {
    let program = format!("edgec{}", std::env::consts::EXE_SUFFIX);
    let program = target_folder()?.join("debug").join(program);
    match program.is_file() {
        true => Ok(program.display().to_string()),
        false => Err(format!(
            "no {}: the step `tests` builds it",
            program.display()
        )),
    }
}

fn corpus() -> Outcome {
    run(command("tests/corpus/run.py").args(["--small", "--edgec", &edgec()?]))
}

fn toolchains() -> Outcome {
    let mut compare = command("tests/toolchains/run.py");
    compare.args(["--edgec", &edgec()?]);
    let guest = repository().join("../shared/guests/c-cmark.wasm");
    if guest.is_file() {
        compare.arg("--program").arg(guest);
    }
    run(&mut compare)
}

fn serve() -> Outcome {
    run(command("tests/serve/run.py").args(["--edgec", &edgec()?]))
}

fn legacy() -> Outcome {
    run(command("tests/legacy_exceptions/run.sh").arg(edgec()?))
}

fn integrations() -> Outcome {
    run(command("tests/integrations/run.sh").arg(edgec()?))
}

/// The program that the tests have built stands for the one of a release.
fn release() -> Outcome {
    run(command("tests/release/run.sh").arg(edgec()?))
}

fn deploy() -> Outcome {
    run(command("tests/deploy/run.sh").arg(edgec()?))
}

fn sbom() -> Outcome {
    run(command("tests/sbom/run.sh").arg(edgec()?))
}

fn shared_cache() -> Outcome {
    run(command("tests/shared_cache/run.sh").arg(edgec()?))
}

fn registry() -> Outcome {
    run(command("tests/registry/run.py")
        .args(["--edgec", &edgec()?])
        .env("EDGEC_REQUIRE_EMULATION", "1"))
}

fn aarch64() -> Outcome {
    run(&mut command("tests/aarch64/cross.sh"))?;
    run(command("tests/registry/run.py")
        .args(["--edgec", &edgec()?, "--only", "points"])
        .env("EDGEC_CROSS", "1"))
}

fn report() -> Outcome {
    run(command("tests/pages/report.py").arg(edgec()?))
}

fn telemetry() -> Outcome {
    run(&mut command("tests/pages/telemetry.py"))
}

/// Its hosts are processes on this machine. docs/fleet.md has the numbers of a larger fleet.
fn fleet() -> Outcome {
    run(command("tests/fleet/run.py").args(["--small", "--edgec", &edgec()?]))
}

/// A debug build may be slow on a busy machine, so it gets much time beyond its limits.
/// CONTRIBUTING.md shows the run of a night, in which a release build gets little.
fn soak() -> Outcome {
    run(&mut command("tests/soak/law_test.py"))?;
    let generator = machine::generator(&target_folder()?);
    run(command("tests/soak/run.py")
        .args(["--edgec", &edgec()?, "--generator", &generator])
        .args(["--count", "60", "--jobs", "2", "--allowance", "60"]))
}

fn fuzz() -> Outcome {
    run(command("fuzz/smoke.sh").arg("60"))
}

/// `tests/it/tidy.rs` checks that no crate here links Cranelift or Binaryen. This step compiles
/// each alone, so that other crates cannot enable features for it.
fn alone() -> Outcome {
    for library in [
        "edgec-host",
        "edgec-loader",
        "edgec-store",
        "edgec-verifier",
    ] {
        check_without_cxx(library, &[])?;
    }
    // The features of the image for hosts: deploy/Dockerfile.
    let features = ["--no-default-features", "--features", "registry,serve"];
    check_without_cxx("edgec", &features)
}

/// The crates that are published.
const LIBRARIES: [&str; 14] = [
    "edgec-artifact",
    "edgec-builder",
    "edgec-compiler",
    "edgec-configuration",
    "edgec-differences",
    "edgec-files",
    "edgec-host",
    "edgec-loader",
    "edgec-packager",
    "edgec-pages",
    "edgec-sbom",
    "edgec-store",
    "edgec-targets",
    "edgec-verifier",
];

/// Packages all libraries in one command, so each takes the others from the workspace, as it would
/// from a registry. Nothing is compiled, because other steps compile the same sources.
fn package() -> Outcome {
    let packages = LIBRARIES
        .into_iter()
        .flat_map(|library| ["--package", library]);
    run(cargo(&["package", "--no-verify", "--allow-dirty"]).args(packages))
}

fn without_cxx() -> Outcome {
    let features = ["--no-default-features", "--features", "otlp,shared-cache"];
    check_without_cxx("edgec", &features)
}

/// Checks one package. Most build scripts and procedural macros are those of the tests.
fn check_without_cxx(package: &str, options: &[&str]) -> Outcome {
    run(cargo(&["check", "--locked", "--package", package])
        .args(options)
        .env("CXX", "/nonexistent"))
}
