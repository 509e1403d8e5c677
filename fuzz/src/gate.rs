//! What users demand of programs: worlds in WIT, imports, limits.

use edgec_compiler::{
    Gate, ImportPattern, NeedLimits, ValidComponent, Violation, Violations, WitError, WitFile,
    WitPackage, WorldSource, validate,
};
use wasmparser::{Validator, WasmFeatures};

/// The length of the longest text that is tried as WIT, in bytes: a longer one finds nothing new.
const MAX_WIT: usize = 4096;

/// A world is valid component types, and the same files give the same types. A program that imports
/// nothing breaks a world only by what it does not export.
///
/// The input is the files of packages, with a byte between them that no text has.
pub fn wit(data: &[u8]) {
    if data.len() > MAX_WIT {
        return;
    }
    let source = world(data.split(|byte| *byte == 0xff));
    let encoded = match source.encoded() {
        Ok(encoded) => encoded,
        Err(error) => return told(&error),
    };
    assert_eq!(
        source.encoded().as_ref(),
        Ok(&encoded),
        "the second time differs"
    );
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    if let Err(error) = validator.validate_all(&encoded) {
        // Such as names that differ only in their case.
        return drop(error.to_string());
    }
    let empty = validate(b"\0asm\x0d\0\x01\0".to_vec()).expect("an empty component");
    let gate = Gate {
        world: Some(source),
        ..Gate::default()
    };
    match gate.violations(&empty) {
        Ok(found) => {
            let mut listed = found.listed.iter();
            let is_export = |it: &Violation| matches!(it, Violation::WorldExport { .. });
            assert!(listed.all(is_export), "{:?}", found.listed);
            drop(found.to_string());
        }
        Err(error) => told(&error),
    }
}

/// A program breaks no demand that allows exactly what it has, and breaks every demand that allows
/// less.
///
/// The input is a text of demands, and then a program: the text is a world, and each of its lines
/// is a pattern for imports.
pub fn gate(data: &[u8]) {
    let begin = data.windows(4).position(|bytes| bytes == b"\0asm");
    let Some((text, program)) = begin.and_then(|begin| data.split_at_checked(begin)) else {
        return;
    };
    let Ok(program) = validate(program.to_vec()) else {
        return;
    };
    let interface = program.interface();
    assert!(
        broken(&Gate::default(), &program).is_empty(),
        "no demand is broken"
    );

    let exactly = interface.imports.iter().map(ImportPattern::new).collect();
    let refused = broken(&imports(exactly), &program);
    assert!(refused.is_empty(), "its own imports: {refused:?}");
    let none = broken(&imports(Vec::new()), &program);
    assert_eq!(none.count(), interface.imports.len(), "{none:?}");
    if let Ok(text) = std::str::from_utf8(text) {
        let patterns: Vec<ImportPattern> = text.lines().map(ImportPattern::new).collect();
        let refused = broken(&imports(patterns.clone()), &program);
        let allows = |import: &String| patterns.iter().any(|it| it.allows(import));
        let expected = interface.imports.iter().filter(|import| !allows(import));
        assert_eq!(refused.count(), expected.count(), "{refused:?}");
    }
    limits(&program);
    if text.len() <= MAX_WIT {
        let gate = Gate {
            world: Some(world([text])),
            ..Gate::default()
        };
        match gate.violations(&program) {
            Ok(found) => assert_eq!(gate.violations(&program), Ok(found)),
            Err(error) => told(&error),
        }
    }
}

/// The limits that a program just keeps are kept, and lower ones are broken.
fn limits(program: &ValidComponent) {
    let needs = program.resources();
    if !needs.complete {
        return;
    }
    let most = |all: &[edgec_compiler::Limits]| all.iter().map(|it| it.minimum).max();
    let own = NeedLimits {
        core_instances: Some(needs.core_instances),
        memories: Some(needs.memories.len() as u64),
        memory_bytes: most(&needs.memories),
        tables: Some(needs.tables.len() as u64),
        table_elements: most(&needs.tables),
    };
    let beyond = broken(&limited(own), program);
    assert!(beyond.is_empty(), "{own:?}: {beyond:?}");
    let lower = |limit: Option<u64>| limit.and_then(|limit| limit.checked_sub(1));
    let lower = NeedLimits {
        core_instances: lower(own.core_instances),
        memories: lower(own.memories),
        memory_bytes: lower(own.memory_bytes),
        tables: lower(own.tables),
        table_elements: lower(own.table_elements),
    };
    let stated = [
        lower.core_instances,
        lower.memories,
        lower.memory_bytes,
        lower.tables,
        lower.table_elements,
    ];
    let stated = stated.into_iter().flatten().count();
    // Several memories or tables may be larger than the limit.
    assert!(
        broken(&limited(lower), program).count() >= stated,
        "{lower:?}"
    );
}

fn imports(patterns: Vec<ImportPattern>) -> Gate {
    Gate {
        imports: Some(patterns),
        ..Gate::default()
    }
}

fn limited(limits: NeedLimits) -> Gate {
    Gate {
        limits,
        ..Gate::default()
    }
}

/// What a program breaks of demands without a world. It says all of it, also in words.
fn broken(gate: &Gate, program: &ValidComponent) -> Violations {
    let found = gate.violations(program).expect("there is no world");
    found.listed.iter().for_each(|it| drop(it.to_string()));
    found
}

/// A world in files. Each of them is a package.
fn world<'d>(files: impl IntoIterator<Item = &'d [u8]>) -> WorldSource {
    let files = files.into_iter().enumerate();
    let packages = files.map(|(number, bytes)| WitPackage {
        files: vec![WitFile {
            name: format!("{number}.wit"),
            bytes: bytes.to_vec(),
        }],
    });
    WorldSource::Files {
        packages: packages.collect(),
        world: None,
    }
}

/// An error can be printed, and has a code.
fn told(error: &WitError) {
    assert!(!error.code().is_empty() && !error.to_string().is_empty());
}
