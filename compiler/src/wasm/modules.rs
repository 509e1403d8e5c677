//! Lists the core modules of a program at any depth, and replaces them.
//!
//! Everything between core modules is copied byte for byte, section by section, so that nothing is
//! lost.

use wasm_encoder::{ComponentSection as _, ComponentSectionId, RawSection};
use wasmparser::{Parser, Payload};

use crate::wasm::sections::{Rewritten, sections};
use crate::{ProgramKind, ValidComponent};

/// Every core module at any depth, in the order of [`map_modules`].
pub(crate) fn core_modules(program: &ValidComponent) -> Vec<&[u8]> {
    modules_in(program.bytes(), program.kind())
}

/// Like [`core_modules`], for the bytes of a program.
pub(crate) fn modules_in(bytes: &[u8], kind: ProgramKind) -> Vec<&[u8]> {
    let mut modules = Vec::new();
    match kind {
        ProgramKind::Module => modules.push(bytes),
        ProgramKind::Component => collect(bytes, &mut modules),
    }
    modules
}

/// How many functions each core module of a program defines, at any depth, in file order.
pub fn defined_functions(program: &ValidComponent) -> Vec<u64> {
    core_modules(program).into_iter().map(defined_in).collect()
}

fn defined_in(module: &[u8]) -> u64 {
    // A valid module can always be split into sections.
    let payloads = Parser::new(0).parse_all(module).map_while(Result::ok);
    let counts = payloads.map(|payload| match payload {
        Payload::FunctionSection(functions) => u64::from(functions.count()),
        _ => 0,
    });
    counts.sum()
}

fn collect<'a>(component: &'a [u8], modules: &mut Vec<&'a [u8]>) {
    // A valid component can always be split into sections.
    for section in sections(component).flatten() {
        match (section.payload, section.nested) {
            (Payload::ModuleSection { .. }, Some(inner)) => modules.push(inner),
            (_, Some(inner)) => collect(inner, modules),
            (_, None) => {}
        }
    }
}

/// The program with new bytes for its core modules at any depth, and everything else unchanged,
/// byte for byte. `change` gets the core modules one by one, in file order. It returns the new
/// bytes, or `None` if the module stays the same. The result is not validated. It is `None` if
/// nothing changes.
pub fn map_modules(
    program: &ValidComponent,
    change: &mut dyn FnMut(&[u8]) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    map_modules_in(program.bytes(), program.kind(), change)
}

/// Like [`map_modules`], for the bytes of a program.
pub(crate) fn map_modules_in(
    bytes: &[u8],
    kind: ProgramKind,
    change: &mut dyn FnMut(&[u8]) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    match kind {
        ProgramKind::Module => change(bytes).filter(|new| new.as_slice() != bytes),
        ProgramKind::Component => {
            let mut out = Rewritten::new(bytes);
            match replace_modules(bytes, &mut out, change) {
                Some(()) => out.finish(),
                // A valid component can always be split into sections. If it could not, validation
                // would refuse the empty program.
                None => Some(Vec::new()),
            }
        }
    }
}

/// `None` if the bytes are not a component.
fn replace_modules(
    component: &[u8],
    out: &mut Rewritten<'_>,
    change: &mut dyn FnMut(&[u8]) -> Option<Vec<u8>>,
) -> Option<()> {
    for section in sections(component) {
        let section = section?;
        let Some(inner) = section.nested else {
            out.keep(&section);
            continue;
        };
        let (id, new) = match section.payload {
            Payload::ModuleSection { .. } => (ComponentSectionId::CoreModule, change(inner)),
            _ => {
                let mut new = Rewritten::new(inner);
                replace_modules(inner, &mut new, change)?;
                (ComponentSectionId::Component, new.finish())
            }
        };
        match new.filter(|new| new.as_slice() != inner) {
            // Its length may be encoded in more bytes than necessary.
            None => out.keep(&section),
            Some(new) => {
                let id = id.into();
                RawSection { id, data: &new }.append_to_component(out.replace(&section));
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate;

    const NESTED: &str = r#"(component
        (core module $a (func (export "a")))
        (component (core module (func)) (core module))
        (core instance (instantiate $a))
        (@custom "note" "kept"))"#;

    fn nested() -> ValidComponent {
        validate(wat::parse_str(NESTED).unwrap()).unwrap()
    }

    #[test]
    fn a_program_with_its_own_modules_put_back_is_itself() {
        for text in [NESTED, "(module (func))"] {
            let program = validate(wat::parse_str(text).unwrap()).unwrap();
            let mut seen = Vec::new();
            let same = map_modules(&program, &mut |module| {
                seen.push(module.to_vec());
                Some(module.to_vec())
            });
            assert_eq!(same, None);
            assert_eq!(seen, core_modules(&program));
            assert_eq!(map_modules(&program, &mut |_| None), None);
        }
        assert_eq!(core_modules(&nested()).len(), 3);
    }

    #[test]
    fn only_defined_functions_are_counted() {
        let text = r#"(component
            (core module (import "a" "b" (func)) (func) (func))
            (component (core module))
            (core module (func)))"#;
        let program = validate(wat::parse_str(text).unwrap()).unwrap();
        assert_eq!(defined_functions(&program), [2, 0, 1]);
        let module = validate(wat::parse_str("(module (func))").unwrap()).unwrap();
        assert_eq!(defined_functions(&module), [1]);
    }

    #[test]
    fn modules_at_any_depth_are_replaced() {
        let empty = wat::parse_str(r#"(module (func (export "a")) (memory 1))"#).unwrap();
        let replaced = map_modules(&nested(), &mut |_| Some(empty.clone())).unwrap();
        let replaced = validate(replaced).unwrap();
        assert_eq!(core_modules(&replaced), [&*empty, &*empty, &*empty]);
        // The sections after the modules are still there.
        let custom = b"\x04notekept";
        let mut places = replaced.bytes().windows(custom.len());
        assert!(places.any(|place| place == custom));
    }

    #[test]
    fn only_what_changes_is_written_anew() {
        let bytes = nested().bytes().to_vec();
        let before = nested();
        let before = core_modules(&before);
        for changed in 0..before.len() {
            let mut number = 0;
            let longer = |module: &[u8]| [module, b"\0\x03\x02ok"].concat();
            let new = map_modules(&nested(), &mut |module| {
                let this = number == changed;
                number += 1;
                this.then(|| longer(module))
            });
            let new = validate(new.unwrap()).unwrap();
            for (at, (new, old)) in core_modules(&new)
                .into_iter()
                .zip(before.iter().copied())
                .enumerate()
            {
                let expected = if at == changed {
                    longer(old)
                } else {
                    old.to_vec()
                };
                assert_eq!(new, expected);
            }
            // Without the addition, it is the same program.
            let mut old = before.iter();
            let back = map_modules(&new, &mut |_| old.next().map(|module| module.to_vec()));
            assert_eq!(back.unwrap(), bytes);
        }
    }
}
