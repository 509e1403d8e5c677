//! An interpreter of core WebAssembly, as far as `edgec-graphs` and the merge write it.
//!
//! It is slow and simple: no engine is needed to compare what two components do. A number, and a
//! reference to a function, is 64 bits; a reference is the function's number and 1, or 0 if null.

use std::rc::Rc;

use wasmparser::{ConstExpr, DataKind, ElementItems, ElementKind, Operator};

use super::module::{Module, Type};
use super::steps;

/// Bytes of a page.
pub(super) const PAGE: usize = 65536;
/// The most pages of a memory.
const MOST_PAGES: u64 = 64;
/// The most calls within calls.
const DEPTH: usize = 200;

/// Why code does not go on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// A trap, with its kind.
    Trap(&'static str),
    /// Too many steps or calls. What comes then is not compared.
    Exhausted,
    /// Something that this interpreter does not know.
    Unknown,
}

pub(super) type Ran<T> = Result<T, Stop>;

/// An item, by its number in the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Function(usize),
    Table(usize),
    Memory(usize),
    Global(usize),
}

/// A function.
pub(super) struct Function<'a> {
    pub(super) ty: Type,
    pub(super) code: Code<'a>,
}

/// What a function does.
#[derive(Clone)]
pub(super) enum Code<'a> {
    /// The body with this number, in an instance.
    Wasm { instance: usize, body: usize },
    /// A function of the host. It reads and writes this memory, if it has one.
    Host {
        name: &'a str,
        memory: Option<usize>,
    },
    /// Makes a handle.
    New,
    /// Looks at a handle.
    Rep,
    /// Drops a handle, with this destructor.
    Drop(Option<usize>),
    /// Another function.
    Same(usize),
}

pub(super) struct Table {
    pub(super) entries: Vec<u64>,
    pub(super) max: u64,
}

pub(super) struct Memory {
    pub(super) bytes: Vec<u8>,
    pub(super) max: u64,
}

/// An instance of a module: its index spaces.
#[derive(Clone)]
pub(super) struct Instance<'a> {
    pub(super) module: Rc<Module<'a>>,
    pub(super) functions: Vec<usize>,
    pub(super) tables: Vec<usize>,
    pub(super) memories: Vec<usize>,
    pub(super) globals: Vec<usize>,
    /// Passive segments that were not dropped.
    pub(super) data: Vec<Vec<u8>>,
    pub(super) elements: Vec<Vec<u64>>,
}

/// Everything that exists.
#[derive(Default)]
pub(super) struct Machine<'a> {
    pub(super) functions: Vec<Function<'a>>,
    pub(super) tables: Vec<Table>,
    pub(super) memories: Vec<Memory>,
    pub(super) globals: Vec<u64>,
    pub(super) instances: Vec<Instance<'a>>,
    /// Representations, by their handles. 0 is a dropped one, and each is one more than it was.
    pub(super) handles: Vec<u64>,
    /// What happened, line by line.
    pub(super) log: Vec<String>,
    /// How many steps are left.
    pub(super) fuel: usize,
    depth: usize,
}

impl<'a> Machine<'a> {
    pub(super) fn new(fuel: usize) -> Self {
        Self {
            fuel,
            ..Self::default()
        }
    }

    /// Adds a function.
    pub(super) fn add(&mut self, ty: Type, code: Code<'a>) -> usize {
        self.functions.push(Function { ty, code });
        self.functions.len() - 1
    }

