//! Programs with legacy exceptions, and optimizers that translate them or fail.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::Runs;

const LEGACY: &str = "(module (func $catch try catch_all end))";
const STANDARD: &str = "(module (func $catch (block (try_table (catch_all 0)))))";

fn optimizer(version: &str, runs: Runs) -> Optimizer {
    Optimizer {
        program: "/nonexistent".into(),
        arguments: Vec::new(),
        tool: Tool::WasmOpt,
        version: version.to_owned(),
        timeout: Duration::from_secs(60),
        memory: 1 << 30,
        reads: Reads::Everything,
        spared: BTreeSet::new(),
        runs,
        answers: None,
    }
}

/// A core module of `text`, as a component has it, with these modules around it.
fn component(text: &str) -> Vec<u8> {
    let module = text.strip_prefix("(module").unwrap();
    let text = format!("(component (core module) (core module {module} (core module (func)))");
    wat::parse_str(text).unwrap()
}

fn program(modules: Vec<LegacyModule>) -> LegacyProgram {
    LegacyProgram {
        from_text: true,
        modules,
    }
}

fn long() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

/// Knows the only module of these tests.
fn knows_one(module: &[u8], arguments: &[OsString]) -> Result<Vec<u8>, Failure> {
    let arguments: Vec<_> = arguments.iter().map(|it| it.to_string_lossy()).collect();
    assert_eq!(
        arguments.join(" "),
        "--mvp-features --enable-reference-types --enable-multivalue \
         --enable-exception-handling --translate-to-exnref -g"
    );
    assert!(features::beside_legacy_exceptions(module).is_some());
    let standard = wat::parse_str(STANDARD).unwrap();
    let (standard, _) = numbered(&standard, is_note).ok_or(Failure::Names)?;
    Ok(standard)
}

#[test]
fn only_modules_with_legacy_exceptions_are_translated() {
    for (kind, legacy, standard, number) in [
        (
            ProgramKind::Module,
            wat::parse_str(LEGACY).unwrap(),
            wat::parse_str(STANDARD).unwrap(),
            0,
        ),
        (
            ProgramKind::Component,
            component(LEGACY),
            component(STANDARD),
            1,
        ),
    ] {
        let error = validate(legacy.clone()).unwrap_err();
        assert!(error.is_about_legacy_exceptions(), "{error}");
        assert_eq!(error.code(), "legacy-exceptions");
        let found = program(find(&legacy, kind).unwrap());
        let optimizer = optimizer("wasm-opt version 118 (version_118)", Runs::By(knows_one));
        let translated = found.translate(&optimizer, long()).unwrap();
        assert!(translated.from_text);
        assert_eq!(translated.numbers(), [number]);
        let whole = put_back(&legacy, kind, &translated.modules).unwrap();
        // The names are those of the program.
        assert_eq!(whole, standard);
        // Without the translated module, the program is as invalid as before.
        let error = put_back(&legacy, kind, &[]).unwrap_err();
        assert!(error.is_about_legacy_exceptions(), "{error}");
    }
    let valid = wat::parse_str(STANDARD).unwrap();
    assert!(find(&valid, ProgramKind::Module).unwrap().is_empty());
}

#[test]
fn another_error_comes_first() {
    let also = "(module (memory 1 (pagesize 1)) (func try catch_all end))";
    let wasm = wat::parse_str(also).unwrap();
    let error = find(&wasm, ProgramKind::Module).unwrap_err();
    assert_eq!(error.code(), "unsupported");
    let invalid = "(module (func try catch_all i32.add end))";
    let wasm = wat::parse_str(invalid).unwrap();
    let error = find(&wasm, ProgramKind::Module).unwrap_err();
    assert_eq!(error.code(), "invalid");
}

#[test]
fn each_failure_has_an_error() {
    let legacy = wat::parse_str(LEGACY).unwrap();
    let translate = |version: &str, runs| {
        let found = program(find(&legacy, ProgramKind::Module).unwrap());
        let error = found.translate(&optimizer(version, runs), long());
        error.unwrap_err()
    };
    for old in [
        "wasm-opt version 117 (version_117)",
        "fake 1",
        "",
        "version",
    ] {
        let error = translate(old, Runs::By(knows_one));
        assert!(matches!(error, TranslateError::Version { .. }), "{error}");
        assert_eq!(error.code(), "legacy-exceptions");
    }
    let failed = translate("version 132", Runs::By(|_, _| Err(Failure::Names)));
    assert!(matches!(failed, TranslateError::Failed { module: 0, .. }));
    // The program of `optimizer` does not exist.
    let missing = translate("version 132", Runs::InProcesses);
    assert!(
        matches!(missing, TranslateError::Machine { .. }),
        "{missing}"
    );
}

#[test]
fn versions_are_read() {
    for (text, number) in [
        ("wasm-opt version 118 (version_118)", Some(118)),
        ("wasm-opt version 132", Some(132)),
        ("wasm-opt version 120 (version_120-14-gabc)", Some(120)),
        ("wasm-opt version x", None),
        ("wasm-opt 118", None),
        ("version 99999999999", None),
    ] {
        assert_eq!(version_number(text), number, "{text}");
    }
}
