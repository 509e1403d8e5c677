//! Runs a component in the interpreter, as far as core modules are concerned.
//!
//! Only components of one level run. Lifted functions are called with numbers as their core
//! functions take them, and lowered ones get numbers too: no value is lifted or lowered. What the
//! canonical ABI does is the engine's part, and the merge must keep only what it is told.

use std::collections::HashMap;
use std::rc::Rc;

use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentAlias, ComponentExternalKind, ComponentType,
    ComponentTypeRef, ExternalKind, Instance, Parser, Payload, ValType,
};

use super::machine::{Code, Item, Machine, Ran, Stop};
use super::module::{Module, Type};

/// How many steps a component gets.
const FUEL: usize = 2_000_000;
/// How often each function is called.
const ROUNDS: u64 = 2;

/// A component function.
#[derive(Clone)]
enum Callable<'a> {
    /// A function of the host.
    Host(&'a str),
    /// A lifted core function.
    Lifted(usize),
}

/// A component while it is instantiated: its index spaces.
#[derive(Default)]
struct Component<'a> {
    machine: Machine<'a>,
    modules: Vec<Rc<Module<'a>>>,
    instances: Vec<HashMap<&'a str, Item>>,
    functions: Vec<usize>,
    tables: Vec<usize>,
    memories: Vec<usize>,
    globals: Vec<usize>,
    callables: Vec<Callable<'a>>,
    /// The destructor of each type, if it is a resource type that has one.
    types: Vec<Option<usize>>,
    exports: Vec<(&'a str, Callable<'a>)>,
}

/// What a component does, line by line. `None` if this interpreter does not know something in it.
/// The last line is [`EXHAUSTED`] if it did not come to an end.
pub(super) fn run(bytes: &[u8]) -> Option<Vec<String>> {
    let mut component = Component {
        machine: Machine::new(FUEL),
        ..Component::default()
    };
    let made = component.instantiate(bytes);
    let made = made.and_then(|()| component.calls());
    let mut log = component.machine.log;
    match made {
        Ok(()) => {}
        Err(Stop::Trap(kind)) => log.push(format!("no instance: {kind}")),
        Err(Stop::Exhausted) => log.push(EXHAUSTED.to_owned()),
        Err(Stop::Unknown) => return None,
    }
    Some(log)
}

/// The last line of a component that did not come to an end.
pub(super) const EXHAUSTED: &str = "exhausted";

