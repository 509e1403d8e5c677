//! The readers of WebAssembly: validation, and how the optimizer takes programs apart and puts them
//! together.

use edgec_compiler::{map_modules, validate};

/// A valid program can be described, and the description is valid again.
pub fn component(data: &[u8]) {
    match validate(data.to_vec()) {
        Ok(program) => {
            let _ = (program.interface(), program.resources());
            assert_eq!(program.bytes(), data);
        }
        Err(error) => drop(error.to_string()),
    }
}

/// A program whose modules do not change does not change. A program whose modules change in a
/// harmless way stays valid, and does not change further.
pub fn reencode(data: &[u8]) {
    let Ok(program) = validate(data.to_vec()) else {
        return;
    };
    let same = map_modules(&program, &mut |module| Some(module.to_vec()));
    assert!(same.is_none(), "untouched modules change the program");

    // Adds a custom section to each module: id 0, 3 bytes, a name of 2.
    let longer = |module: &[u8]| [module, b"\0\x03\x02ok"].concat();
    let mut modules = Vec::new();
    let changed = map_modules(&program, &mut |module| {
        modules.push(longer(module));
        Some(longer(module))
    });
    let Some(changed) = changed else {
        assert!(modules.is_empty(), "a change is lost");
        return;
    };
    let program = validate(changed).expect("a custom section changes no validity");
    let mut modules = modules.into_iter();
    let again = map_modules(&program, &mut |module| {
        assert_eq!(
            modules.next().as_deref(),
            Some(module),
            "not the module that was put in"
        );
        None
    });
    assert!(again.is_none(), "the second time differs");
    assert_eq!(modules.next(), None, "a module is missing");
}
