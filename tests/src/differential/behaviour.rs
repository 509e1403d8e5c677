//! Describes the behaviour of a core module as text, so that people can read a difference.

use std::collections::BTreeMap;

use wasmtime::{
    Config, Engine, Extern, ExternType, Func, Instance, Module, Mutability, OptLevel,
    RegallocAlgorithm, Store, Trap, Val,
};

use super::host::{self, ENGINE_FUEL, Key, State};
use super::random::Random;
use super::sections::Sections;
use super::terms::{FUEL, REFILL};

/// How many functions are called, and how often each.
const FUNCTIONS: usize = 12;
const ROUNDS: usize = 2;
/// How many functions of each exported table are called.
const ENTRIES: u64 = 6;

/// The section that names the start function.
const START: u8 = 8;

/// After this line, nothing can be compared: the engine's limits ended a call.
const EXHAUSTED: &str = "exhausted";

/// The behaviour of a module, line by line.
#[derive(Debug, PartialEq, Eq)]
pub struct Behaviour {
    lines: Vec<String>,
    /// The number of calls.
    pub calls: usize,
    /// Whether it was instantiated.
    pub started: bool,
}

/// Why the unoptimized module has no behaviour to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The module imports something that this host does not have.
    Host,
    /// The engine does not instantiate it, for another reason than a trap: for example, its memory
    /// is too large.
    Engine,
}

/// A module before it was optimized.
pub struct Original {
    /// The module.
    pub module: Module,
    /// Whether it runs code at instantiation.
    starts: bool,
}

impl Original {
    /// Compiles the module.
    pub fn new(engine: &Engine, wasm: &[u8]) -> Self {
        let sections = Sections::of(wasm);
        Self {
            module: Module::new(engine, wasm).expect("the engine compiles what is valid"),
            starts: sections.0.iter().any(|(id, _)| *id == START),
        }
    }
}

/// The engine for all comparisons: it compiles quickly, and has a single NaN.
pub fn engine() -> Engine {
    let mut config = settings();
    config.consume_fuel(true);
    Engine::new(&config).expect("settings that go together")
}

/// The settings of an engine that compiles quickly.
pub(super) fn settings() -> Config {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::None)
        .cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass)
        .cranelift_nan_canonicalization(true)
        .cranelift_debug_verifier(false)
        .parallel_compilation(false)
        .memory_init_cow(false)
        .wasm_backtrace_max_frames(None);
    config
}

/// The behaviour of `module` in place of `original`. The imports of `original` determine what the
/// host provides, and in which order.
///
/// # Errors
///
/// If the module cannot be instantiated for another reason than a trap.
pub fn behaviour(original: &Original, module: &Module, seed: u64) -> Result<Behaviour, Unknown> {
    let mut store = host::store(module.engine(), seed);
    refuel(&mut store);
    let given = host::imports(&mut store, &original.module).ok_or(Unknown::Host)?;
    let mut seen = Behaviour {
        lines: Vec::new(),
        calls: 0,
        started: false,
    };
    let exports: BTreeMap<String, ExternType> = module
        .exports()
        .map(|export| (export.name().to_owned(), export.ty()))
        .collect();
    for (name, ty) in &exports {
        seen.say(format!("export {name:?}: {}", host::described(ty)));
    }
    store.data_mut().exports = exports.clone().into_iter().collect();
    let mut imports = Vec::new();
    for import in module.imports() {
        let key = host::key(import.module(), import.name(), &import.ty());
        match given.get(&key) {
            Some(item) => imports.push(item.clone()),
            None => {
                seen.say(format!("imports what the original did not: {key:?}"));
                return Ok(seen);
            }
        }
    }
    let instance = match Instance::new(&mut store, module, &imports) {
        Ok(instance) => instance,
        Err(error) if host::exhausted(&error) || store.data().exhausted => {
            seen.say(EXHAUSTED.to_owned());
            return Ok(seen);
        }
        Err(error) => {
            let trap = error.downcast_ref::<Trap>();
            if trap.is_none() && error.to_string() != "the host failed" {
                return Err(Unknown::Engine);
            }
            // Traps of a start function may change their order; traps of segments may not.
            match (trap, original.starts) {
                (Some(trap), false) => seen.say(format!("no instance: {trap:?}")),
                _ => seen.say("no instance: a trap".to_owned()),
            }
            seen.look(&mut store, &given, None);
            return Ok(seen);
        }
    };
    seen.started = true;
    seen.look(&mut store, &given, Some((&instance, &exports)));
    let functions = exports.iter().filter(|(_, ty)| ty.func().is_some());
    let names: Vec<&String> = functions.map(|(name, _)| name).take(FUNCTIONS).collect();
    let mut random = Random::new(seed, "arguments");
    for round in 0..ROUNDS {
        for name in &names {
            let function = instance.get_func(&mut store, name).expect("an export");
            let what = format!("{name:?} {round}");
            if !seen.call(&mut store, &instance, function, &what, &mut random) {
                return Ok(seen);
            }
            seen.look(&mut store, &given, Some((&instance, &exports)));
        }
    }
    for name in exports.iter().filter(|(_, ty)| ty.table().is_some()) {
        let table = instance.get_table(&mut store, name.0).expect("an export");
        for entry in 0..ENTRIES.min(table.size(&store)) {
            let function = table.get(&mut store, entry);
            let function = function.and_then(|it| it.as_func().flatten().copied());
            let Some(function) = function else { continue };
            let what = format!("{name:?}[{entry}]", name = name.0);
            if !seen.call(&mut store, &instance, function, &what, &mut random) {
                return Ok(seen);
            }
        }
    }
    seen.look(&mut store, &given, Some((&instance, &exports)));
    Ok(seen)
}

