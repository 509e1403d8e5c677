//! Writes the merged module of a group. The code of each function is read and written once.

mod names;
mod renumber;

use std::collections::{BTreeSet, HashMap};

use wasm_encoder::reencode::Reencode as _;
use wasm_encoder::{
    CodeSection, DataCountSection, DataSection, ElementSection, Elements, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, ImportSection, Instruction,
    MemorySection, StartSection, TableSection, TagSection,
};
use wasmparser::{ElementItems, TableInit, TypeRef, ValType};

use self::names::{names, producers};
use self::renumber::Renumber;

use super::body::{self, Use};
use super::facts::Whole;
use super::graph::Node;
use super::group::Group;
use super::layout::{ImportType, Layout, Member};
use super::legality::Starts;
use super::module::{Module, Space, count};
use super::reach::Reached;
use super::types::Types;

/// The bytes of the merged module. `None` if something is not understood.
pub(super) fn merge(
    whole: &Whole<'_, '_>,
    group: &Group,
    reached: &Reached,
    layout: &Layout,
    starts: &Starts,
) -> Option<Vec<u8>> {
    let mut types = Types::default();
    let mut maps = Vec::new();
    let mut imported: HashMap<Node, Vec<ImportType>> = HashMap::new();
    for import in &layout.imports {
        let (ImportType::Of(node, _) | ImportType::Function(node, _)) = import.ty;
        imported.entry(node).or_default().push(import.ty);
    }
    for member in &layout.members {
        let module = whole.graph.module(member.node)?;
        let imported = imported.get(&member.node).map_or(&[][..], Vec::as_slice);
        let used = used_types(whole, reached, imported, member, module)?;
        maps.push(types.add(module, &used)?);
    }
    let mut merger = Merger {
        whole,
        group,
        reached,
        layout,
        types,
        maps,
        sections: Sections::default(),
        values: BTreeSet::new(),
        declared: BTreeSet::new(),
    };
    merger.imports()?;
    for place in 0..layout.members.len() {
        merger.member(place)?;
    }
    for (number, (_, space, index)) in layout.exports.iter().enumerate() {
        let name = number.to_string();
        let exports = &mut merger.sections.exports;
        exports.export(&name, space.export_kind(), *index);
        if *space == Space::Func {
            merger.declared.insert(*index);
        }
    }
    merger.start(&starts.with_it)?;
    merger.declare();
    Some(merger.finish())
}

/// The sections of the merged module.
#[derive(Default)]
struct Sections {
    imports: ImportSection,
    functions: FunctionSection,
    tables: TableSection,
    memories: MemorySection,
    tags: TagSection,
    globals: GlobalSection,
    exports: ExportSection,
    start: Option<u32>,
    elements: ElementSection,
    code: CodeSection,
    data: DataSection,
}

struct Merger<'w, 'l, 'a> {
    whole: &'w Whole<'l, 'a>,
    group: &'w Group,
    reached: &'w Reached,
    layout: &'w Layout,
    types: Types,
    /// The new indices of types, for each member.
    maps: Vec<Vec<Option<u32>>>,
    sections: Sections,
    /// The functions that code takes as values, by their new indices.
    values: BTreeSet<u32>,
    /// The functions that are named outside of code.
    declared: BTreeSet<u32>,
}

