//! The imports and exports of a program, by name.

use std::collections::BTreeSet;

use edgec_targets::import_text;
use serde::{Deserialize, Serialize};
use wasmparser::{Parser, Payload};

/// Imports and exports of a component, or of a core module.
///
/// For a component, these are the names of its outermost level (`wasi:cli/run@0.2.0`). For a core
/// module, imports are `module::name` ([`import_text`]).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// The imports of the program.
    pub imports: BTreeSet<String>,
    /// The exports of the program.
    pub exports: BTreeSet<String>,
}

impl Interface {
    /// Reads the outermost level of a valid binary.
    pub(crate) fn of(wasm: &[u8]) -> Self {
        let mut interface = Self::default();
        let mut depth = 0u32;
        for payload in Parser::new(0).parse_all(wasm).map_while(Result::ok) {
            match payload {
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                _ if depth == 1 => interface.add(payload),
                _ => {}
            }
        }
        interface
    }

    fn add(&mut self, payload: Payload<'_>) {
        match payload {
            Payload::ImportSection(section) => {
                let imports = section.into_imports().flatten();
                self.imports
                    .extend(imports.map(|import| import_text(import.module, import.name)));
            }
            Payload::ExportSection(section) => {
                let exports = section.into_iter().flatten();
                self.exports.extend(exports.map(|e| e.name.to_owned()));
            }
            Payload::ComponentImportSection(section) => {
                let imports = section.into_iter().flatten();
                self.imports
                    .extend(imports.map(|import| import.name.name.to_owned()));
            }
            Payload::ComponentExportSection(section) => {
                let exports = section.into_iter().flatten();
                self.exports
                    .extend(exports.map(|export| export.name.name.to_owned()));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_outermost_level_counts() {
        let wasm = wat::parse_str(
            r#"(component
                (import "wasi:cli/stdout@0.2.0" (instance))
                (core module $m (import "a" "b" (func)) (export "c" (func 0)))
                (export "m" (core module $m)))"#,
        )
        .unwrap();
        let interface = Interface::of(&wasm);
        assert_eq!(Vec::from_iter(interface.imports), ["wasi:cli/stdout@0.2.0"]);
        assert_eq!(Vec::from_iter(interface.exports), ["m"]);

        let wasm = wat::parse_str(r#"(module (import "a" "b" (func)) (export "c" (func 0)))"#);
        let interface = Interface::of(&wasm.unwrap());
        assert_eq!(Vec::from_iter(interface.imports), ["a::b"]);
        assert_eq!(Vec::from_iter(interface.exports), ["c"]);
    }

    #[test]
    fn two_imports_of_a_core_module_have_two_names() {
        let wasm =
            wat::parse_str(r#"(module (import "a" "b::c" (func)) (import "a::b" "c" (func)))"#);
        let interface = Interface::of(&wasm.unwrap());
        assert_eq!(
            Vec::from_iter(interface.imports),
            ["a::b::c", r"a\x3a:b::c"]
        );
    }
}
