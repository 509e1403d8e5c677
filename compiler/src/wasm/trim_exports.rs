//! Removes exports of core modules that nothing in the component uses.
//!
//! Nothing outside a component can name an export of a core module inside it: a host calls only the
//! component's own exports. An export is unused if no other core module imports it and no alias
//! refers to it. It keeps functions alive that Binaryen would remove. A module that leaves the
//! component, as an export or as an argument, keeps all of its exports.

mod used;

use std::collections::BTreeSet;

use wasm_encoder::Encode as _;
use wasmparser::{ExportSectionReader, Parser, Payload, WasmFeatures};

use self::used::{Used, used};
use crate::input::validate::validate_known;
use crate::wasm::sections::{Becomes, with_sections};
use crate::{ProgramKind, ValidComponent, map_modules, validate};

/// A component whose core modules have only exports that are used.
pub(crate) struct Trimmed {
    /// The component.
    pub(crate) component: ValidComponent,
    /// How many exports were removed from each core module, in file order.
    pub(crate) removed: Vec<usize>,
}

/// Removes unused exports. `None` if there are none, or if the program contains something that this
/// stage does not understand.
pub(crate) fn trim_exports(program: &ValidComponent) -> Option<Trimmed> {
    if program.kind() == ProgramKind::Module {
        return None;
    }
    let mut modules = used(program.bytes())?.into_iter();
    let mut removed = Vec::new();
    let bytes = map_modules(program, &mut |module| {
        let trimmed = match modules.next() {
            Some(Used::Names(names)) => without_others(module, &names),
            _ => None,
        };
        let (bytes, lost) = trimmed.unzip();
        removed.push(lost.unwrap_or(0));
        bytes
    });
    // Function bodies do not change. They depend on exports only by references to functions: such a
    // function must be exported, or named elsewhere outside of code.
    let has_references = program.features().contains(WasmFeatures::REFERENCE_TYPES);
    let component = match has_references {
        true => validate(bytes?),
        false => validate_known(bytes?, program.code()),
    };
    let component = component.ok()?;
    Some(Trimmed { component, removed })
}

/// The module with only the exports of these names, and how many others were removed. `None` if
/// there are no others.
fn without_others(module: &[u8], names: &BTreeSet<&str>) -> Option<(Vec<u8>, usize)> {
    // The exports are read before anything is copied, because most modules lose none.
    let exports = Parser::new(0)
        .parse_all(module)
        .find_map(|payload| match payload {
            Ok(Payload::ExportSection(exports)) => Some(exports),
            _ => None,
        })?;
    let all = exports.count();
    let (kept, mut bytes) = keep(module, exports, names)?;
    let removed = usize::try_from(all.checked_sub(kept)?).ok()?;
    if removed == 0 {
        return None;
    }
    let rest = with_sections(module, |payload| {
        Some(match payload {
            Payload::ExportSection(_) if kept == 0 => Becomes::Nothing,
            Payload::ExportSection(_) => Becomes::Bytes(std::mem::take(&mut bytes)),
            _ => Becomes::Itself,
        })
    })?;
    Some((rest, removed))
}

