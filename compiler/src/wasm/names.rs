//! Removes the names of functions from a program before it is compiled, and keeps them for its
//! debug file.
//!
//! An image with names takes longer to load, because the engine decodes each name. The names are
//! taken from the last form of the program, because optimizing adds, removes and renumbers
//! functions.
//!
//! Source: WebAssembly 3.0, appendix "Custom Sections", "Name Section".

use serde::{Deserialize, Serialize};

use crate::wasm::function_names::{ModuleNames, has_names, without_names};
use crate::{ValidComponent, map_modules};

/// The names of the functions of every core module.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Names {
    modules: Vec<ModuleNames>,
}

/// Removes the name sections from a program's core modules. Returns the program without them, or
/// `None` if it has no name sections. Also returns the names.
pub fn take_names(program: &ValidComponent) -> (Option<ValidComponent>, Names) {
    let mut modules = Vec::new();
    // The engine numbers core modules in file order, at any depth. So does this function.
    let bytes = map_modules(program, &mut |module| {
        let (rest, names) = match has_names(module) {
            true => without_names(module, |_| false).unzip(),
            false => (None, None),
        };
        let mut names: ModuleNames = names.flatten().unwrap_or_default();
        // Such names come from an optimizer in the program's toolchain. The numbers are old
        // indices, which are wrong now.
        let number = |name: &String| name.bytes().all(|byte| byte.is_ascii_digit());
        names.functions.retain(|_, name| !number(name));
        modules.push(names);
        rest
    });
    // Custom sections have no meaning, so the program stays valid.
    let bare = bytes.map(|bytes| program.with_bytes(bytes));
    (bare, Names { modules })
}

#[cfg(any(test, feature = "precompile"))]
impl Names {
    /// A core module's own name, by the module's number.
    pub(crate) fn module(&self, module: u32) -> Option<&str> {
        let module = self.modules.get(usize::try_from(module).ok()?)?;
        module.module.as_deref()
    }

    /// A function's name, by the number of its module and its index there.
    pub(crate) fn function(&self, module: u32, function: u32) -> Option<&str> {
        let module = self.modules.get(usize::try_from(module).ok()?)?;
        module.functions.get(&function).map(String::as_str)
    }

    /// The number of core modules.
    pub(crate) fn modules(&self) -> u32 {
        u32::try_from(self.modules.len()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate;
    use crate::wasm::modules::core_modules;

    #[test]
    fn names_go_and_nothing_else_does() {
        let named = r#"(component
            (core module $outer (func $first) (func $7) (func (export "e")) (@custom "note" "kept"))
            (component (core module $inner (import "a" "b" (func $imported)) (func $second))))"#;
        let bare = r#"(component
            (core module (func) (func) (func (export "e")) (@custom "note" "kept"))
            (component (core module (import "a" "b" (func)) (func))))"#;
        let parse = |text| validate(wat::parse_str(text).unwrap()).unwrap();
        let (program, names) = take_names(&parse(named));
        let program = program.unwrap();
        // The component's own names do not belong to a module.
        assert_eq!(core_modules(&program), core_modules(&parse(bare)));
        assert_eq!(names.modules(), 2);
        assert_eq!(names.module(0), Some("outer"));
        assert_eq!(names.function(0, 0), Some("first"));
        assert_eq!(names.function(0, 1), None);
        assert_eq!(names.function(1, 1), Some("second"));
        let (again, none) = take_names(&program);
        assert!(again.is_none());
        assert_eq!(none.function(0, 0), None);
    }

    #[test]
    fn broken_names_end_where_they_break() {
        // A function subsection with two names. The second one lies beyond its end.
        let text = r#"(module (func) (@custom "name" "\01\06\02\00\01a\01\7f"))"#;
        let program = validate(wat::parse_str(text).unwrap()).unwrap();
        let (program, names) = take_names(&program);
        let program = program.unwrap();
        assert_eq!(names.function(0, 0), Some("a"));
        assert_eq!(names.function(0, 1), None);
        assert!(!program.bytes().windows(4).any(|bytes| bytes == b"name"));
    }
}
