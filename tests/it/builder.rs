//! `edgec-builder` as a library: it makes the same as the command line, and its errors give the
//! reason.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use edgec_artifact::{Artifact, SignerKeys, Statement};
use edgec_builder::{
    BuildError, Limits, Plan, Rebuild, RebuildError, Recipe, Tools, WorkerProgram,
    WorkerProgramError,
};
use edgec_compiler::{Confinement, EngineProfile};
use edgec_packager::{MadeSignature, PackageError, SecretKey, Signer};
use edgec_tests::{Sandbox, binary, repository};

fn tools() -> Tools {
    let worker = WorkerProgram::named(binary()).unwrap();
    Tools::new(worker, &Limits::new(Confinement::Offered))
}

fn plan() -> Plan {
    let recipe = Recipe::new(EngineProfile::Default, tools());
    Plan::new(recipe, edgec_targets::default_targets())
}

fn hello() -> Vec<u8> {
    std::fs::read(repository().join("examples/hello.wat")).unwrap()
}

#[test]
fn library_and_command_line_make_the_same_artifacts() {
    let sandbox = Sandbox::new();
    let input = repository().join("examples/hello.wat");
    let input = input.to_str().unwrap();
    sandbox.ok(&["build", input, "--key", "key.pem", "-o", "out"]);
    let key = String::from_utf8(sandbox.read("key.pem")).unwrap();
    let key = SecretKey::from_pem(&key).unwrap();

    let (program, built) = plan().build("hello", hello(), &key, &()).unwrap();
    assert_eq!(program.name, "hello");
    assert_eq!(built.artifacts.len(), 2);
    for artifact in &built.artifacts {
        let file = sandbox.read(&format!("out/hello.{}.cwasm", artifact.target.id));
        assert!(artifact.bytes == file, "{}", artifact.target.id);

        let artifact = Artifact::decode(&file).unwrap();
        let Statement { manifest } = Statement::decode(artifact.envelope().payload()).unwrap();
        let input = hello();
        let rebuild = Rebuild::new(&manifest, &input, &tools()).unwrap();
        let found = rebuild.differences(artifact.image(), &()).unwrap();
        assert!(found.is_empty(), "{found:?}");
        let mut changed = artifact.image().to_vec();
        changed.pop();
        let found = rebuild.differences(&changed, &()).unwrap();
        assert!(!found.is_empty());
        let other = Rebuild::new(&manifest, b"(component)", &tools());
        assert!(matches!(other, Err(RebuildError::OtherInput { .. })));
    }
}

/// A signer that does not sign.
struct Unwilling(SecretKey);

#[derive(Debug)]
struct NoSignature;

impl fmt::Display for NoSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no signature today")
    }
}

impl Error for NoSignature {}

impl From<PackageError> for NoSignature {
    fn from(_: PackageError) -> Self {
        Self
    }
}

impl Signer for Unwilling {
    type Error = NoSignature;

    fn public(&self) -> SignerKeys {
        self.0.public().into()
    }

    fn sign(&self, _: &[u8]) -> Result<Vec<MadeSignature>, NoSignature> {
        Err(NoSignature)
    }
}

#[test]
fn a_build_that_fails_says_why() {
    let key = SecretKey::generate().unwrap();
    let build = |plan: &Plan, name: &str, input: Vec<u8>| {
        let built = plan.build(name, input, &key, &());
        built.map(drop).unwrap_err()
    };
    let nonsense = build(&plan(), "app", b"nonsense".to_vec());
    assert_eq!(nonsense.code(), "not-wasm");
    match nonsense {
        BuildError::Input { bytes, .. } => assert_eq!(bytes, b"nonsense"),
        other => panic!("{other:?}"),
    }
    let nameless = build(&plan(), "", hello());
    assert!(matches!(nameless, BuildError::Name(_)));
    assert_eq!(nameless.code(), "name");
    let mut spared = plan();
    spared.recipe.tools.optimizer.spared.insert(7);
    let spared = build(&spared, "app", hello());
    let missing = matches!(spared, BuildError::NoSuchModule { number: 7, .. });
    assert!(missing, "{spared:?}");
    assert_eq!(spared.code(), "keep-module");
    // A stage that gets no time has a code of its own.
    let mut late = plan();
    late.recipe.tools.timeout = Duration::ZERO;
    let late = build(&late, "app", hello());
    assert_eq!(late.code(), "validate-timeout", "{late:?}");
    // Another signer's error is the source.
    let unsigned = plan().build("app", hello(), &Unwilling(key), &());
    let unsigned = unsigned.map(drop).unwrap_err();
    assert_eq!(unsigned.code(), "sign");
    let source = unsigned.source().unwrap();
    assert_eq!(source.to_string(), "no signature today");
}

#[test]
fn a_program_that_does_not_answer_is_not_its_own_worker() {
    assert!(matches!(
        WorkerProgram::this(),
        Err(WorkerProgramError::NoAnswer)
    ));
}
