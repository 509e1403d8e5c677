//! Decides whether `-O1` gives a core module to Binaryen. The module alone decides, before anything
//! runs.
//!
//! Most programs were optimized by LLVM, and Cranelift optimizes their functions again. For them,
//! the passes of `-O1` change only some bytes of the native code, and take a fifth of the build's
//! time. They gain something if functions are duplicates or unused, and in large jump tables. The
//! length of a module does not matter: for a small one, starting Binaryen's process takes longer
//! than all other work on it. `docs/optimizer.md` has the measurements.

use std::collections::{BTreeMap, HashSet};

use wasmparser::{
    ConstExpr, ElementItems, ExternalKind, FunctionBody, Operator, Parser, Payload, TableInit,
    TypeRef,
};

use crate::input::bodies;
use crate::wasm::kept::Failure;

/// The maximum length of a module that Binaryen gets, in bytes (4 MiB). For longer modules, reading
/// and writing alone takes a seventh of the time that compiling takes on one processor.
const MOST: usize = 4 << 20;
/// Binaryen gets a module if at least one in this many bytes of its code belongs to functions that
/// Binaryen removes.
const REMOVABLE: u64 = 100;
/// Binaryen gets a module if its jump tables have at least one target for each group of this many
/// instructions.
const TARGETS: u64 = 20;

/// Whether `-O1` optimizes a valid core module.
///
/// # Errors
///
/// Why the module is not optimized.
pub(crate) fn check(module: &[u8]) -> Result<(), Failure> {
    if module.len() > MOST {
        return Err(Failure::Large { most: MOST });
    }
    let code = Code::read(module).map_err(|error| Failure::Invalid {
        message: error.to_string(),
    })?;
    match code.gains() {
        true => Ok(()),
        false => Err(Failure::NoGain),
    }
}

/// A function that the module defines.
struct Function<'a> {
    /// Its type and its body. Two functions with the same content are duplicates.
    content: (u32, &'a [u8]),
    /// The functions that it calls or takes as values.
    refers: Vec<u32>,
}

/// Facts about the code of a function.
#[derive(Default)]
struct Body {
    instructions: u64,
    /// The number of targets of its jump tables.
    targets: u64,
    /// The functions that it calls or takes as values.
    refers: Vec<u32>,
}

impl Body {
    fn read(body: &FunctionBody<'_>) -> wasmparser::Result<Self> {
        let mut this = Self::default();
        for operator in body.get_operators_reader()? {
            this.instructions += 1;
            match operator? {
                Operator::Call { function_index }
                | Operator::ReturnCall { function_index }
                | Operator::RefFunc { function_index } => this.refers.push(function_index),
                Operator::BrTable { targets } => this.targets += u64::from(targets.len()),
                _ => {}
            }
        }
        Ok(this)
    }
}

/// The functions of a module, and facts about them.
#[derive(Default)]
struct Code<'a> {
    functions: BTreeMap<u32, Function<'a>>,
    /// Functions that are used outside of functions.
    roots: Vec<u32>,
    instructions: u64,
    /// The number of targets of all jump tables.
    targets: u64,
}

