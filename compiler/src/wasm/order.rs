//! Reorders functions and types: first the functions to which a reference can be made, and the types
//! that the engine looks up.
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

pub(crate) mod types;

use std::collections::BTreeSet;
use std::convert::Infallible;

use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{CodeSection, FunctionSection, NameMap, NameSection, TypeSection};
use wasmparser::{
    CodeSectionReader, CompositeInnerType, CustomSectionReader, ElementItems, ExternalKind,
    FunctionBody, FunctionSectionReader, KnownCustom, Name, NameSectionReader, Operator, Parser,
    Payload, TableInit, TypeRef, TypeSectionReader,
};

use self::types::{OTHER_USES, TypeOrder, compared};
use crate::wasm::module_parts::is_function;
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

/// What a module says about its functions.
#[derive(Default)]
struct Functions<'a> {
    imported: usize,
    /// Whether each function escapes, imported functions first.
    escaping: Vec<bool>,
    /// The type of each function, imported functions first.
    types: Vec<u32>,
    /// The number of types.
    type_count: u32,
    /// The types without parameters and results.
    empty_types: BTreeSet<u32>,
    bodies: Vec<FunctionBody<'a>>,
}

impl<'a> Functions<'a> {
    fn read(module: &'a [u8]) -> Option<Self> {
        let mut this = Self::default();
        for payload in Parser::new(0).parse_all(module) {
            match payload.ok()? {
                Payload::TypeSection(section) => this.read_types(section)?,
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import.ok()?;
                        this.imported += usize::from(is_function(&import));
                        if let TypeRef::Func(ty) | TypeRef::FuncExact(ty) = import.ty {
                            this.types.push(ty);
                        }
                    }
                    this.escaping = vec![false; this.imported];
                }
                Payload::FunctionSection(section) => {
                    for ty in section {
                        this.types.push(ty.ok()?);
                    }
                    this.escaping = vec![false; this.types.len()];
                }
                Payload::CodeSectionEntry(body) => this.bodies.push(body),
                Payload::TableSection(section) => {
                    for table in section {
                        if let TableInit::Expr(expression) = table.ok()?.init {
                            this.constant(&expression)?;
                        }
                    }
                }
                Payload::GlobalSection(section) => {
                    for global in section {
                        this.constant(&global.ok()?.init_expr)?;
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export.ok()?;
                        if matches!(export.kind, ExternalKind::Func | ExternalKind::FuncExact) {
                            this.escapes(export.index)?;
                        }
                    }
                }
                Payload::ElementSection(section) => {
                    for element in section {
                        match element.ok()?.items {
                            ElementItems::Functions(functions) => {
                                for function in functions {
                                    this.escapes(function.ok()?)?;
                                }
                            }
                            ElementItems::Expressions(_, expressions) => {
                                for expression in expressions {
                                    this.constant(&expression.ok()?)?;
                                }
                            }
                        }
                    }
                }
                Payload::CustomSection(section) if section.name() == BRANCH_HINTS => return None,
                _ => {}
            }
        }
        Some(this)
    }

    fn read_types(&mut self, section: TypeSectionReader<'_>) -> Option<()> {
        for group in section {
            for ty in group.ok()?.into_types() {
                if let CompositeInnerType::Func(ty) = &ty.composite_type.inner
                    && ty.params().is_empty()
                    && ty.results().is_empty()
                {
                    self.empty_types.insert(self.type_count);
                }
                self.type_count = self.type_count.checked_add(1)?;
            }
        }
        Some(())
    }

    /// The types that the engine looks up: those of imported functions, of functions that escape,
    /// and of calls through tables. The engine also makes a function without parameters and results
    /// for a module that begins with work; its type comes first if the module has it.
    fn types_looked_up(&self) -> Option<BTreeSet<u32>> {
        let mut types = compared(&self.bodies)?;
        let functions = self.types.iter().zip(&self.escaping).enumerate();
        let looked_up =
            functions.filter(|(index, (_, escapes))| *index < self.imported || **escapes);
        types.extend(looked_up.map(|(_, (ty, _))| *ty));
        types.extend(self.empty_types.first());
        Some(types)
    }

    fn constant(&mut self, expression: &wasmparser::ConstExpr<'_>) -> Option<()> {
        for operator in expression.get_operators_reader() {
            if let Operator::RefFunc { function_index } = operator.ok()? {
                self.escapes(function_index)?;
            }
        }
        Some(())
    }

    fn escapes(&mut self, function: u32) -> Option<()> {
        *self.escaping.get_mut(usize::try_from(function).ok()?)? = true;
        Some(())
    }
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
