//! Describes the behaviour of a component as text, so that people can read a difference.

use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, Instance, Linker, ResourceAny, Type, Val};
use wasmtime::{AsContextMut as _, Config, Engine, OptLevel, RegallocAlgorithm, Store, Trap};

use super::host::{self, State};
use crate::differential::random::Random;

/// How many calls a component gets, besides those that read its state.
const CALLS: usize = 14;
/// How many instances these calls are spread over: a trap ends an instance.
const INSTANCES: usize = 4;
/// The state is read again after this many calls.
const BETWEEN: usize = 5;

/// After this line, nothing can be compared: the stack ran out.
const EXHAUSTED: &str = "exhausted";

/// The beginning of the names of exports that read the state.
const DIGEST: &str = "digest";

/// The behaviour of a component, line by line.
#[derive(Debug, PartialEq, Eq)]
pub struct Behaviour {
    lines: Vec<String>,
    /// The number of calls that were answered.
    pub calls: usize,
    /// The number of calls of the host.
    pub host_calls: usize,
    /// Whether it was instantiated.
    pub started: bool,
}

/// Which traps are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traps {
    /// All.
    Each,
    /// Only whether there was one: an optimizer may change the order of traps.
    Any,
}

/// The engine for most comparisons: it compiles quickly.
pub fn engine() -> Engine {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::None)
        .cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass)
        .cranelift_debug_verifier(false)
        .parallel_compilation(false)
        .generate_address_map(false)
        .memory_init_cow(false)
        .wasm_backtrace_max_frames(None);
    Engine::new(&config).expect("settings that go together")
}

/// Stock Wasmtime in its default configuration, but without backtraces in messages.
pub fn stock() -> Engine {
    let mut config = Config::new();
    config.wasm_backtrace_max_frames(None);
    Engine::new(&config).expect("settings that go together")
}

/// The behaviour of a component. `None` if it imports what the host does not have.
pub fn behaviour(component: &Component, seed: u64, traps: Traps) -> Option<Behaviour> {
    let engine = component.engine();
    let linker = host::linker(engine, component)?;
    let mut exports: Vec<(String, ComponentFunc)> = component
        .component_type()
        .exports(engine)
        .filter_map(|(name, export)| match export.ty {
            ComponentItem::ComponentFunc(ty) => Some((name.to_owned(), ty)),
            _ => None,
        })
        .collect();
    exports.sort_by(|one, other| one.0.cmp(&other.0));
    let (digests, functions) = exports
        .into_iter()
        .partition(|(name, _)| name.starts_with(DIGEST));
    let mut run = Run {
        component,
        linker,
        seed,
        traps,
        digests,
        functions,
        random: Random::new(seed, "calls"),
        left: CALLS,
        seen: Behaviour {
            lines: Vec::new(),
            calls: 0,
            host_calls: 0,
            started: false,
        },
    };
    for _ in 0..INSTANCES {
        if run.left == 0 || !run.instance() {
            break;
        }
    }
    Some(run.seen)
}

/// A component while its behaviour is described.
struct Run<'a> {
    component: &'a Component,
    linker: Linker<State>,
    seed: u64,
    traps: Traps,
    digests: Vec<(String, ComponentFunc)>,
    functions: Vec<(String, ComponentFunc)>,
    random: Random,
    left: usize,
    seen: Behaviour,
}

/// How a call ended.
#[derive(PartialEq, Eq)]
enum End {
    Returned,
    Trapped,
    Exhausted,
}