impl Merger<'_, '_, '_> {
    fn renumber(&self, place: usize) -> Option<Renumber<'_, '_, '_>> {
        Some(Renumber {
            whole: self.whole,
            layout: self.layout,
            member: self.layout.members.get(place)?,
            types: self.maps.get(place)?,
            functions: BTreeSet::new(),
        })
    }

    fn imports(&mut self) -> Option<()> {
        for (number, import) in self.layout.imports.iter().enumerate() {
            let node = match import.ty {
                ImportType::Of(node, _) | ImportType::Function(node, _) => node,
            };
            let mut renumber = self.renumber(self.layout.place(node)?)?;
            let ty = match import.ty {
                ImportType::Of(_, number) => {
                    let import = self.whole.graph.module(node)?.imports.get(number)?;
                    renumber.entity_type(import.ty).ok()?
                }
                ImportType::Function(_, ty) => EntityType::Function(renumber.type_index(ty).ok()?),
            };
            let imports = &mut self.sections.imports;
            imports.import(IMPORTED, &number.to_string(), ty);
        }
        Some(())
    }

    /// Adds everything that a member defines.
    fn member(&mut self, place: usize) -> Option<()> {
        let (whole, layout) = (self.whole, self.layout);
        let member = layout.members.get(place)?;
        let module = whole.graph.module(member.node)?;
        let mut sections = std::mem::take(&mut self.sections);
        let mut renumber = self.renumber(place)?;
        renumber.definitions(module, &mut sections).ok()?;
        renumber.segments(module, &mut sections).ok()?;
        let declared = std::mem::take(&mut renumber.functions);
        let stripped = self.group.links.stripped(member.node);
        for (place, body) in module.bodies.iter().enumerate() {
            if self.reached.function(member.node, place) {
                let ty = *module.functions.get(place)?;
                let index = module.imported(Space::Func).checked_add(count(place))?;
                let left_out = match module.start == Some(index) {
                    true => stripped,
                    false => 0,
                };
                renumber.code(ty, body, left_out, &mut sections).ok()?;
            }
        }
        let values = renumber.functions;
        self.declared.extend(declared);
        self.values.extend(values);
        self.sections = sections;
        Some(())
    }

    /// A start function that calls those of the members, in order.
    fn start(&mut self, nodes: &[Node]) -> Option<()> {
        let mut starts = Vec::new();
        for node in nodes {
            let start = self.whole.graph.module(*node)?.start?;
            starts.push(self.layout.index(*node, Space::Func, start)?);
        }
        self.sections.start = match starts.as_slice() {
            [] => None,
            [start] => Some(*start),
            several => {
                let mut caller = Function::new([]);
                for start in several {
                    caller.instruction(&Instruction::Call(*start));
                }
                caller.instruction(&Instruction::End);
                let imported = self.layout.imports.iter();
                let imported = imported.filter(|it| it.space == Space::Func).count();
                let index = count(imported).checked_add(self.sections.functions.len())?;
                let ty = self.types.of_start()?;
                self.sections.functions.function(ty);
                self.sections.code.function(&caller);
                Some(index)
            }
        };
        Some(())
    }

    /// Code takes only functions as values that are named outside of code. Exports that are no
    /// longer there may have done that. If the program does not use the feature that has segments
    /// for this purpose, they are exports again.
    fn declare(&mut self) {
        let missing: Vec<u32> = self.values.difference(&self.declared).copied().collect();
        if missing.is_empty() {
            return;
        }
        if self.whole.declares {
            let elements = &mut self.sections.elements;
            elements.declared(Elements::Functions(missing.into()));
            return;
        }
        for (number, function) in missing.into_iter().enumerate() {
            let exports = &mut self.sections.exports;
            exports.export(&format!("f{number}"), ExportKind::Func, function);
        }
    }

    fn finish(self) -> Vec<u8> {
        let Self {
            whole,
            group,
            layout,
            types,
            sections,
            ..
        } = self;
        let mut module = wasm_encoder::Module::new();
        if !types.is_empty() {
            module.section(&types.section);
        }
        if !sections.imports.is_empty() {
            module.section(&sections.imports);
        }
        if !sections.functions.is_empty() {
            module.section(&sections.functions);
        }
        if !sections.tables.is_empty() {
            module.section(&sections.tables);
        }
        if !sections.memories.is_empty() {
            module.section(&sections.memories);
        }
        if !sections.tags.is_empty() {
            module.section(&sections.tags);
        }
        if !sections.globals.is_empty() {
            module.section(&sections.globals);
        }
        if !sections.exports.is_empty() {
            module.section(&sections.exports);
        }
        if let Some(function_index) = sections.start {
            module.section(&StartSection { function_index });
        }
        if !sections.elements.is_empty() {
            module.section(&sections.elements);
        }
        let mut modules = group.members.iter();
        let modules_count = |node: &Node| {
            let module = whole.graph.module(*node);
            module.is_some_and(|module| module.has_data_count)
        };
        if modules.any(modules_count) {
            let count = sections.data.len();
            module.section(&DataCountSection { count });
        }
        if !sections.code.is_empty() {
            module.section(&sections.code);
        }
        if !sections.data.is_empty() {
            module.section(&sections.data);
        }
        if let Some(names) = names(whole, group, layout) {
            module.section(&names);
        }
        if let Some(producers) = producers(whole, group) {
            module.section(&producers);
        }
        module.finish()
    }
}

/// The module name of all imports of a merged module.
pub(super) const IMPORTED: &str = "";

/// The types of a member that the merged module uses. `imported` has those of imports.
fn used_types(
    whole: &Whole<'_, '_>,
    reached: &Reached,
    imported: &[ImportType],
    member: &Member,
    module: &Module<'_>,
) -> Option<Vec<u32>> {
    let node = member.node;
    let mut used = Vec::new();
    for import in imported {
        match import {
            ImportType::Of(_, number) => match module.imports.get(*number)?.ty {
                TypeRef::Func(ty) | TypeRef::FuncExact(ty) => used.push(ty),
                TypeRef::Table(ty) => {
                    used.extend(body::value_type(ValType::Ref(ty.element_type))?);
                }
                TypeRef::Global(ty) => used.extend(body::value_type(ty.content_type)?),
                TypeRef::Tag(ty) => used.push(ty.func_type_idx),
                TypeRef::Memory(_) => {}
            },
            ImportType::Function(_, ty) => used.push(*ty),
        }
    }
    for (place, ty) in module.functions.iter().enumerate() {
        if reached.function(node, place) {
            used.push(*ty);
            used.extend(types(&whole.body(node, place)?.uses));
        }
    }
    for table in &module.tables {
        used.extend(body::value_type(ValType::Ref(table.ty.element_type))?);
        if let TableInit::Expr(init) = &table.init {
            used.extend(types(&body::expression(init)?));
        }
    }
    for (place, tag) in module.tags.iter().enumerate() {
        if reached.tag(node, place) {
            used.push(tag.func_type_idx);
        }
    }
    for (place, global) in module.globals.iter().enumerate() {
        if reached.global(node, place) {
            used.extend(body::value_type(global.ty.content_type)?);
            used.extend(types(&body::expression(&global.init_expr)?));
        }
    }
    for (segment, element) in member.elements.iter().zip(&module.elements) {
        if let (Some(_), ElementItems::Expressions(ty, items)) = (segment, &element.items) {
            used.extend(body::value_type(ValType::Ref(*ty))?);
            for item in items.clone() {
                used.extend(types(&body::expression(&item.ok()?)?));
            }
        }
    }
    Some(used)
}

fn types(uses: &[Use]) -> impl Iterator<Item = u32> {
    uses.iter().filter_map(|it| match it {
        Use::Type(ty) => Some(*ty),
        _ => None,
    })
}