impl<'a> Code<'a> {
    fn read(module: &'a [u8]) -> wasmparser::Result<Self> {
        let mut code = Self::default();
        let mut types = Vec::new();
        let mut imported = 0u32;
        let mut bodies = Vec::new();
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        if let TypeRef::Func(_) | TypeRef::FuncExact(_) = import?.ty {
                            imported += 1;
                        }
                    }
                }
                Payload::FunctionSection(section) => {
                    types = section.into_iter().collect::<Result<Vec<u32>, _>>()?;
                }
                Payload::CodeSectionEntry(body) => bodies.push(body),
                section => code.uses(section)?,
            }
        }
        let read = bodies::map(&bodies, Body::read);
        for (((index, ty), body), read) in (imported..).zip(types).zip(&bodies).zip(read) {
            let read = read?;
            code.instructions += read.instructions;
            code.targets += read.targets;
            let function = Function {
                content: (ty, body.as_bytes()),
                refers: read.refers,
            };
            code.functions.insert(index, function);
        }
        Ok(code)
    }

    /// The functions that a section uses.
    fn uses(&mut self, section: Payload<'_>) -> wasmparser::Result<()> {
        match section {
            Payload::TableSection(section) => {
                for table in section {
                    if let TableInit::Expr(value) = table?.init {
                        self.values(&value)?;
                    }
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    self.values(&global?.init_expr)?;
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    if let ExternalKind::Func | ExternalKind::FuncExact = export.kind {
                        self.roots.push(export.index);
                    }
                }
            }
            Payload::StartSection { func, .. } => self.roots.push(func),
            Payload::ElementSection(section) => {
                for element in section {
                    match element?.items {
                        ElementItems::Functions(functions) => {
                            for function in functions {
                                self.roots.push(function?);
                            }
                        }
                        ElementItems::Expressions(_, values) => {
                            for value in values {
                                self.values(&value?)?;
                            }
                        }
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The functions that a constant expression takes as values.
    fn values(&mut self, expression: &ConstExpr<'_>) -> wasmparser::Result<()> {
        for operator in expression.get_operators_reader() {
            if let Operator::RefFunc { function_index } = operator? {
                self.roots.push(function_index);
            }
        }
        Ok(())
    }

    fn gains(self) -> bool {
        if self.targets * TARGETS >= self.instructions.max(1) {
            return true;
        }
        let length = |content: (u32, &[u8])| content.1.len() as u64;
        let all: u64 = self.functions.values().map(|it| length(it.content)).sum();
        let mut functions = self.functions;
        let mut unvisited = self.roots;
        let mut needed = HashSet::new();
        while let Some(index) = unvisited.pop() {
            if let Some(used) = functions.remove(&index) {
                unvisited.extend(used.refers);
                needed.insert(used.content);
            }
        }
        let needed: u64 = needed.into_iter().map(length).sum();
        (all - needed) * REMOVABLE >= all.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module of functions that are all different, and with the fields in `more`.
    fn module(more: &str) -> Vec<u8> {
        let mut text = String::from("(module (table 1 funcref) ");
        for number in 0..200 {
            let body = format!("(drop (i32.mul (i32.const {number}) (i32.const 3)))").repeat(60);
            text += &format!(r#"(func (export "{number}") {body})"#);
        }
        wat::parse_str(text + more + ")").unwrap()
    }

    fn long_function(attributes: &str) -> String {
        let body = "(drop (i32.mul (i32.const 7) (i32.const 9)))".repeat(400);
        format!("(func {attributes} {body})")
    }

    #[test]
    fn a_module_with_nothing_to_remove_is_left() {
        let plain = module("");
        assert_eq!(check(&plain), Err(Failure::NoGain));
        for (attributes, more) in [
            (r#"(export "x")"#, ""),
            ("$x", "(start $x)"),
            ("$x", "(elem (i32.const 0) $x)"),
            ("$x", "(elem (i32.const 0) funcref (ref.func $x))"),
            ("$x", "(global funcref (ref.func $x))"),
            ("$x", "(table 1 funcref (ref.func $x))"),
            ("$x", r#"(func (export "y") (call $x))"#),
            (
                "$x",
                r#"(elem declare func $x) (func (export "y") (drop (ref.func $x)))"#,
            ),
        ] {
            let with = module(&(long_function(attributes) + more));
            assert_eq!(check(&with), Err(Failure::NoGain), "{attributes} {more}");
        }
    }

    #[test]
    fn functions_that_are_not_needed_are_worth_it() {
        let unused = long_function("$a");
        assert_eq!(check(&module(&unused)), Ok(()));
        let twice = long_function(r#"(export "a")"#) + &long_function(r#"(export "b")"#);
        assert_eq!(check(&module(&twice)), Ok(()));
        // A different type makes it a different function.
        let other =
            long_function(r#"(export "a")"#) + &long_function(r#"(export "b") (param i32)"#);
        assert_eq!(check(&module(&other)), Err(Failure::NoGain));
    }

    #[test]
    fn jump_tables_are_worth_it() {
        let table = |targets: usize| {
            let targets = "0 ".repeat(targets);
            format!(r#"(func (export "t") (param i32) (block (br_table {targets} (local.get 0))))"#)
        };
        assert_eq!(check(&module(&table(5000))), Ok(()));
        assert_eq!(check(&module(&table(50))), Err(Failure::NoGain));
    }

    #[test]
    fn the_length_comes_first() {
        let data = |length: usize| {
            let text = "x".repeat(length);
            let text = format!(r#"(module (memory 65) (data (i32.const 0) "{text}"))"#);
            wat::parse_str(text).unwrap()
        };
        assert_eq!(check(&data(MOST)), Err(Failure::Large { most: MOST }));
        assert_eq!(check(&data(MOST / 2)), Err(Failure::NoGain));
        assert_eq!(check(&data(1)), Err(Failure::NoGain));
    }
}
