//! Keeps the names of functions while Binaryen runs.
//!
//! Binaryen identifies functions by name. It numbers functions without a name, renames functions
//! whose names are not unique, and invents names for functions that it makes. But users should see
//! the names of their program. So before Binaryen runs, every function is named after its index.
//! Afterwards, each function that still has such a name gets its own name back. Functions that
//! Binaryen made have no name, like functions that the program does not name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wasm_encoder::{NameMap, NameSection, Section as _};
use wasmparser::{KnownCustom, Name, Parser, Payload};

use crate::wasm::module_parts::{Parts, is_function};
use crate::wasm::sections::{Becomes, with_sections};

/// The names in a core module: its own, and those of its functions by index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ModuleNames {
    pub(crate) module: Option<String>,
    pub(crate) functions: BTreeMap<u32, String>,
}

impl ModuleNames {
    /// Reads a name section up to its first error. A valid program can have a broken name section.
    pub(crate) fn read(&mut self, section: wasmparser::NameSectionReader<'_>) {
        for part in section {
            match part {
                Ok(Name::Module { name, .. }) => self.module = Some(name.to_owned()),
                Ok(Name::Function(functions)) => {
                    let functions = functions.into_iter().map_while(Result::ok);
                    let functions = functions.map(|naming| (naming.index, naming.name.to_owned()));
                    self.functions.extend(functions);
                }
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }

    /// The name section with these names.
    pub(crate) fn section(&self) -> NameSection {
        let mut section = NameSection::new();
        if let Some(module) = &self.module {
            section.module(module);
        }
        let mut functions = NameMap::new();
        for (index, name) in &self.functions {
            functions.append(*index, name);
        }
        section.functions(&functions);
        section
    }
}

/// Whether a module has a name section.
pub(crate) fn has_names(module: &[u8]) -> bool {
    let mut payloads = Parser::new(0).parse_all(module);
    payloads.any(|payload| match payload {
        Ok(Payload::CustomSection(section)) => matches!(section.as_known(), KnownCustom::Name(_)),
        _ => false,
    })
}

/// A module without its name section and without custom sections whose names `left_out` accepts.
/// Also returns the names in the name section, if it has one. `None` if the bytes are not a module.
pub(crate) fn without_names(
    module: &[u8],
    left_out: impl Fn(&str) -> bool,
) -> Option<(Vec<u8>, Option<ModuleNames>)> {
    let mut names: Option<ModuleNames> = None;
    let rest = with_sections(module, |payload| {
        let Payload::CustomSection(section) = &payload else {
            return Some(Becomes::Itself);
        };
        if let KnownCustom::Name(section) = section.as_known() {
            names.get_or_insert_default().read(section);
            return Some(Becomes::Nothing);
        }
        Some(match left_out(section.name()) {
            true => Becomes::Nothing,
            false => Becomes::Itself,
        })
    })?;
    Some((rest, names))
}

/// A module whose functions are named after their indices, without custom sections whose names
/// `left_out` accepts. Also returns the original names.
pub(crate) fn numbered(
    module: &[u8],
    left_out: impl Fn(&str) -> bool,
) -> Option<(Vec<u8>, ModuleNames)> {
    let functions = functions(module)?;
    let (mut bytes, names) = without_names(module, left_out)?;
    let numbers = (0..functions).map(|index| (index, format!("f{index}")));
    let numbers = ModuleNames {
        module: None,
        functions: numbers.collect(),
    };
    numbers.section().append_to(&mut bytes);
    Some((bytes, names.unwrap_or_default()))
}

/// Gives a numbered module its own names back.
pub(crate) fn named(module: &[u8], names: &ModuleNames) -> Option<Vec<u8>> {
    let (mut bytes, numbers) = without_names(module, |_| false)?;
    let numbers = numbers.unwrap_or_default().functions.into_iter();
    let functions = numbers.filter_map(|(index, number)| {
        let before = number.strip_prefix('f')?.parse().ok()?;
        Some((index, names.functions.get(&before)?.clone()))
    });
    let names = ModuleNames {
        module: names.module.clone(),
        functions: functions.collect(),
    };
    if names != ModuleNames::default() {
        names.section().append_to(&mut bytes);
    }
    Some(bytes)
}

/// The names of a module's functions, under their new indices.
pub(crate) fn moved_names(
    parts: &Parts<'_>,
    mut index: impl FnMut(u32) -> Option<u32>,
) -> NameSection {
    let mut names = ModuleNames::default();
    for custom in &parts.customs {
        if let KnownCustom::Name(section) = custom.as_known() {
            names.read(section);
        }
    }
    let functions = std::mem::take(&mut names.functions).into_iter();
    let moved = functions.filter_map(|(old, name)| Some((index(old)?, name)));
    names.functions = moved.collect();
    names.section()
}

/// How many functions a module has, including imported ones.
fn functions(module: &[u8]) -> Option<u32> {
    let mut functions = 0u32;
    for payload in Parser::new(0).parse_all(module) {
        match payload.ok()? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    functions += u32::from(is_function(&import.ok()?));
                }
            }
            Payload::FunctionSection(section) => {
                return functions.checked_add(section.count());
            }
            Payload::CodeSectionStart { .. } => break,
            _ => {}
        }
    }
    Some(functions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(module: &[u8]) -> BTreeMap<u32, String> {
        without_names(module, |_| false)
            .unwrap()
            .1
            .unwrap_or_default()
            .functions
    }

    #[test]
    fn names_come_back_where_the_numbers_went() {
        let text = r#"(module $m (import "a" "b" (func $imported)) (func $first) (func) (func $last)
            (@custom "note" "kept"))"#;
        let wasm = wat::parse_str(text).unwrap();
        let (numbered, own) = numbered(&wasm, |_| false).unwrap();
        let expected = (0..4).map(|index| (index, format!("f{index}")));
        assert_eq!(names(&numbered), expected.collect::<BTreeMap<_, _>>());
        assert_eq!(named(&numbered, &own).unwrap(), {
            // The name section is the last one.
            let (mut rest, own) = without_names(&wasm, |_| false).unwrap();
            own.unwrap().section().append_to(&mut rest);
            rest
        });
    }

    #[test]
    fn what_the_optimizer_invents_is_no_name() {
        let own = ModuleNames {
            module: None,
            functions: BTreeMap::from([(1, "one".to_owned()), (2, "two".to_owned())]),
        };
        let text =
            r#"(module (func $f2) (func $f1_0) (func $7) (func $byn$mgfn-shared$f1) (func $f9))"#;
        let named = named(&wat::parse_str(text).unwrap(), &own).unwrap();
        assert_eq!(names(&named), BTreeMap::from([(0, "two".to_owned())]));
        let none = super::named(
            &wat::parse_str("(module (func $f1))").unwrap(),
            &ModuleNames::default(),
        );
        assert_eq!(none.unwrap(), wat::parse_str("(module (func))").unwrap());
    }
}
