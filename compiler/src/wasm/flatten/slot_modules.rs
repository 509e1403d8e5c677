//! The two small modules that link functions late: one has the slots, a table with a function for
//! each element that passes its calls on; the other one fills the table, and runs start functions
//! that must run after that.
//!
//! The slots are in a module of their own, because a pool allows only one table for each instance.

use std::convert::Infallible;

use wasm_encoder::reencode::{self, Reencode, RoundtripReencoder};
use wasm_encoder::{
    CodeSection, ConstExpr, ElementSection, Elements, EntityType, ExportKind, ExportSection,
    Function, FunctionSection, ImportSection, Instruction, Module, NameMap, NameSection, RefType,
    StartSection, TableSection, TableType,
};
use wasmparser::FuncType;

use super::merge::IMPORTED;
use super::module::count;
use super::types::Types;

/// The name under which the table of slots is exported and imported. The functions have numbers.
pub(super) const TABLE: &str = "t";

/// A slot of a table.
pub(super) struct Slot<'t> {
    /// The type of the function. It has only numbers and plain references.
    pub(super) ty: &'t FuncType,
    /// The name of the function that passes calls on.
    pub(super) name: Option<String>,
    /// Whether the toolchain's function passed calls on with tail calls. Then this one does so too:
    /// a function that calls itself through its slot does not run out of stack.
    pub(super) is_tail: bool,
}

fn table(slots: usize) -> TableType {
    TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: u64::from(count(slots)),
        maximum: Some(u64::from(count(slots))),
        shared: false,
    }
}

/// The function types of slots.
fn plain(ty: &FuncType) -> Option<wasm_encoder::FuncType> {
    let plain: Result<_, reencode::Error<Infallible>> = RoundtripReencoder.func_type(ty.clone());
    plain.ok()
}

