//! Reorders functions and types: first the functions to which a reference can be made, and the
//! types that the engine looks up.
//!
//! The engine keeps a table entry for every function of a module. At run time it looks up only
//! functions that *escape*. A function escapes if it is exported, is in an element segment, or is
//! named by `ref.func` in a constant expression (in code, `ref.func` may only name one of these
//! functions). In most programs, half of the functions escape. If they come first, the other
//! entries are at the end of the table, and can be cut off from the image ([`crate::image::trim`]).
//! Only the `edge` profile does this.
//!
//! Functions still do the same, and calls still reach the same functions; only numbers change.
//! Custom sections are removed, because they may contain such numbers, and the name section is
//! rewritten. Source: `wasmtime-environ` 48, `compile/module_environ.rs`, `flag_func_escaped`.

mod functions;
pub(crate) mod types;

use std::convert::Infallible;

use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{CodeSection, FunctionSection, NameMap, NameSection, TypeSection};
use wasmparser::{
    CodeSectionReader, CustomSectionReader, FunctionSectionReader, KnownCustom, Name,
    NameSectionReader, Parser, TypeSectionReader,
};

use self::functions::Functions;
use self::types::{OTHER_USES, TypeOrder};
use crate::{ValidComponent, map_modules, validate};

/// A section with this name refers to places in code, and the engine uses it.
const BRANCH_HINTS: &str = "metadata.code.branch_hint";

/// A program in which the functions that escape come first in each core module, and the types that
/// the engine looks up. A module stays the same, byte for byte, if they already come first, or if
/// it has branch hints. The whole program stays the same if the result would be invalid.
pub fn order(program: ValidComponent) -> ValidComponent {
    let order_types = !program.features().intersects(OTHER_USES);
    let mut first = |module: &[u8]| escaping_first(module, order_types);
    let Some(ordered) = map_modules(&program, &mut first) else {
        return program;
    };
    match validate(ordered) {
        Ok(ordered) if ordered.interface() == program.interface() => ordered,
        _ => program,
    }
}

/// `None` if there is nothing to do, or it cannot be done.
fn escaping_first(module: &[u8], order_types: bool) -> Option<Vec<u8>> {
    let functions = Functions::read(module)?;
    let types = match order_types {
        true => functions.types_looked_up()?,
        // All types, in their order.
        false => (0..functions.type_count).collect(),
    };
    let types = TypeOrder::new(functions.type_count, &types)?;
    let imported = u32::try_from(functions.imported).ok()?;
    let defined = functions.escaping.get(functions.imported..)?;
    let (mut order, rest): (Vec<u32>, Vec<u32>) =
        (0..).take(defined.len()).partition(|&index: &u32| {
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            defined.get(index).copied().unwrap_or(false)
        });
    order.extend(rest);
    if order.is_sorted() && types.is_same() {
        return None;
    }
    let mut new_index = vec![0; order.len()];
    for (new, &old) in (0..).zip(&order) {
        *new_index.get_mut(usize::try_from(old).ok()?)? = new;
    }
    let mut out = wasm_encoder::Module::new();
    let mut reorder = Reorder {
        imported,
        order,
        new_index,
        types,
    };
    reorder
        .parse_core_module(&mut out, Parser::new(0), module)
        .ok()?;
    Some(out.finish())
}

/// Rewrites a module with its defined functions in another order.
struct Reorder {
    imported: u32,
    /// The old index of each defined function, in the new order.
    order: Vec<u32>,
    /// The new index of each defined function, in the old order.
    new_index: Vec<u32>,
    types: TypeOrder,
}

type Error = reencode::Error<Infallible>;

/// The module was validated, so an inconsistency is a defect. `order` then leaves the module
/// unchanged.
const NOT_VALID: Error = Error::InvalidCodeSectionSize;

fn pick<T>(items: &mut [Option<T>], index: u32) -> Result<T, Error> {
    let index = usize::try_from(index).map_err(|_| NOT_VALID)?;
    let item = items.get_mut(index).and_then(Option::take);
    item.ok_or(NOT_VALID)
}

impl Reencode for Reorder {
    type Error = Infallible;

    fn function_index(&mut self, old: u32) -> Result<u32, Error> {
        let Some(defined) = old.checked_sub(self.imported) else {
            return Ok(old);
        };
        let index = usize::try_from(defined).map_err(|_| NOT_VALID)?;
        let new = self.new_index.get(index).ok_or(NOT_VALID)?;
        Ok(self.imported + new)
    }

    fn type_index(&mut self, old: u32) -> Result<u32, Error> {
        self.types.new_index(old).ok_or(NOT_VALID)
    }