    /// Makes an instance of a module, with these imports in their order.
    pub(super) fn instantiate(&mut self, module: Rc<Module<'a>>, given: &[Item]) -> Ran<usize> {
        let number = self.instances.len();
        let mut instance = Instance {
            module: Rc::clone(&module),
            functions: Vec::new(),
            tables: Vec::new(),
            memories: Vec::new(),
            globals: Vec::new(),
            data: Vec::new(),
            elements: Vec::new(),
        };
        for item in given {
            match item {
                Item::Function(function) => instance.functions.push(*function),
                Item::Table(table) => instance.tables.push(*table),
                Item::Memory(memory) => instance.memories.push(*memory),
                Item::Global(global) => instance.globals.push(*global),
            }
        }
        for (body, ty) in module.functions.iter().enumerate() {
            let ty = module.types.get(*ty as usize).ok_or(Stop::Unknown)?;
            let code = Code::Wasm {
                instance: number,
                body,
            };
            instance.functions.push(self.add(ty.clone(), code));
        }
        for table in &module.tables {
            instance.tables.push(self.tables.len());
            self.tables.push(Table {
                entries: vec![0; table.ty.initial as usize],
                max: table.ty.maximum.unwrap_or(10_000),
            });
        }
        for memory in &module.memories {
            instance.memories.push(self.memories.len());
            self.memories.push(Memory {
                bytes: vec![0; memory.initial as usize * PAGE],
                max: memory.maximum.unwrap_or(MOST_PAGES).min(MOST_PAGES),
            });
        }
        for (_, init) in &module.globals {
            let value = self.constant(&instance, init)?;
            instance.globals.push(self.globals.len());
            self.globals.push(value);
        }
        for element in &module.elements {
            let items = self.items(&instance, &element.items)?;
            instance.elements.push(match element.kind {
                ElementKind::Passive => items,
                _ => Vec::new(),
            });
        }
        for data in &module.data {
            instance.data.push(match data.kind {
                DataKind::Passive => data.data.to_vec(),
                DataKind::Active { .. } => Vec::new(),
            });
        }
        self.instances.push(instance.clone());
        self.segments(&module, &instance)?;
        if let Some(start) = module.start {
            let start = *instance
                .functions
                .get(start as usize)
                .ok_or(Stop::Unknown)?;
            self.call(start, &[])?;
        }
        Ok(number)
    }

    /// Writes the active segments: element segments first, each as a whole or not at all.
    fn segments(&mut self, module: &Module<'a>, instance: &Instance<'a>) -> Ran<()> {
        for element in &module.elements {
            let ElementKind::Active {
                table_index,
                offset_expr,
            } = &element.kind
            else {
                continue;
            };
            let offset = self.constant(instance, offset_expr)? as u32 as usize;
            let items = self.items(instance, &element.items)?;
            let table = table_index.unwrap_or(0) as usize;
            let table = *instance.tables.get(table).ok_or(Stop::Unknown)?;
            let table = self.tables.get_mut(table).ok_or(Stop::Unknown)?;
            let place = offset..offset + items.len();
            let entries = table.entries.get_mut(place);
            entries
                .ok_or(Stop::Trap("table out of bounds"))?
                .copy_from_slice(&items);
        }
        for data in &module.data {
            let DataKind::Active {
                memory_index,
                offset_expr,
            } = &data.kind
            else {
                continue;
            };
            let offset = self.constant(instance, offset_expr)? as u32 as usize;
            let memory = *instance
                .memories
                .get(*memory_index as usize)
                .ok_or(Stop::Unknown)?;
            let memory = self.memories.get_mut(memory).ok_or(Stop::Unknown)?;
            let place = offset..offset + data.data.len();
            let bytes = memory.bytes.get_mut(place);
            bytes
                .ok_or(Stop::Trap("memory out of bounds"))?
                .copy_from_slice(data.data);
        }
        Ok(())
    }

    fn items(&self, instance: &Instance<'a>, items: &ElementItems<'a>) -> Ran<Vec<u64>> {
        match items {
            ElementItems::Functions(functions) => functions
                .clone()
                .into_iter()
                .map(|function| {
                    let function = function.map_err(|_| Stop::Unknown)?;
                    reference(instance, function)
                })
                .collect(),
            ElementItems::Expressions(_, expressions) => expressions
                .clone()
                .into_iter()
                .map(|expression| {
                    let expression = expression.map_err(|_| Stop::Unknown)?;
                    self.constant(instance, &expression)
                })
                .collect(),
        }
    }

