//! Finds valid programs that Wasmtime 48 miscompiles, by their shape.
//!
//! A call between two components of a program goes through an adapter. The engine's front end
//! writes adapters as core modules. This module examines them before anything is compiled.
//!
//! *Calls that never end.* The front end gives each function of an adapter 1000 units of work. Each
//! case, field or element of a type takes one unit. The function leaves the rest to another
//! function, which begins with 1000 units again. If a single layer of a type takes more, that
//! function leaves the layer to itself, forever. Every call that passes such a value ends with
//! "call stack exhausted". A function that calls itself proves the fault, because no type contains
//! itself. The type is searched in the program only for the message.
//! <https://github.com/bytecodealliance/wasmtime/issues/14354>, fixed in `main` by pull request
//! 14355.
//!
//! *Calls that always trap.* An adapter always traps if it lies between a component and one inside
//! it, or leads from a component to itself: "cannot enter component instance". Later engines allow
//! such calls between parents and children.
//!
//! Source: `wasmtime-environ` 48, `fact/trampoline.rs`, `compile`, `INITIAL_FUEL` and
//! `Compiler::translate`; in version 50, `compile`.

use std::collections::{HashMap, HashSet};

use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId, ComponentFuncTypeId,
    ComponentValType,
};
use wasmparser::types::TypesRef;
use wasmparser::{
    CanonicalFunction, ComponentExternalKind, ComponentType, Encoding, FunctionBody, Operator,
    Parser, Payload, Validator,
};
use wasmtime_environ::{ModuleTranslation, Trap};

use crate::input::features::SUPPORTED;

/// The advisory about calls between components that never end.
pub(crate) const ENDLESS_CALL: &str = "EDGEC-2026-0002";

/// The advisory about calls between a component and one inside it.
pub(crate) const TRAPPING_CALL: &str = "EDGEC-2026-0003";

/// The most cases, fields or elements that one layer of a type may have.
const MAX_ITEMS: usize = 1000;

/// The faults of a program's adapters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// An adapter calls itself.
    pub(crate) endless: bool,
    /// An adapter always traps.
    pub(crate) trapping: bool,
}

impl Faults {
    /// The faults of the modules that the front end made of `wasm`.
    pub(crate) fn of<'m, 'd: 'm>(
        wasm: &[u8],
        modules: impl IntoIterator<Item = &'m ModuleTranslation<'d>>,
    ) -> Self {
        let mut faults = Self::default();
        for module in modules {
            // The program's own modules lie within its bytes; adapters do not.
            if wasm.as_ptr_range().contains(&module.wasm.as_ptr()) {
                continue;
            }
            let imported = u32::try_from(module.module.num_imported_funcs).unwrap_or(u32::MAX);
            for (index, input) in &module.function_body_inputs {
                let function = imported.saturating_add(index.as_u32());
                faults.endless |= calls(&input.body, function).unwrap_or(false);
                faults.trapping |= traps(&input.body).unwrap_or(false);
            }
        }
        faults
    }
}

