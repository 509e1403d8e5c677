//! Exports of core modules that nothing in the component uses are taken away.
//!
//! Nothing outside a component can name an export of a core module inside it: what a host
//! calls are the component's own exports. An export that no other core module imports and no
//! alias takes out is unused, and it keeps functions alive that Binaryen would remove.
//! A module that leaves the component, as an export or as an argument, keeps all of its exports.
//!
//! Source: component model, `Explainer.md`, "Instance Definitions" and "Alias Definitions".

use std::collections::BTreeSet;

use wasm_encoder::Encode as _;
use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind,
    ComponentTypeRef, Encoding, ExportSectionReader, Instance, Parser, Payload,
};

use crate::sections::{Becomes, with_sections};
use crate::{Kind, ValidComponent, map_modules, validate};

/// A component whose core modules export only what is used.
pub(crate) struct Trimmed {
    /// The component.
    pub(crate) component: ValidComponent,
    /// How many exports each core module lost, in file order.
    pub(crate) removed: Vec<usize>,
}

/// Takes unused exports away; `None` when there is nothing to take, or when the program has
/// something that this stage does not understand.
pub(crate) fn trim_exports(program: &ValidComponent) -> Option<Trimmed> {
    if program.kind() == Kind::Module {
        return None;
    }
    let mut modules = used(program.bytes())?.into_iter();
    let mut removed = Vec::new();
    let bytes = map_modules(program, &mut |module| {
        let trimmed = match modules.next() {
            Some(Used::Names(names)) => without_others(module, &names),
            _ => None,
        };
        let (bytes, lost) = trimmed.unwrap_or_else(|| (module.to_vec(), 0));
        removed.push(lost);
        bytes
    });
    if removed.iter().all(|lost| *lost == 0) {
        return None;
    }
    let component = validate(bytes).ok()?;
    Some(Trimmed { component, removed })
}

/// What a component uses of a core module.
#[derive(Debug, PartialEq, Eq)]
enum Used<'a> {
    /// Perhaps everything.
    All,
    /// The exports of these names.
    Names(BTreeSet<&'a str>),
}

/// A core module's definition.
struct Definition<'a> {
    imports: Vec<(&'a str, &'a str)>,
    used: Used<'a>,
}

/// An entry of an index space: the number of the definition, in file order, when it is one.
type Known = Option<usize>;

/// A binary that is being read.
enum Level {
    Module(usize),
    Component {
        modules: Vec<Known>,
        /// Core instances, by the modules that they are instances of.
        instances: Vec<Known>,
    },
}

struct Reader<'a> {
    definitions: Vec<Definition<'a>>,
    levels: Vec<Level>,
}

/// What is used of each core module of a valid component, in file order; `None` when the
/// component has something that is not understood.
fn used(component: &[u8]) -> Option<Vec<Used<'_>>> {
    let mut reader = Reader {
        definitions: Vec::new(),
        levels: Vec::new(),
    };
    for payload in Parser::new(0).parse_all(component) {
        reader.read(payload.ok()?)?;
    }
    let definitions = reader.definitions.into_iter();
    Some(definitions.map(|definition| definition.used).collect())
}