/// One kind of engine counts fuel, another has a deadline. On the others, programs end by
/// themselves.
fn refuel(store: &mut Store<State>) {
    let _ = store.set_fuel(ENGINE_FUEL);
    store.set_epoch_deadline(1 << 40);
}

impl Behaviour {
    fn say(&mut self, line: String) {
        self.lines.push(line);
    }

    /// Calls a function. Returns `false` if nothing after the call can be compared.
    fn call(
        &mut self,
        store: &mut Store<State>,
        instance: &Instance,
        function: Func,
        what: &str,
        random: &mut Random,
    ) -> bool {
        refuel(store);
        if let Some(fuel) = instance.get_global(&mut *store, FUEL) {
            // The program may use the name for another global. Then this fails, or does no harm.
            let _ = fuel.set(&mut *store, Val::I32(REFILL as i32));
        }
        let ty = function.ty(&*store);
        let Some(arguments) = host::arguments(&mut *store, random, &ty) else {
            return true;
        };
        self.calls += 1;
        let mut results = vec![Val::I32(0); ty.results().len()];
        let called = function.call(&mut *store, &arguments, &mut results);
        match called {
            _ if store.data().exhausted => self.say(EXHAUSTED.to_owned()),
            Ok(()) => {
                let results: Vec<String> = results.iter().map(shown).collect();
                self.say(format!("{what}: {}", results.join(" ")));
                return true;
            }
            Err(error) if host::exhausted(&error) => self.say(EXHAUSTED.to_owned()),
            Err(_) => {
                self.say(format!("{what}: a trap"));
                return true;
            }
        }
        false
    }

    /// Describes everything that the host can see.
    fn look(
        &mut self,
        store: &mut Store<State>,
        given: &BTreeMap<Key, Extern>,
        instance: Option<(&Instance, &BTreeMap<String, ExternType>)>,
    ) {
        let state = store.data();
        let mut line = format!("host: {} calls, {:x}", state.calls, state.trace);
        for (key, item) in given {
            if let Some(what) = looked_at(store, item) {
                line += &format!("; {:?}.{:?} {what}", key.0, key.1);
            }
        }
        if let Some((instance, exports)) = instance {
            for name in exports.keys() {
                let item = instance.get_export(&mut *store, name);
                let item = item.expect("an export of its module");
                if let Some(what) = looked_at(store, &item) {
                    line += &format!("; {name:?} {what}");
                }
            }
        }
        self.say(line);
    }

    /// The first difference, if there is one: the behaviour of this module, and of the other.
    pub fn difference(&self, other: &Self) -> Option<(String, String)> {
        let mut pairs = self.lines.iter().zip(&other.lines);
        for (one, two) in &mut pairs {
            if one == EXHAUSTED || two == EXHAUSTED {
                return None;
            }
            if one != two {
                return Some((one.clone(), two.clone()));
            }
        }
        let more = |lines: &Self, than: &Self| match lines.lines.get(than.lines.len()) {
            Some(line) => line.clone(),
            None => "nothing more".to_owned(),
        };
        let (one, two) = (more(self, other), more(other, self));
        (self.lines.len() != other.lines.len() && one != EXHAUSTED && two != EXHAUSTED)
            .then_some((one, two))
    }

    /// Whether the engine's limits ended it.
    pub fn exhausted(&self) -> bool {
        self.lines.last().is_some_and(|line| line == EXHAUSTED)
    }
}

/// What the host can see of an item. `None` for a function.
fn looked_at(store: &mut Store<State>, item: &Extern) -> Option<String> {
    Some(match item {
        Extern::Memory(memory) => {
            let data = memory.data(&*store);
            format!("{} bytes {:x}", data.len(), digest(data))
        }
        Extern::Global(global) => {
            if global.ty(&*store).mutability() == Mutability::Const {
                return Some(format!("constant {}", shown(&global.get(&mut *store))));
            }
            shown(&global.get(&mut *store))
        }
        Extern::Table(table) => {
            let entries = (0..table.size(&*store)).map(|entry| {
                let entry = table.get(&mut *store, entry).expect("within the table");
                if entry.is_null() { '-' } else { 'x' }
            });
            let entries: String = entries.collect();
            format!("[{entries}]")
        }
        _ => return None,
    })
}

fn shown(value: &Val) -> String {
    match value {
        Val::I32(value) => format!("{value}"),
        Val::I64(value) => format!("{value}"),
        _ => format!("{:#x}", host::bits(value)),
    }
}

/// A digest of a memory. It is quick, and good enough against accidental changes.
fn digest(bytes: &[u8]) -> u64 {
    let mut lanes = [1_u64, 2, 3, 4];
    let mut blocks = bytes.chunks_exact(32);
    for block in &mut blocks {
        for (lane, word) in lanes.iter_mut().zip(block.chunks_exact(8)) {
            let word = u64::from_le_bytes(word.try_into().expect("eight bytes"));
            *lane = (lane.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }
    let words = lanes.iter().copied();
    let words = words.chain(blocks.remainder().iter().map(|byte| u64::from(*byte)));
    words.fold(0, |sum: u64, word| {
        (sum.rotate_left(9) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}