    fn parse_type_section(
        &mut self,
        types: &mut TypeSection,
        section: TypeSectionReader<'_>,
    ) -> Result<(), Error> {
        if self.types.is_same() {
            return reencode::utils::parse_type_section(self, types, section);
        }
        // Each group has one type: others need features with which the types keep their order.
        let groups: Result<Vec<_>, _> = section.into_iter().map(|group| group.map(Some)).collect();
        let mut groups = groups?;
        for &old in &self.types.order.clone() {
            self.parse_recursive_type_group(types.ty(), pick(&mut groups, old)?)?;
        }
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), Error> {
        let types: Result<Vec<_>, _> = section.into_iter().map(|ty| ty.map(Some)).collect();
        let mut types = types?;
        for &old in &self.order.clone() {
            functions.function(self.type_index(pick(&mut types, old)?)?);
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: CodeSectionReader<'_>,
    ) -> Result<(), Error> {
        let bodies: Result<Vec<_>, _> = section.into_iter().map(|body| body.map(Some)).collect();
        let mut bodies = bodies?;
        for &old in &self.order.clone() {
            self.parse_function_body(code, pick(&mut bodies, old)?)?;
        }
        Ok(())
    }

    fn parse_custom_section(
        &mut self,
        module: &mut wasm_encoder::Module,
        section: CustomSectionReader<'_>,
    ) -> Result<(), Error> {
        if let KnownCustom::Name(names) = section.as_known() {
            // The engine ignores names that it cannot read.
            if let Some(names) = self.names(names) {
                module.section(&names);
            }
        }
        Ok(())
    }
}

impl Reorder {
    /// Names have the order of the functions. Later stages read only the names of functions and of
    /// the module.
    fn names(&mut self, section: NameSectionReader<'_>) -> Option<NameSection> {
        let mut out = NameSection::new();
        for subsection in section {
            match subsection.ok()? {
                Name::Module { name, .. } => out.module(name),
                Name::Function(map) => {
                    let mut names = Vec::new();
                    for naming in map {
                        let naming = naming.ok()?;
                        // A name may refer to a function that does not exist.
                        if let Ok(index) = self.function_index(naming.index) {
                            names.push((index, naming.name));
                        }
                    }
                    names.sort_unstable();
                    names.dedup_by_key(|(index, _)| *index);
                    let mut map = NameMap::new();
                    for (index, name) in names {
                        map.append(index, name);
                    }
                    out.functions(&map);
                }
                _ => {}
            }
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use wasmparser::Payload;

    use super::*;

    /// Calls and references of every kind, from all places.
    const MODULE: &str = r#"(module $named
        (import "env" "f" (func $import (result i32)))
        (type $t (func (result i32)))
        (func $inner (type $t) call $import)
        (func $exported (export "e") (type $t) call $inner)
        (func $started call $inner drop)
        (func $in_table (type $t) call $exported)
        (func $tail (type $t) return_call $inner)
        (func $in_global (type $t) i32.const 7)
        (func $declared (type $t) (local funcref) ref.func $declared local.set 0 call $tail)
        (func $as_expression (type $t) (call_indirect (type $t) (i32.const 0)))
        (table $table 4 funcref)
        (global funcref (ref.func $in_global))
        (elem (i32.const 0) $in_table)
        (elem declare func $declared)
        (elem (i32.const 1) funcref (ref.func $as_expression) (ref.null func))
        (start $started)
        (@custom "unknown" "left out"))"#;

    #[test]
    fn what_escapes_comes_first_and_stays_what_it_is() {
        let wasm = wat::parse_str(MODULE).unwrap();
        let ordered = order(validate(wasm.clone()).unwrap());
        let before = Functions::read(&wasm).unwrap();
        let after = Functions::read(ordered.bytes()).unwrap();
        assert_eq!(before.imported, 1);
        assert_eq!(
            before.escaping,
            [false, false, true, false, true, false, true, true, true]
        );
        assert_eq!(
            after.escaping,
            [false, true, true, true, true, true, false, false, false]
        );
        let names = |module: &[u8]| {
            let mut found = Vec::new();
            for payload in Parser::new(0).parse_all(module) {
                if let Payload::CustomSection(section) = payload.unwrap()
                    && let KnownCustom::Name(names) = section.as_known()
                {
                    for name in names {
                        if let Name::Function(map) = name.unwrap() {
                            found.extend(map.into_iter().map(|it| it.unwrap().name.to_owned()));
                        }
                    }
                }
            }
            found
        };
        let expected = [
            "import",
            "exported",
            "in_table",
            "in_global",
            "declared",
            "as_expression",
            "inner",
            "started",
            "tail",
        ];
        assert_eq!(names(ordered.bytes()), expected);
        // A second run changes nothing.
        assert_eq!(order(ordered.clone()).bytes(), ordered.bytes());
    }

    /// The type section and the types of functions, as text.
    fn types(module: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        for payload in Parser::new(0).parse_all(module) {
            if let Payload::TypeSection(section) = payload.unwrap() {
                for group in section {
                    let types = group.unwrap().into_types();
                    found.extend(types.map(|ty| ty.unwrap_func().to_string()));
                }
            }
        }
        found
    }

    #[test]
    fn types_that_are_looked_up_come_first() {
        let text = r#"(module
            (type $direct (func (param i64)))
            (type $block (func (param i32) (result i32 i32)))
            (type $exported (func (result i32)))
            (type $compared (func (param f32)))
            (type $none (func))
            (table 1 funcref)
            (func $d (type $direct))
            (func (export "e") (type $exported)
                (call $d (i64.const 1))
                (call_indirect (type $compared) (f32.const 1) (i32.const 0))
                (i32.const 1) (block (type $block) (i32.const 2)) (drop))
            (func $n (type $none)))"#;
        let wasm = wat::parse_str(text).unwrap();
        let ordered = order(validate(wasm.clone()).unwrap());
        let before = types(&wasm);
        let after = types(ordered.bytes());
        let expected = [2, 3, 4, 0, 1].map(|old: usize| before[old].clone());
        assert_eq!(after, expected);
        // With other uses of types, their order stays.
        let tag = text.replace("(table", "(tag (param i64)) (table");
        let wasm = wat::parse_str(tag).unwrap();
        let program = validate(wasm.clone()).unwrap();
        assert!(program.features().intersects(OTHER_USES));
        assert_eq!(types(order(program).bytes()), types(&wasm));
    }

    #[test]
    fn what_needs_nothing_stays_byte_for_byte() {
        for text in [
            "(module)",
            "(module (func (export \"f\")) (func) (@custom \"kept\" \"x\"))",
            r#"(component (core module (func) (func (export "a"))
                (@custom "metadata.code.branch_hint" "\00")))"#,
        ] {
            let wasm = wat::parse_str(text).unwrap();
            assert_eq!(order(validate(wasm.clone()).unwrap()).bytes(), wasm);
        }
    }
}
