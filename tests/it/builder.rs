//! `edgec-builder` as a library: it makes the same as the command line, and its errors give the
//! reason.

use edgec_artifact::{Artifact, Statement};
use edgec_builder::{
    BuildError, Limits, NoWorker, Plan, Rebuild, RebuildError, Recipe, Tools, WorkerProgram,
};
use edgec_compiler::{Confinement, EngineProfile};
use edgec_packager::SecretKey;
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

#[test]
fn a_build_that_fails_says_why() {
    let key = SecretKey::generate().unwrap();
    match plan().build("app", b"nonsense".to_vec(), &key, &()) {
        Err(BuildError::Input { bytes, .. }) => assert_eq!(bytes, b"nonsense"),
        other => panic!("{other:?}"),
    }
    let nameless = plan().build("", hello(), &key, &());
    assert!(matches!(nameless, Err(BuildError::Name(_))));
    let mut spared = plan();
    spared.recipe.tools.optimizer.spared.insert(7);
    let spared = spared.build("app", hello(), &key, &());
    let missing = matches!(spared, Err(BuildError::NoSuchModule { number: 7, .. }));
    assert!(missing, "{spared:?}");
}

#[test]
fn a_program_that_does_not_answer_is_not_its_own_worker() {
    assert!(matches!(WorkerProgram::this(), Err(NoWorker::NoAnswer)));
}
