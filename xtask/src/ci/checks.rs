//! What each step of the checks does.

use crate::Outcome;
use crate::machine;
use crate::shell::{cargo, command, repository, run, target_folder};

/// Workspaces of their own, whose programs only tests use.
const APART: [&str; 4] = [
    "tests/differences/programs/Cargo.toml",
    "tests/generator/Cargo.toml",
    "tests/registry/clients/Cargo.toml",
    "tests/toolchains/encoders/Cargo.toml",
];

pub(super) fn dependencies() -> Outcome {
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

pub(super) fn format() -> Outcome {
    run(&mut cargo(&["fmt", "--all", "--", "--check"]))?;
    for manifest in APART {
        let apart = ["--manifest-path", manifest, "--", "--check"];
        run(cargo(&["fmt"]).args(apart))?;
    }
    Ok(())
}

/// Clippy takes the compiler's place for the workspace's own crates, and `.ci/rustdoc` builds the
/// documentation. So the code that they check is compiled only once, for the tests.
pub(super) fn tests() -> Outcome {
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

pub(super) fn corpus() -> Outcome {
    run(command("tests/corpus/run.py").args(["--small", "--edgec", &edgec()?]))
}

pub(super) fn toolchains() -> Outcome {
    let mut compare = command("tests/toolchains/run.py");
    compare.args(["--edgec", &edgec()?]);
    let guest = repository().join("../shared/guests/c-cmark.wasm");
    if guest.is_file() {
        compare.arg("--program").arg(guest);
    }
    run(&mut compare)
}

pub(super) fn serve() -> Outcome {
    run(command("tests/serve/run.py").args(["--edgec", &edgec()?]))
}

pub(super) fn legacy() -> Outcome {
    run(command("tests/legacy_exceptions/run.sh").arg(edgec()?))
}

pub(super) fn integrations() -> Outcome {
    run(command("tests/integrations/run.sh").arg(edgec()?))
}

/// The program that the tests have built stands for the one of a release.
pub(super) fn release() -> Outcome {
    run(command("tests/release/run.sh").arg(edgec()?))
}

pub(super) fn deploy() -> Outcome {
    run(command("tests/deploy/run.sh").arg(edgec()?))
}

pub(super) fn sbom() -> Outcome {
    run(command("tests/sbom/run.sh").arg(edgec()?))
}

pub(super) fn shared_cache() -> Outcome {
    run(command("tests/shared_cache/run.sh").arg(edgec()?))
}

pub(super) fn registry() -> Outcome {
    run(command("tests/registry/run.py")
        .args(["--edgec", &edgec()?])
        .env("EDGEC_REQUIRE_EMULATION", "1"))
}

pub(super) fn aarch64() -> Outcome {
    run(&mut command("tests/aarch64/cross.sh"))?;
    run(command("tests/registry/run.py")
        .args(["--edgec", &edgec()?, "--only", "points"])
        .env("EDGEC_CROSS", "1"))
}

pub(super) fn report() -> Outcome {
    run(command("tests/pages/report.py").arg(edgec()?))
}

pub(super) fn telemetry() -> Outcome {
    run(&mut command("tests/pages/telemetry.py"))
}

/// Its hosts are processes on this machine. docs/fleet.md has the numbers of a larger fleet.
pub(super) fn fleet() -> Outcome {
    run(command("tests/fleet/run.py").args(["--small", "--edgec", &edgec()?]))
}

/// A debug build may be slow on a busy machine, so it gets much time beyond its limits.
/// CONTRIBUTING.md shows the run of a night, in which a release build gets little.
pub(super) fn soak() -> Outcome {
    run(&mut command("tests/soak/law_test.py"))?;
    let generator = machine::generator(&target_folder()?);
    run(command("tests/soak/run.py")
        .args(["--edgec", &edgec()?, "--generator", &generator])
        .args(["--count", "60", "--jobs", "2", "--allowance", "60"]))
}

pub(super) fn fuzz() -> Outcome {
    run(command("fuzz/smoke.sh").arg("60"))
}

/// `tests/it/tidy.rs` checks that no crate here links Cranelift or Binaryen. This step compiles
/// each alone, so that other crates cannot enable features for it.
pub(super) fn alone() -> Outcome {
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
pub(super) fn package() -> Outcome {
    let packages = LIBRARIES
        .into_iter()
        .flat_map(|library| ["--package", library]);
    run(cargo(&["package", "--no-verify", "--allow-dirty"]).args(packages))
}

pub(super) fn without_cxx() -> Outcome {
    let features = ["--no-default-features", "--features", "otlp,shared-cache"];
    check_without_cxx("edgec", &features)
}

/// Checks one package. Most build scripts and procedural macros are those of the tests.
fn check_without_cxx(package: &str, options: &[&str]) -> Outcome {
    run(cargo(&["check", "--locked", "--package", package])
        .args(options)
        .env("CXX", "/nonexistent"))
}