/// The module that has the slots. It exports a function for each, named by its number, and the
/// table.
pub(super) fn slots(slots: &[Slot<'_>]) -> Option<Vec<u8>> {
    let mut types = Types::default();
    let mut functions = FunctionSection::new();
    let mut tables = TableSection::new();
    let mut exports = ExportSection::new();
    let mut code = CodeSection::new();
    let mut names = NameMap::new();
    tables.table(table(slots.len()));
    for (number, slot) in slots.iter().enumerate() {
        let index = count(number);
        let ty = types.plain(&plain(slot.ty)?)?;
        functions.function(ty);
        let mut body = Function::new([]);
        for parameter in 0..slot.ty.params().len() {
            body.instruction(&Instruction::LocalGet(count(parameter)));
        }
        body.instruction(&Instruction::I32Const(i32::try_from(number).ok()?));
        body.instruction(&match slot.is_tail {
            true => Instruction::ReturnCallIndirect {
                type_index: ty,
                table_index: 0,
            },
            false => Instruction::CallIndirect {
                type_index: ty,
                table_index: 0,
            },
        });
        body.instruction(&Instruction::End);
        code.function(&body);
        exports.export(&index.to_string(), ExportKind::Func, index);
        if let Some(name) = &slot.name {
            names.append(index, name);
        }
    }
    exports.export(TABLE, ExportKind::Table, 0);
    let mut module = Module::new();
    module
        .section(&types.section)
        .section(&functions)
        .section(&tables)
        .section(&exports)
        .section(&code);
    if !names.is_empty() {
        let mut section = NameSection::new();
        section.functions(&names);
        module.section(&section);
    }
    Some(module.finish())
}

/// The module that fills slots. It imports the table, if any slot is filled, and then the functions
/// for `filled` and the `starts` start functions, named by their numbers in this order. `filled`
/// has the numbers of the slots, ascending, with their types; `all` is the number of slots.
pub(super) fn filler(all: usize, filled: &[(usize, &FuncType)], starts: usize) -> Option<Vec<u8>> {
    let mut types = Types::default();
    let mut imports = ImportSection::new();
    let mut elements = ElementSection::new();
    if !filled.is_empty() {
        imports.import(IMPORTED, TABLE, EntityType::Table(table(all)));
    }
    for (number, (_, ty)) in filled.iter().enumerate() {
        let ty = types.plain(&plain(ty)?)?;
        imports.import(IMPORTED, &number.to_string(), EntityType::Function(ty));
    }
    // One segment for each run of slots.
    let mut rest = filled;
    let mut function = 0;
    while let Some((first, _)) = rest.first() {
        let run = (*first..)
            .zip(rest)
            .take_while(|(slot, (at, _))| slot == at);
        let length = run.count();
        let functions: Vec<u32> = (function..).take(length).collect();
        function = function.checked_add(count(length))?;
        rest = rest.get(length..)?;
        let offset = ConstExpr::i32_const(i32::try_from(*first).ok()?);
        elements.active(None, &offset, Elements::Functions(functions.into()));
    }
    let mut functions = FunctionSection::new();
    let mut code = CodeSection::new();
    let mut start = None;
    if starts > 0 {
        let ty = types.of_start()?;
        for number in filled.len()..filled.len().checked_add(starts)? {
            imports.import(IMPORTED, &number.to_string(), EntityType::Function(ty));
        }
        if starts > 1 {
            let mut body = Function::new([]);
            for number in 0..starts {
                let function = filled.len().checked_add(number)?;
                body.instruction(&Instruction::Call(count(function)));
            }
            body.instruction(&Instruction::End);
            functions.function(ty);
            code.function(&body);
        }
        // Either the only start function, or the one that calls them all, which comes after them.
        let last = if starts > 1 { starts } else { 0 };
        start = Some(count(filled.len().checked_add(last)?));
    }
    let mut module = Module::new();
    module.section(&types.section).section(&imports);
    if !functions.is_empty() {
        module.section(&functions);
    }
    if let Some(function_index) = start {
        module.section(&StartSection { function_index });
    }
    if !elements.is_empty() {
        module.section(&elements);
    }
    if !code.is_empty() {
        module.section(&code);
    }
    Some(module.finish())
}

#[cfg(test)]
mod tests {
    use wasmparser::{ValType, Validator};

    use super::*;
    use crate::wasm::flatten::body::Body;
    use crate::wasm::flatten::forward::Place;

    fn read(bytes: &[u8]) -> crate::wasm::flatten::module::Module<'_> {
        Validator::new().validate_all(bytes).unwrap();
        crate::wasm::flatten::module::Module::read(bytes).unwrap()
    }

    #[test]
    fn each_slot_has_a_function_that_passes_calls_on() {
        let types = [
            FuncType::new([ValType::I32, ValType::I64], [ValType::F32]),
            FuncType::new([], []),
        ];
        let two = types.iter().zip([false, true]).map(|(ty, is_tail)| Slot {
            ty,
            name: Some("named".to_owned()),
            is_tail,
        });
        let bytes = slots(&two.collect::<Vec<_>>()).unwrap();
        let module = read(&bytes);
        assert_eq!(module.tables[0].ty.initial, 2);
        let names: Vec<&str> = module.exports.iter().map(|export| export.name).collect();
        assert_eq!(names, ["0", "1", TABLE]);
        for (number, body) in (0..).zip(&module.bodies) {
            let forward = Body::read(body).unwrap().forward.unwrap();
            let place = Place::Table {
                table: 0,
                slot: number,
            };
            assert_eq!(forward.place, place);
            assert_eq!(forward.is_tail, number == 1);
        }
        assert_eq!(module.names().functions.len(), 2);
    }

    #[test]
    fn slots_are_filled_in_runs_and_start_functions_follow() {
        let ty = FuncType::new([], []);
        let filled = [(0, &ty), (1, &ty), (4, &ty)];
        let bytes = filler(6, &filled, 2).unwrap();
        let module = read(&bytes);
        assert_eq!(module.imports.len(), 1 + 3 + 2);
        assert_eq!(module.elements.len(), 2);
        // The function that calls both comes after the imports.
        assert_eq!(module.start, Some(5));
        let one = filler(6, &filled, 1).unwrap();
        assert_eq!(read(&one).start, Some(3));
        let none = filler(6, &filled, 0).unwrap();
        assert_eq!(read(&none).start, None);
        let only = filler(0, &[], 1).unwrap();
        assert_eq!((read(&only).start, read(&only).imports.len()), (Some(0), 1));
    }
}
