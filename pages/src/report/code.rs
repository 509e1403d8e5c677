//! The code of an artifact by module and function. Small functions are summed up, so that a page
//! about a large program stays small.

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// What the code of an image holds.
#[derive(Clone, Debug, Default)]
pub struct Code {
    /// The core modules, by number.
    pub modules: Vec<Module>,
    /// Whether all functions are known, from a debug file. If not, the functions are those of the
    /// engine's table, which may have only some, and has numbers instead of names.
    pub is_named: bool,
}

/// The functions of a core module.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// Its number in the program.
    pub number: u32,
    /// Its name.
    pub name: Option<String>,
    /// Its functions, in any order. Functions that share their code are one.
    pub functions: Vec<Function>,
}

/// The code of one function.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its index in the module.
    pub index: u32,
    /// Its name.
    pub name: Option<String>,
    /// The length of its code in bytes.
    pub bytes: u64,
    /// How many other functions have the same code.
    pub shared: u64,
}

/// A core module as a page shows it.
pub(super) struct Shown<'c> {
    pub(super) module: &'c Module,
    pub(super) bytes: u64,
    /// The functions that have a row, the largest first.
    pub(super) functions: Vec<&'c Function>,
    /// How many functions are summed up, and their bytes.
    pub(super) rest: (usize, u64),
}

impl Code {
    /// The modules, the largest first. Together they show the `most` largest functions.
    pub(super) fn shown(&self, most: usize) -> Vec<Shown<'_>> {
        let mut all: Vec<(&Module, &Function)> = Vec::new();
        for module in &self.modules {
            all.extend(module.functions.iter().map(|function| (module, function)));
        }
        all.sort_by_key(|(module, it)| (Reverse(it.bytes), module.number, it.index));
        let mut by_module: BTreeMap<u32, Shown<'_>> = BTreeMap::new();
        for (number, (module, function)) in all.into_iter().enumerate() {
            let shown = by_module.entry(module.number).or_insert_with(|| Shown {
                module,
                bytes: 0,
                functions: Vec::new(),
                rest: (0, 0),
            });
            shown.bytes = shown.bytes.saturating_add(function.bytes);
            if number < most {
                shown.functions.push(function);
            } else {
                let (count, bytes) = shown.rest;
                shown.rest = (count + 1, bytes.saturating_add(function.bytes));
            }
        }
        let mut modules: Vec<Shown<'_>> = by_module.into_values().collect();
        modules.sort_by_key(|shown| (Reverse(shown.bytes), shown.module.number));
        modules
    }
}

impl Module {
    /// `core module 0`, with its name.
    pub(super) fn title(&self) -> String {
        match &self.name {
            Some(name) => format!("core module {} {name}", self.number),
            None => format!("core module {}", self.number),
        }
    }
}

impl Function {
    /// Its name, or its index.
    pub(super) fn title(&self) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None => format!("function {}", self.index),
        }
    }
}