    /// The value of a constant expression.
    fn constant(&self, instance: &Instance<'a>, expression: &ConstExpr<'a>) -> Ran<u64> {
        let mut stack: Vec<u64> = Vec::new();
        let pair = |stack: &mut Vec<u64>| {
            let (two, one) = (stack.pop(), stack.pop());
            one.zip(two).ok_or(Stop::Unknown)
        };
        for operator in expression.get_operators_reader() {
            let value = match operator.map_err(|_| Stop::Unknown)? {
                Operator::I32Const { value } => u64::from(value.cast_unsigned()),
                Operator::I64Const { value } => value.cast_unsigned(),
                Operator::GlobalGet { global_index } => {
                    let global = instance.globals.get(global_index as usize);
                    let global = global.and_then(|global| self.globals.get(*global));
                    *global.ok_or(Stop::Unknown)?
                }
                Operator::RefNull { .. } => 0,
                Operator::RefFunc { function_index } => reference(instance, function_index)?,
                Operator::I32Add => {
                    let (one, two) = pair(&mut stack)?;
                    u64::from((one as u32).wrapping_add(two as u32))
                }
                Operator::I32Mul => {
                    let (one, two) = pair(&mut stack)?;
                    u64::from((one as u32).wrapping_mul(two as u32))
                }
                Operator::End => break,
                _ => return Err(Stop::Unknown),
            };
            stack.push(value);
        }
        stack.pop().ok_or(Stop::Unknown)
    }

    /// Calls a function.
    pub(super) fn call(&mut self, function: usize, arguments: &[u64]) -> Ran<Vec<u64>> {
        if self.depth > DEPTH {
            return Err(Stop::Exhausted);
        }
        self.depth += 1;
        let found = self.functions.get(function).ok_or(Stop::Unknown)?;
        let results = found.ty.results;
        let ran = match found.code.clone() {
            Code::Wasm { instance, body } => steps::run(self, instance, body, arguments),
            Code::Same(other) => self.call(other, arguments),
            Code::Host { name, memory } => self.host(name, memory, arguments, results),
            Code::New => {
                let first = arguments.first().ok_or(Stop::Unknown)?;
                self.handles.push(first + 1);
                Ok(vec![self.handles.len() as u64])
            }
            Code::Rep => Ok(vec![*self.handle(arguments)? - 1]),
            Code::Drop(destructor) => {
                let held = std::mem::take(self.handle(arguments)?);
                match destructor {
                    Some(destructor) => self.call(destructor, &[held - 1]),
                    None => Ok(Vec::new()),
                }
            }
        };
        self.depth -= 1;
        ran
    }

    fn handle(&mut self, arguments: &[u64]) -> Ran<&mut u64> {
        let handle = *arguments.first().ok_or(Stop::Unknown)? as u32;
        let held = self.handles.get_mut((handle as usize).wrapping_sub(1));
        let held = held.filter(|held| **held > 0);
        held.ok_or(Stop::Trap("unknown handle"))
    }

    /// A function of the host notes its arguments, and what they point to. The results follow from
    /// the number of calls before.
    fn host(
        &mut self,
        name: &str,
        memory: Option<usize>,
        arguments: &[u64],
        results: usize,
    ) -> Ran<Vec<u64>> {
        let number = self.log.len() as u64;
        let mut line = format!("{name} {arguments:x?}");
        let memory = memory.and_then(|memory| self.memories.get_mut(memory));
        if let Some(memory) = memory {
            let at = |argument: Option<&u64>| argument.map_or(0, |it| *it as u32 as usize);
            let first = at(arguments.first());
            let seen = memory.bytes.get(first..first + 4).unwrap_or_default();
            line += &format!(" {seen:x?} of {}", memory.bytes.len());
            let last = at(arguments.last());
            if let (0, Some(place)) = (results, memory.bytes.get_mut(last..last + 4)) {
                place.copy_from_slice(&(number as u32).to_le_bytes());
            }
        }
        self.log.push(line);
        Ok((0..results as u64)
            .map(|place| (number * 7 + place) % 50)
            .collect())
    }
}

/// `ref.func` in an instance.
pub(super) fn reference(instance: &Instance<'_>, function: u32) -> Ran<u64> {
    let function = instance.functions.get(function as usize);
    function.map(|it| *it as u64 + 1).ok_or(Stop::Unknown)
}