impl<'a> Component<'a> {
    fn instantiate(&mut self, bytes: &'a [u8]) -> Ran<()> {
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(|_| Stop::Unknown)?;
            match payload {
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth -= 1,
                // The sections of a core module.
                _ if depth > 1 => {}
                Payload::ModuleSection {
                    unchecked_range, ..
                } => {
                    let module = bytes.get(unchecked_range).ok_or(Stop::Unknown)?;
                    let module = Module::new(module).ok_or(Stop::Unknown)?;
                    self.modules.push(Rc::new(module));
                }
                Payload::InstanceSection(section) => {
                    for instance in section {
                        self.instance(&instance.map_err(|_| Stop::Unknown)?)?;
                    }
                }
                Payload::ComponentAliasSection(section) => {
                    for alias in section {
                        self.alias(&alias.map_err(|_| Stop::Unknown)?)?;
                    }
                }
                Payload::ComponentTypeSection(section) => {
                    for ty in section {
                        self.ty(&ty.map_err(|_| Stop::Unknown)?)?;
                    }
                }
                Payload::ComponentCanonicalSection(section) => {
                    for function in section {
                        self.canonical(&function.map_err(|_| Stop::Unknown)?)?;
                    }
                }
                Payload::ComponentImportSection(section) => {
                    for import in section {
                        let import = import.map_err(|_| Stop::Unknown)?;
                        match import.ty {
                            ComponentTypeRef::Func(_) => {
                                self.callables.push(Callable::Host(import.name.name));
                            }
                            ComponentTypeRef::Type(_) => self.types.push(None),
                            ComponentTypeRef::Instance(_) => {}
                            _ => return Err(Stop::Unknown),
                        }
                    }
                }
                Payload::ComponentExportSection(section) => {
                    for export in section {
                        let export = export.map_err(|_| Stop::Unknown)?;
                        self.export(export.name.name, export.kind, export.index as usize)?;
                    }
                }
                Payload::CustomSection(_) => {}
                _ => return Err(Stop::Unknown),
            }
        }
        Ok(())
    }

    fn instance(&mut self, instance: &Instance<'a>) -> Ran<()> {
        let mut exports: HashMap<&'a str, Item> = HashMap::new();
        match instance {
            Instance::FromExports(items) => {
                for export in items {
                    let item = self.item(export.kind, export.index as usize)?;
                    exports.insert(export.name, item);
                }
            }
            Instance::Instantiate { module_index, args } => {
                let module = self.modules.get(*module_index as usize);
                let module = Rc::clone(module.ok_or(Stop::Unknown)?);
                let mut given = Vec::new();
                for import in &module.imports {
                    let argument = args.iter().find(|argument| argument.name == import.module);
                    let from = argument.map(|argument| argument.index as usize);
                    let from = from.and_then(|from| self.instances.get(from));
                    let item = from.and_then(|from| from.get(import.name));
                    given.push(*item.ok_or(Stop::Unknown)?);
                }
                let number = self.machine.instantiate(Rc::clone(&module), &given)?;
                let made = self.machine.instances.get(number).ok_or(Stop::Unknown)?;
                for export in &module.exports {
                    let index = export.index as usize;
                    let item = match export.kind {
                        ExternalKind::Func | ExternalKind::FuncExact => {
                            made.functions.get(index).copied().map(Item::Function)
                        }
                        ExternalKind::Table => made.tables.get(index).copied().map(Item::Table),
                        ExternalKind::Memory => made.memories.get(index).copied().map(Item::Memory),
                        ExternalKind::Global => made.globals.get(index).copied().map(Item::Global),
                        ExternalKind::Tag => None,
                    };
                    exports.insert(export.name, item.ok_or(Stop::Unknown)?);
                }
            }
        }
        self.instances.push(exports);
        Ok(())
    }

    /// An item of the component's own index spaces.
    fn item(&self, kind: ExternalKind, index: usize) -> Ran<Item> {
        let item = match kind {
            ExternalKind::Func | ExternalKind::FuncExact => {
                self.functions.get(index).copied().map(Item::Function)
            }
            ExternalKind::Table => self.tables.get(index).copied().map(Item::Table),
            ExternalKind::Memory => self.memories.get(index).copied().map(Item::Memory),
            ExternalKind::Global => self.globals.get(index).copied().map(Item::Global),
            ExternalKind::Tag => None,
        };
        item.ok_or(Stop::Unknown)
    }

    fn alias(&mut self, alias: &ComponentAlias<'a>) -> Ran<()> {
        match alias {
            ComponentAlias::CoreInstanceExport {
                instance_index,
                name,
                ..
            } => {
                let instance = self.instances.get(*instance_index as usize);
                let item = instance.and_then(|exports| exports.get(name));
                match *item.ok_or(Stop::Unknown)? {
                    Item::Function(function) => self.functions.push(function),
                    Item::Table(table) => self.tables.push(table),
                    Item::Memory(memory) => self.memories.push(memory),
                    Item::Global(global) => self.globals.push(global),
                }
            }
            // The only component instances are imported.
            ComponentAlias::InstanceExport { kind, name, .. } => match kind {
                ComponentExternalKind::Func => self.callables.push(Callable::Host(name)),
                ComponentExternalKind::Type => self.types.push(None),
                _ => return Err(Stop::Unknown),
            },
            ComponentAlias::Outer { .. } => return Err(Stop::Unknown),
        }
        Ok(())
    }

    fn ty(&mut self, ty: &ComponentType<'a>) -> Ran<()> {
        let destructor = match ty {
            ComponentType::Resource {
                dtor: Some(function),
                ..
            } => Some(
                *self
                    .functions
                    .get(*function as usize)
                    .ok_or(Stop::Unknown)?,
            ),
            _ => None,
        };
        self.types.push(destructor);
        Ok(())
    }

    fn canonical(&mut self, function: &CanonicalFunction) -> Ran<()> {
        let code = match function {
            CanonicalFunction::Lift {
                core_func_index, ..
            } => {
                let function = self.functions.get(*core_func_index as usize);
                let lifted = Callable::Lifted(*function.ok_or(Stop::Unknown)?);
                self.callables.push(lifted);
                return Ok(());
            }
            CanonicalFunction::Lower {
                func_index,
                options,
            } => {
                let memory = options.iter().find_map(|option| match option {
                    CanonicalOption::Memory(memory) => Some(*memory as usize),
                    _ => None,
                });
                let memory = memory.and_then(|memory| self.memories.get(memory).copied());
                match self.callables.get(*func_index as usize) {
                    Some(Callable::Host(name)) => Code::Host { name, memory },
                    Some(Callable::Lifted(function)) => Code::Same(*function),
                    None => return Err(Stop::Unknown),
                }
            }
            CanonicalFunction::ResourceNew { .. } => Code::New,
            CanonicalFunction::ResourceRep { .. } => Code::Rep,
            CanonicalFunction::ResourceDrop { resource } => {
                let ty = self.types.get(*resource as usize);
                Code::Drop(*ty.ok_or(Stop::Unknown)?)
            }
            _ => return Err(Stop::Unknown),
        };
        let ty = match &code {
            Code::New | Code::Rep => Type::alone(&[ValType::I32], &[ValType::I32]),
            Code::Drop(_) => Type::alone(&[ValType::I32], &[]),
            Code::Same(function) => {
                let same = self.machine.functions.get(*function);
                same.ok_or(Stop::Unknown)?.ty.clone()
            }
            Code::Host { name, .. } => host_type(name).ok_or(Stop::Unknown)?,
            Code::Wasm { .. } => return Err(Stop::Unknown),
        };
        let added = self.machine.add(ty, code);
        self.functions.push(added);
        Ok(())
    }

    fn export(&mut self, name: &'a str, kind: ComponentExternalKind, index: usize) -> Ran<()> {
        match kind {
            ComponentExternalKind::Func => {
                let function = self.callables.get(index).ok_or(Stop::Unknown)?.clone();
                self.exports.push((name, function.clone()));
                self.callables.push(function);
            }
            ComponentExternalKind::Type => {
                let ty = *self.types.get(index).ok_or(Stop::Unknown)?;
                self.types.push(ty);
            }
            ComponentExternalKind::Module => {
                let module = Rc::clone(self.modules.get(index).ok_or(Stop::Unknown)?);
                self.modules.push(module);
            }
            _ => return Err(Stop::Unknown),
        }
        Ok(())
    }

    /// Calls every exported function, by name. A trap ends the call and not the component.
    fn calls(&mut self) -> Ran<()> {
        self.machine.log.push("an instance".to_owned());
        let mut exports = std::mem::take(&mut self.exports);
        // A digest takes many steps.
        let is_digest = |name: &str| name.starts_with("digest");
        exports.sort_by_key(|(name, _)| (is_digest(name), *name));
        for round in 0..ROUNDS {
            for (name, function) in &exports {
                if is_digest(name) && round + 1 < ROUNDS {
                    continue;
                }
                let Callable::Lifted(function) = *function else {
                    continue;
                };
                let found = self.machine.functions.get(function);
                let params = found.ok_or(Stop::Unknown)?.ty.params as u64;
                let arguments: Vec<u64> = (0..params).map(|place| 3 + round + 32 * place).collect();
                let line = match self.machine.call(function, &arguments) {
                    Ok(results) => format!("{name} {results:x?}"),
                    Err(Stop::Trap(kind)) => format!("{name}: {kind}"),
                    Err(stop) => return Err(stop),
                };
                self.machine.log.push(line);
            }
        }
        Ok(())
    }
}

/// The core type of a lowered function of the host that `edgec-graphs` imports.
fn host_type(name: &str) -> Option<Type> {
    let kind = edgec_graphs::HOST
        .into_iter()
        .find(|kind| kind.name() == name)?;
    let sig = kind.lowered();
    let number = |name: &str| match name {
        "i64" => ValType::I64,
        "f64" => ValType::F64,
        _ => ValType::I32,
    };
    let params: Vec<ValType> = sig.params().iter().map(|(_, ty)| number(ty)).collect();
    let results: Vec<ValType> = sig.results().iter().map(|ty| number(ty)).collect();
    Some(Type::alone(&params, &results))
}