impl<'a> Reader<'a> {
    fn read(&mut self, payload: Payload<'a>) -> Option<()> {
        match payload {
            Payload::Version { encoding, .. } => self.enter(encoding),
            Payload::End(_) => self.leave()?,
            Payload::ImportSection(section) => {
                let Some(Level::Module(number)) = self.levels.last() else {
                    return None;
                };
                let definition = self.definitions.get_mut(*number)?;
                for import in section.into_imports() {
                    let import = import.ok()?;
                    definition.imports.push((import.module, import.name));
                }
            }
            Payload::InstanceSection(section) => {
                for instance in section {
                    let of = self.instantiate(&instance.ok()?)?;
                    self.spaces()?.1.push(of);
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    self.alias(&alias.ok()?)?;
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section {
                    let items: Vec<_> = match instance.ok()? {
                        ComponentInstance::Instantiate { args, .. } => {
                            args.iter().map(|item| (item.kind, item.index)).collect()
                        }
                        ComponentInstance::FromExports(exports) => {
                            exports.iter().map(|item| (item.kind, item.index)).collect()
                        }
                    };
                    for (kind, index) in items {
                        self.give(kind, index)?;
                    }
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section {
                    if let ComponentTypeRef::Module(_) = import.ok()?.ty {
                        self.spaces()?.0.push(None);
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    let export = export.ok()?;
                    let given = self.give(export.kind, export.index)?;
                    if export.kind == ComponentExternalKind::Module {
                        // An export is a new entry of its index space.
                        self.spaces()?.0.push(given);
                    }
                }
            }
            Payload::UnknownSection { .. } => return None,
            // The rest names core items by indices that an alias made.
            _ => {}
        }
        Some(())
    }

    fn enter(&mut self, encoding: Encoding) {
        self.levels.push(match encoding {
            Encoding::Module => {
                self.definitions.push(Definition {
                    imports: Vec::new(),
                    used: Used::Names(BTreeSet::new()),
                });
                Level::Module(self.definitions.len() - 1)
            }
            Encoding::Component => Level::Component {
                modules: Vec::new(),
                instances: Vec::new(),
            },
        });
    }

    fn leave(&mut self) -> Option<()> {
        if let Level::Module(number) = self.levels.pop()? {
            self.spaces()?.0.push(Some(number));
        }
        Some(())
    }

    /// The index spaces of core modules and core instances of the component that is read.
    fn spaces(&mut self) -> Option<(&mut Vec<Known>, &mut Vec<Known>)> {
        match self.levels.last_mut()? {
            Level::Component { modules, instances } => Some((modules, instances)),
            Level::Module(_) => None,
        }
    }

    /// What the new core instance is one of.
    fn instantiate(&mut self, instance: &Instance<'a>) -> Option<Known> {
        let Instance::Instantiate { module_index, args } = instance else {
            // Its items were taken out of other instances by aliases.
            return Some(None);
        };
        let module = at(self.spaces()?.0, *module_index)?;
        for argument in args {
            let Some(giver) = at(self.spaces()?.1, argument.index)? else {
                continue;
            };
            let names = match module {
                Some(number) => {
                    let imports = &self.definitions.get(number)?.imports;
                    let asked = imports.iter().filter(|(from, _)| *from == argument.name);
                    Used::Names(asked.map(|(_, name)| *name).collect())
                }
                // Nothing here knows what it imports.
                None => Used::All,
            };
            self.mark(giver, names)?;
        }
        Some(module)
    }

    fn alias(&mut self, alias: &ComponentAlias<'a>) -> Option<()> {
        match *alias {
            ComponentAlias::CoreInstanceExport {
                instance_index,
                name,
                ..
            } => {
                if let Some(giver) = at(self.spaces()?.1, instance_index)? {
                    self.mark(giver, Used::Names(BTreeSet::from([name])))?;
                }
            }
            ComponentAlias::Outer {
                kind: ComponentOuterAliasKind::CoreModule,
                count,
                index,
            } => {
                let level = self.levels.iter().rev().nth(usize::try_from(count).ok()?)?;
                let Level::Component { modules, .. } = level else {
                    return None;
                };
                let module = at(modules, index)?;
                self.spaces()?.0.push(module);
            }
            ComponentAlias::InstanceExport {
                kind: ComponentExternalKind::Module,
                ..
            } => self.spaces()?.0.push(None),
            _ => {}
        }
        Some(())
    }

    /// A module that goes where it cannot be followed keeps everything.
    fn give(&mut self, kind: ComponentExternalKind, index: u32) -> Option<Known> {
        if kind != ComponentExternalKind::Module {
            return Some(None);
        }
        let module = at(self.spaces()?.0, index)?;
        if let Some(number) = module {
            self.mark(number, Used::All)?;
        }
        Some(module)
    }

    fn mark(&mut self, number: usize, more: Used<'a>) -> Option<()> {
        let used = &mut self.definitions.get_mut(number)?.used;
        match (used, more) {
            (Used::All, _) => {}
            (Used::Names(names), Used::Names(more)) => names.extend(more),
            (used, Used::All) => *used = Used::All,
        }
        Some(())
    }
}

fn at(space: &[Known], index: u32) -> Option<Known> {
    space.get(usize::try_from(index).ok()?).copied()
}

/// The module without exports of other names, and how many those are; `None` when there are none.
fn without_others(module: &[u8], names: &BTreeSet<&str>) -> Option<(Vec<u8>, usize)> {
    let mut removed = 0;
    let rest = with_sections(module, |payload| {
        let Payload::ExportSection(exports) = payload else {
            return Some(Becomes::Itself);
        };
        let all = exports.count();
        let (kept, bytes) = keep(module, exports, names)?;
        removed = usize::try_from(all.checked_sub(kept)?).ok()?;
        Some(match kept {
            0 => Becomes::Nothing,
            _ => Becomes::Bytes(bytes),
        })
    })?;
    (removed > 0).then_some((rest, removed))
}

/// The contents of an export section with the exports of these names, copied byte for byte,
/// and how many they are.
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

    /// The names of the exports that are left, module by module.
    fn left(text: &str) -> Vec<Vec<String>> {
        let program = validate(wat::parse_str(text).unwrap()).unwrap();
        let program = trim_exports(&program).map_or(program, |trimmed| trimmed.component);
        let mut all = Vec::new();
        map_modules(&program, &mut |module| {
            let mut names = Vec::new();
            for payload in Parser::new(0).parse_all(module) {
                if let Payload::ExportSection(section) = payload.unwrap() {
                    names.extend(section.into_iter().map(|e| e.unwrap().name.to_owned()));
                }
            }
            all.push(names);
            module.to_vec()
        });
        all
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
            // What the other imports is not known.
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