/// The content of an export section with the exports of these names, copied byte for byte, and
/// their number.
fn keep(
    module: &[u8],
    exports: ExportSectionReader<'_>,
    names: &BTreeSet<&str>,
) -> Option<(u32, Vec<u8>)> {
    let end = exports.range().end;
    let mut entries = Vec::new();
    for export in exports.into_iter_with_offsets() {
        let (start, export) = export.ok()?;
        entries.push((start, names.contains(export.name)));
    }
    let ends = entries.iter().skip(1).map(|(start, _)| *start);
    let (mut kept, mut bytes) = (0, Vec::new());
    for ((start, wanted), end) in entries.iter().zip(ends.chain([end])) {
        if *wanted {
            kept += 1;
            bytes.extend_from_slice(module.get(*start..end)?);
        }
    }
    let mut section = Vec::new();
    u32::encode(&kept, &mut section);
    section.extend(bytes);
    Some((kept, section))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::modules::core_modules;

    /// The names of the remaining exports, module by module.
    fn left(text: &str) -> Vec<Vec<String>> {
        let program = validate(wat::parse_str(text).unwrap()).unwrap();
        let program = trim_exports(&program).map_or(program, |trimmed| trimmed.component);
        let names = core_modules(&program).into_iter().map(|module| {
            let mut names = Vec::new();
            for payload in Parser::new(0).parse_all(module) {
                if let Payload::ExportSection(section) = payload.unwrap() {
                    names.extend(section.into_iter().map(|e| e.unwrap().name.to_owned()));
                }
            }
            names
        });
        names.collect()
    }

    /// A module with the exports `a`, `b` and `c`.
    const GIVER: &str = r#"(core module $giver
        (func (export "a")) (func (export "b")) (memory (export "c") 1))"#;

    #[test]
    fn what_another_module_imports_stays() {
        let text = format!(
            r#"(component {GIVER}
            (core module $taker (import "x" "b" (func)) (import "y" "a" (func)) (func (export "z")))
            (core instance $x (instantiate $giver))
            (core instance $y (export "a" (func $x "b")))
            (core instance (instantiate $taker (with "x" (instance $x)) (with "y" (instance $y)))))"#
        );
        assert_eq!(left(&text), [vec!["b"], vec![]]);
    }

    #[test]
    fn what_an_alias_takes_out_stays() {
        let text = format!(
            r#"(component {GIVER}
            (core instance $x (instantiate $giver))
            (alias core export $x "c" (core memory $memory))
            (func (export "f") (canon lift (core func $x "a"))))"#
        );
        assert_eq!(left(&text), [["a", "c"]]);
    }

    #[test]
    fn the_uses_of_all_instances_count() {
        let text = format!(
            r#"(component {GIVER}
            (alias outer 0 $giver (core module $again))
            (core instance $x (instantiate $giver))
            (core instance $y (instantiate $again))
            (func (export "f") (canon lift (core func $x "a")))
            (component (alias outer 1 $giver (core module $inner))
                (core instance $z (instantiate $inner))
                (alias core export $z "c" (core memory))))"#
        );
        assert_eq!(left(&text), [["a", "c"]]);
        let text = text.replace(r#"$x "a""#, r#"$y "b""#);
        assert_eq!(left(&text), [["b", "c"]]);
    }

    #[test]
    fn a_module_that_goes_elsewhere_keeps_everything() {
        for way in [
            r#"(export "m" (core module $giver))"#,
            r#"(instance (export "m" (core module $giver)))"#,
            r#"(component $c (import "m" (core module)))
               (instance (instantiate $c (with "m" (core module $giver))))"#,
            r#"(component (alias outer 1 $giver (core module $m)) (export "m" (core module $m)))"#,
            // The imports of the other module are unknown.
            r#"(component (import "m" (core module $m (import "x" "a" (func))))
               (alias outer 1 $giver (core module $giver))
               (core instance $x (instantiate $giver))
               (core instance (instantiate $m (with "x" (instance $x)))))"#,
        ] {
            let text = format!("(component {GIVER} {way})");
            assert_eq!(left(&text), [["a", "b", "c"]], "{way}");
        }
    }

    #[test]
    fn an_export_that_makes_code_valid_stays() {
        // `ref.func` takes only functions that are named outside of code.
        let text = |more: &str| {
            format!(
                r#"(component
                (core module $m (func $f (export "a")) {more}
                    (func (export "b") (drop (ref.func $f))))
                (core instance $x (instantiate $m))
                (func (export "f") (canon lift (core func $x "b"))))"#
            )
        };
        assert_eq!(left(&text("")), [["a", "b"]]);
        assert_eq!(left(&text("(elem declare func $f)")), [["b"]]);
    }

    #[test]
    fn nothing_is_taken_from_a_core_module() {
        let text = r#"(module (func (export "a")))"#;
        let program = validate(wat::parse_str(text).unwrap()).unwrap();
        assert!(trim_exports(&program).is_none());
    }

    #[test]
    fn the_rest_of_a_module_is_as_it_was() {
        let text = |exports: &str| {
            format!(
                r#"(component (core module (func) (memory 1) {exports} (@custom "x" "kept"))
                (@custom "y" "kept"))"#
            )
        };
        let with = text(r#"(export "a" (func 0)) (export "b" (memory 0))"#);
        let program = validate(wat::parse_str(with).unwrap()).unwrap();
        let trimmed = trim_exports(&program).unwrap();
        assert_eq!(trimmed.removed, [2]);
        assert_eq!(trimmed.component.bytes(), wat::parse_str(text("")).unwrap());
    }
}