impl Run<'_> {
    /// Calls functions of a new instance, until one traps. Returns whether another instance could
    /// do more.
    fn instance(&mut self) -> bool {
        let mut store = host::store(self.component.engine(), self.seed);
        let made = self.linker.instantiate(&mut store, self.component);
        self.note(&mut store);
        let instance = match made {
            Ok(instance) => instance,
            Err(error) => {
                let end = self.ended(&error);
                self.say(format!("no instance: {end}"));
                return false;
            }
        };
        self.seen.started = true;
        self.say("an instance".to_owned());
        match self.calls(&mut store, &instance) {
            End::Returned => false,
            End::Trapped => true,
            End::Exhausted => false,
        }
    }

    fn calls(&mut self, store: &mut Store<State>, instance: &Instance) -> End {
        let mut things: Vec<ResourceAny> = Vec::new();
        let mut end = self.look(store, instance);
        while end == End::Returned && self.left > 0 && !self.functions.is_empty() {
            self.left -= 1;
            let (name, ty) = self.functions[self.random.below(self.functions.len())].clone();
            end = self.call(store, instance, (&name, &ty), &mut things);
            if end == End::Returned && self.left.is_multiple_of(BETWEEN) {
                end = self.look(store, instance);
            }
        }
        if end != End::Returned {
            return end;
        }
        for thing in things {
            let dropped = thing.resource_drop(&mut *store);
            self.note(store);
            if let Err(error) = dropped {
                let end = self.ended(&error);
                self.say(format!("a drop: {end}"));
                return End::Trapped;
            }
        }
        self.left = 0;
        self.look(store, instance)
    }

    /// Reads the state of all instances.
    fn look(&mut self, store: &mut Store<State>, instance: &Instance) -> End {
        for (name, ty) in self.digests.clone() {
            match self.call(store, instance, (&name, &ty), &mut Vec::new()) {
                End::Returned => {}
                end => return end,
            }
        }
        End::Returned
    }

    fn call(
        &mut self,
        store: &mut Store<State>,
        instance: &Instance,
        (name, ty): (&str, &ComponentFunc),
        things: &mut Vec<ResourceAny>,
    ) -> End {
        let function = instance.get_func(&mut *store, name).expect("an export");
        let Some(arguments) = self.arguments(store, ty, things) else {
            return End::Returned;
        };
        let mut results = vec![Val::Bool(false); ty.results().len()];
        let called = function.call(&mut *store, &arguments, &mut results);
        self.note(store);
        match called {
            Ok(()) => {
                self.seen.calls += 1;
                let shown: Vec<String> = results.iter().map(host::shown).collect();
                self.say(format!("{name}: {}", shown.join(" ")));
                things.extend(results.iter().filter_map(|result| match result {
                    Val::Resource(thing) => Some(*thing),
                    _ => None,
                }));
                End::Returned
            }
            Err(error) => match self.ended(&error) {
                end if end == EXHAUSTED => {
                    self.say(end);
                    End::Exhausted
                }
                end => {
                    self.say(format!("{name}: {end}"));
                    End::Trapped
                }
            },
        }
    }

    /// Arguments of these types. `None` if there are none, for example no resource yet.
    fn arguments(
        &mut self,
        store: &mut Store<State>,
        ty: &ComponentFunc,
        things: &mut Vec<ResourceAny>,
    ) -> Option<Vec<Val>> {
        let mut arguments = Vec::new();
        for (name, ty) in ty.params() {
            arguments.push(match ty {
                // A depth. With more, the calls would take long.
                Type::U32 if name == "d" => Val::U32(self.random.below(5) as u32),
                Type::Borrow(_) => {
                    let thing = things.get(self.random.below(things.len().max(1)))?;
                    Val::Resource(*thing)
                }
                Type::Own(_) => Val::Resource(things.pop()?),
                ty => {
                    let mut store = store.as_context_mut();
                    host::value(&mut store, &mut self.random, &ty).ok()?
                }
            });
        }
        Some(arguments)
    }

    /// Adds the calls of the host since the last time.
    fn note(&mut self, store: &mut Store<State>) {
        // The list keeps its length, on which the host's answers depend.
        let calls = &mut store.data_mut().calls;
        for call in calls.iter_mut().filter(|call| !call.is_empty()) {
            self.seen.host_calls += 1;
            self.seen
                .lines
                .push(format!("host: {}", std::mem::take(call)));
        }
    }

    fn say(&mut self, line: String) {
        self.seen.lines.push(line);
    }

    fn ended(&self, error: &wasmtime::Error) -> String {
        match (error.downcast_ref::<Trap>(), self.traps) {
            (Some(Trap::StackOverflow), _) => EXHAUSTED.to_owned(),
            (_, Traps::Any) => "a trap".to_owned(),
            (Some(trap), Traps::Each) => format!("{trap:?}"),
            (None, Traps::Each) => error.root_cause().to_string(),
        }
    }
}

impl Behaviour {
    /// The first difference, if there is one: the behaviour of this component, and of the other.
    pub fn difference(&self, other: &Self) -> Option<(String, String)> {
        let line = |of: &Self, number: usize| match of.lines.get(number) {
            Some(line) => line.clone(),
            None => "nothing more".to_owned(),
        };
        for number in 0..self.lines.len().max(other.lines.len()) {
            let (one, two) = (line(self, number), line(other, number));
            if one.contains(EXHAUSTED) || two.contains(EXHAUSTED) {
                return None;
            }
            if one != two {
                let before = match number {
                    0 => "the start".to_owned(),
                    _ => line(self, number - 1),
                };
                return Some((format!("{one} (after {before})"), two));
            }
        }
        None
    }

    /// Whether the engine's stack ended it.
    pub fn exhausted(&self) -> bool {
        self.lines.iter().any(|line| line.contains(EXHAUSTED))
    }

    /// All lines.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }
}