fn calls(body: &FunctionBody<'_>, function: u32) -> wasmparser::Result<bool> {
    for operator in body.get_operators_reader()? {
        if matches!(operator?, Operator::Call { function_index } if function_index == function) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a function always traps, because a component cannot be entered.
fn traps(body: &FunctionBody<'_>) -> wasmparser::Result<bool> {
    let mut operators = body.get_operators_reader()?;
    let trap = Trap::CannotEnterComponent as i32;
    Ok(
        matches!(operators.read()?, Operator::I32Const { value } if value == trap)
            && matches!(operators.read()?, Operator::Call { .. })
            && matches!(operators.read()?, Operator::Unreachable),
    )
}

/// Describes a program whose calls between components never end.
pub(crate) fn describe(wasm: &[u8]) -> String {
    let functions = Walk::default().through(wasm).unwrap_or_default();
    let listed: Vec<String> = functions.iter().take(4).map(WideFunction::text).collect();
    let more = match functions.len().saturating_sub(listed.len()) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let which = match listed.is_empty() {
        true => String::new(),
        false => format!(": {}{more}", listed.join("; ")),
    };
    format!(
        "a call between two components of the program would never end, since a type that is passed has more than \
         {MAX_ITEMS} cases, fields or elements{which}"
    )
}

/// A function of a component with a type that has too many items in one layer.
struct WideFunction {
    /// Its index in its component.
    index: u32,
    name: Option<String>,
    /// Where it is lifted.
    offset: usize,
    wide: Wide,
    type_offset: Option<usize>,
}

/// A type with too many items.
#[derive(Clone, Copy)]
struct Wide {
    id: ComponentDefinedTypeId,
    items: usize,
    /// The nouns for the type and for its items.
    kind: (&'static str, &'static str),
}

impl WideFunction {
    fn text(&self) -> String {
        let name = self.name.as_deref().map_or_else(
            || format!("function {}", self.index),
            |name| format!("function `{name}`"),
        );
        let (kind, items) = self.wide.kind;
        let at = self
            .type_offset
            .map_or_else(String::new, |at| format!(", type at offset {at:#x}"));
        format!(
            "{name}, lifted at offset {:#x}, has {kind} of {} {items}{at}",
            self.offset, self.wide.items
        )
    }
}

/// A walk through a component and the components in it.
#[derive(Default)]
struct Walk {
    /// The places where types are defined.
    defined: HashMap<ComponentDefinedTypeId, usize>,
    /// Types without a layer that is too wide.
    narrow: HashSet<ComponentDefinedTypeId>,
    /// The wide functions of each component that is being walked.
    open: Vec<Vec<WideFunction>>,
    found: Vec<WideFunction>,
}

impl Walk {
    fn through(mut self, wasm: &[u8]) -> wasmparser::Result<Vec<WideFunction>> {
        let mut validator = Validator::new_with_features(SUPPORTED);
        let mut parser = Parser::new(0);
        parser.set_features(SUPPORTED);
        let mut encodings = Vec::new();
        for payload in parser.parse_all(wasm) {
            let payload = payload?;
            let known = validator.types(0).map_or((0, 0), |types| {
                (
                    types.component_type_count(),
                    types.component_function_count(),
                )
            });
            validator.payload(&payload)?;
            match &payload {
                Payload::Version { encoding, .. } => {
                    encodings.push(*encoding);
                    if *encoding == Encoding::Component {
                        self.open.push(Vec::new());
                    }
                }
                Payload::End(_) if encodings.pop() == Some(Encoding::Component) => {
                    self.found.extend(self.open.pop().unwrap_or_default());
                }
                _ => {}
            }
            if let Some(types) = validator.types(0) {
                self.section(&payload, known, types)?;
            }
        }
        Ok(self.found)
    }

    /// Examines a section. `known` counts the types and functions before it.
    fn section(
        &mut self,
        payload: &Payload<'_>,
        known: (u32, u32),
        types: TypesRef<'_>,
    ) -> wasmparser::Result<()> {
        match payload {
            Payload::ComponentTypeSection(section) => {
                for (item, index) in section.clone().into_iter_with_offsets().zip(known.0..) {
                    let (offset, ComponentType::Defined(_)) = item? else {
                        continue;
                    };
                    if let ComponentAnyTypeId::Defined(id) = types.component_any_type_at(index) {
                        self.defined.entry(id).or_insert(offset);
                    }
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                let mut index = known.1;
                for item in section.clone().into_iter_with_offsets() {
                    let (offset, CanonicalFunction::Lift { .. }) = item? else {
                        continue;
                    };
                    let wide = self.widest(types, types.component_function_at(index));
                    if let Some(wide) = wide {
                        let type_offset = self.definition(types, wide.id);
                        if let Some(open) = self.open.last_mut() {
                            open.push(WideFunction {
                                index,
                                name: None,
                                offset,
                                wide,
                                type_offset,
                            });
                        }
                    }
                    index += 1;
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section.clone() {
                    let export = export?;
                    let Some(functions) = self.open.last_mut() else {
                        continue;
                    };
                    if export.kind != ComponentExternalKind::Func {
                        continue;
                    }
                    // They are sorted by index.
                    let place = functions.binary_search_by_key(&export.index, |it| it.index);
                    if let Some(function) = place.ok().and_then(|place| functions.get_mut(place)) {
                        function
                            .name
                            .get_or_insert_with(|| export.name.name.to_owned());
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Where a type is defined. Each import or export of a type makes an alias with another id.
    fn definition(&self, types: TypesRef<'_>, id: ComponentDefinedTypeId) -> Option<usize> {
        let mut names = std::iter::successors(Some(id), |id| types.peel_alias(*id));
        names.find_map(|id| self.defined.get(&id).copied())
    }

    /// The first layer of a function's type that has too many items.
    fn widest(&mut self, types: TypesRef<'_>, function: ComponentFuncTypeId) -> Option<Wide> {
        let function = &types[function];
        let mut values = function
            .params
            .iter()
            .map(|(_, ty)| ty)
            .chain(&function.result);
        values.find_map(|ty| self.wide(types, ty))
    }

    /// Like [`Self::widest`], for one type. Validation limits the depth of types.
    fn wide(&mut self, types: TypesRef<'_>, ty: &ComponentValType) -> Option<Wide> {
        let ComponentValType::Type(id) = ty else {
            return None;
        };
        if self.narrow.contains(id) {
            return None;
        }
        let ty = &types[*id];
        let (items, kind) = items(ty);
        if items > MAX_ITEMS {
            return Some(Wide {
                id: *id,
                items,
                kind,
            });
        }
        let found = inner(ty).into_iter().find_map(|ty| self.wide(types, ty));
        if found.is_none() {
            self.narrow.insert(*id);
        }
        found
    }
}

/// How many items one layer of a type has, and the nouns for the type and its items.
fn items(ty: &ComponentDefinedType) -> (usize, (&'static str, &'static str)) {
    match ty {
        ComponentDefinedType::Record(record) => (record.fields.len(), ("a record", "fields")),
        ComponentDefinedType::Variant(variant) => (variant.cases.len(), ("a variant", "cases")),
        ComponentDefinedType::Enum(cases) => (cases.len(), ("an enum", "cases")),
        ComponentDefinedType::Tuple(tuple) => (tuple.types.len(), ("a tuple", "elements")),
        ComponentDefinedType::FixedLengthList { length, .. } => (
            usize::try_from(*length).unwrap_or(usize::MAX),
            ("a list", "elements"),
        ),
        _ => (0, ("", "")),
    }
}

/// The types directly inside a type. Values of futures and streams pass through the host, not
/// through adapters.
fn inner(ty: &ComponentDefinedType) -> Vec<&ComponentValType> {
    match ty {
        ComponentDefinedType::Record(record) => record.fields.values().collect(),
        ComponentDefinedType::Variant(variant) => variant
            .cases
            .values()
            .filter_map(|case| case.ty.as_ref())
            .collect(),
        ComponentDefinedType::Tuple(tuple) => tuple.types.iter().collect(),
        ComponentDefinedType::List { element, .. }
        | ComponentDefinedType::FixedLengthList { element, .. } => vec![element],
        ComponentDefinedType::Map { key, value, .. } => vec![key, value],
        ComponentDefinedType::Option { ty, .. } => vec![ty],
        ComponentDefinedType::Result { ok, err, .. } => ok.iter().chain(err).collect(),
        _ => Vec::new(),
    }
}
