//! The host of a generated program. It is the same for every optimized form of the program.
//!
//! An import is identified by its names and its type, because an optimizer may remove imports. The
//! host's functions do what hosts may do: they change the program's memories and globals, call it
//! back, and fail.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use wasmtime::{
    AsContextMut, Caller, Error, Extern, ExternRef, ExternType, Func, FuncType, Global, Memory,
    Mutability, Ref, Result, Store, StoreLimits, StoreLimitsBuilder, Table, Tag, Trap, Val,
    ValType,
};

use super::random::Random;
use super::terms::FUEL;

/// The limit of one call, in the engine's units of fuel. A generated program ends far earlier.
pub const ENGINE_FUEL: u64 = 1_000_000;
/// The maximum size of a memory, in bytes, and of a table, in entries, so that growth fails at the
/// same size everywhere.
const MEMORY: usize = 6 * 65536;
const TABLE: usize = 400;

/// The host's state.
pub struct State {
    limits: StoreLimits,
    seed: u64,
    /// A digest of the calls of the host's functions, with their arguments.
    pub trace: u64,
    /// The number of calls.
    pub calls: u64,
    depth: u32,
    /// Whether a call back ran out of fuel or stack. Everything after it depends on the engine.
    pub exhausted: bool,
    /// The program's exports, sorted. The host's functions use them.
    pub exports: Vec<(String, ExternType)>,
    /// The items that the host provided to the program.
    given: Vec<Extern>,
}

/// An empty store.
pub fn store(engine: &wasmtime::Engine, seed: u64) -> Store<State> {
    let state = State {
        limits: StoreLimitsBuilder::new()
            .memory_size(MEMORY)
            .table_elements(TABLE)
            .build(),
        seed,
        trace: 0,
        calls: 0,
        depth: 0,
        exhausted: false,
        exports: Vec::new(),
        given: Vec::new(),
    };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.limits);
    store
}

/// What identifies an import.
pub type Key = (String, String, String);

/// The key of an import.
pub fn key(module: &str, name: &str, ty: &ExternType) -> Key {
    (module.to_owned(), name.to_owned(), described(ty))
}

/// A type as text, without the numbers that an engine gives to types.
///
/// If the same module is compiled again, these numbers may differ.
pub fn described(ty: &ExternType) -> String {
    let text = in_words(ty);
    let mut pieces = text.split(NUMBERED);
    let mut described = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        described.push_str(NUMBERED);
        described.push_str(piece.trim_start_matches(|it: char| it.is_ascii_digit()));
    }
    described
}

/// The text before the number of a type.
const NUMBERED: &str = "VMSharedTypeIndex(";

fn in_words(ty: &ExternType) -> String {
    match ty {
        ExternType::Func(ty) => format!("{ty}"),
        ExternType::Global(ty) => format!("global {:?} {}", ty.mutability(), ty.content()),
        ExternType::Table(ty) => {
            format!(
                "table {} {} {:?} {}",
                ty.element(),
                ty.minimum(),
                ty.maximum(),
                ty.is_64()
            )
        }
        ExternType::Memory(ty) => {
            let (least, most) = (ty.minimum(), ty.maximum());
            format!("memory {least} {most:?} {} {}", ty.is_64(), ty.is_shared())
        }
        ExternType::Tag(ty) => format!("tag {}", ty.ty()),
    }
}

/// Everything that the unoptimized program imports. `None` if this host lacks some of it.
pub fn imports(
    store: &mut Store<State>,
    program: &wasmtime::Module,
) -> Option<BTreeMap<Key, Extern>> {
    let mut given = BTreeMap::new();
    let mut random = Random::new(store.data().seed, "host");
    let types: Vec<_> = program
        .imports()
        .map(|import| {
            (
                key(import.module(), import.name(), &import.ty()),
                import.ty(),
            )
        })
        .collect();
    for (key, ty) in types {
        let number = given.len() as u64;
        if let Entry::Vacant(vacant) = given.entry(key) {
            vacant.insert(item(store, &mut random, ty, number)?);
        }
    }
    store.data_mut().given = given.values().cloned().collect();
    Some(given)
}

fn item(
    store: &mut Store<State>,
    random: &mut Random,
    ty: ExternType,
    number: u64,
) -> Option<Extern> {
    Some(match ty {
        ExternType::Func(ty) => function(store, ty, number).into(),
        ExternType::Global(ty) => {
            let value = value(store.as_context_mut(), random, ty.content())?;
            // Often an offset of a segment.
            let value = match (value, ty.mutability()) {
                (Val::I32(_), Mutability::Const) => {
                    let offsets = [0, 1, 8, 30, 65530, 65536, 131_072, 262_140, 262_144, -1];
                    Val::I32(random.pick(&offsets))
                }
                (value, _) => value,
            };
            Global::new(store, ty, value).ok()?.into()
        }
        ExternType::Memory(ty) => {
            if ty.is_shared() {
                return None;
            }
            let memory = Memory::new(&mut *store, ty).ok()?;
            // The memory may be larger than the minimum, and does not only contain zeros.
            if random.chance(30) {
                let _ = memory.grow(&mut *store, 1);
            }
            let pattern = random.bytes(64);
            for (place, byte) in memory.data_mut(store).iter_mut().enumerate().step_by(37) {
                *byte = pattern[place % 64];
            }
            memory.into()
        }
        ExternType::Table(ty) => {
            let null = Ref::null(ty.element().heap_type());
            let table = Table::new(&mut *store, ty.clone(), null).ok()?;
            if random.chance(30) {
                let _ = table.grow(&mut *store, 2, Ref::null(ty.element().heap_type()));
            }
            if table.size(&*store) > 0 && ty.element().heap_type().is_func() {
                let ty = FuncType::new(store.engine(), [], []);
                let function = function(store, ty, 1000 + number);
                let _ = table.set(store, 0, Ref::Func(Some(function)));
            }
            table.into()
        }
        ExternType::Tag(ty) => Tag::new(store, &ty).ok()?.into(),
    })
}

fn function(store: &mut Store<State>, ty: FuncType, number: u64) -> Func {
    let results: Vec<ValType> = ty.results().collect();
    Func::new(store, ty, move |mut caller, arguments, out| {
        let state = caller.data_mut();
        state.calls += 1;
        state.mix(number);
        for argument in arguments {
            let bits = bits(argument);
            state.mix(bits as u64);
            state.mix((bits >> 64) as u64);
        }
        let mut random = Random::new(state.seed ^ (state.calls << 32), "call");
        if random.chance(4) {
            return Err(Error::msg("the host failed"));
        }
        if random.chance(40) {
            touch(&mut caller, &mut random);
        }
        if random.chance(10) && caller.data().depth < 2 {
            call_back(&mut caller, &mut random)?;
        }
        for (out, ty) in out.iter_mut().zip(&results) {
            let value = value(caller.as_context_mut(), &mut random, ty);
            *out = value.ok_or_else(|| Error::msg("no value of this type"))?;
        }
        Ok(())
    })
}

impl State {
    fn mix(&mut self, value: u64) {
        self.trace = (self.trace.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// Changes an item that the program exports or that the host provided.
fn touch(caller: &mut Caller<'_, State>, random: &mut Random) {
    let changed = |ty: &ExternType| match ty {
        ExternType::Memory(_) => true,
        ExternType::Global(ty) => ty.mutability() == Mutability::Var && !ty.content().is_ref(),
        _ => false,
    };
    let exports = caller.data().exports.iter();
    let exports = exports.filter(|(name, ty)| name != FUEL && changed(ty));
    let names: Vec<String> = exports.map(|(name, _)| name.clone()).collect();
    let mut items: Vec<Extern> = names
        .iter()
        .filter_map(|it| caller.get_export(it))
        .collect();
    let given = caller.data().given.iter().cloned();
    items.extend(given.filter(|item| changed(&item.ty(&*caller))));
    if items.is_empty() {
        return;
    }
    match &items[random.below(items.len())] {
        Extern::Memory(memory) => {
            let data = memory.data_mut(caller);
            if !data.is_empty() {
                let place = random.below(data.len());
                let place = random.pick(&[place, place % 64]);
                data[place] ^= 0x5a;
            }
        }
        Extern::Global(global) => {
            let ty = global.ty(&*caller).content().clone();
            if let Some(value) = value(caller.as_context_mut(), random, &ty) {
                let _ = global.set(caller, value);
            }
        }
        _ => {}
    }
}

/// Calls an exported function. In half of the cases, the host passes a failure on.
fn call_back(caller: &mut Caller<'_, State>, random: &mut Random) -> Result<()> {
    let exports = caller.data().exports.iter();
    let functions = exports.filter(|(_, ty)| ty.func().is_some());
    let names: Vec<String> = functions.map(|(name, _)| name.clone()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let name = &names[random.below(names.len())];
    let Some(Extern::Func(function)) = caller.get_export(name) else {
        return Ok(());
    };
    let ty = function.ty(&*caller);
    let Some(arguments) = arguments(caller.as_context_mut(), random, &ty) else {
        return Ok(());
    };
    let mut results = vec![Val::I32(0); ty.results().len()];
    caller.data_mut().depth += 1;
    let called = function.call(&mut *caller, &arguments, &mut results);
    caller.data_mut().depth -= 1;
    match called {
        Ok(()) => Ok(()),
        Err(error) if exhausted(&error) => {
            caller.data_mut().exhausted = true;
            Err(error)
        }
        Err(error) if random.chance(50) => Err(error),
        Err(_) => Ok(()),
    }
}

/// Whether the engine's limits ended a call. Optimized code uses fuel and stack differently.
pub fn exhausted(error: &Error) -> bool {
    matches!(
        error.downcast_ref::<Trap>(),
        Some(Trap::OutOfFuel | Trap::Interrupt | Trap::StackOverflow)
    )
}

/// Arguments for a function. `None` if this host has no value of one of the types.
pub fn arguments(
    mut store: impl AsContextMut<Data = State>,
    random: &mut Random,
    ty: &FuncType,
) -> Option<Vec<Val>> {
    ty.params()
        .map(|ty| value(store.as_context_mut(), random, &ty))
        .collect()
}

/// A value, often one that operations treat specially. The only NaN is the canonical one, because
/// arithmetic on others is not fully specified.
fn value(store: impl AsContextMut<Data = State>, random: &mut Random, ty: &ValType) -> Option<Val> {
    Some(match ty {
        ValType::I32 => Val::I32(whole(random) as i32),
        ValType::I64 => Val::I64(whole(random)),
        ValType::F32 => Val::F32(single(random)),
        ValType::F64 => Val::F64(double(random)),
        ValType::V128 => {
            let lanes = match random.below(3) {
                0 => (0..4).fold(0, |all, _| all << 32 | u128::from(single(random))),
                1 => (0..2).fold(0, |all, _| all << 64 | u128::from(double(random))),
                _ => (0..2).fold(0, |all, _| all << 64 | whole(random) as u64 as u128),
            };
            Val::V128(lanes.into())
        }
        ValType::Ref(ty) if ty.heap_type().is_extern() && random.chance(50) => {
            Val::ExternRef(Some(ExternRef::new(store, 7_u32).ok()?))
        }
        ValType::Ref(ty) if ty.is_nullable() => Val::null_ref(ty.heap_type()),
        ValType::Ref(_) => return None,
    })
}

fn whole(random: &mut Random) -> i64 {
    let near = random.pick(&[0, 1, 2, 8, 31, 32, 64, 255, 65530, 65536]) as i64;
    let edge = random.pick(&[
        i64::from(i32::MIN),
        i64::from(i32::MAX),
        i64::from(u32::MAX),
        i64::MIN,
        i64::MAX,
        -1,
        0x80,
        0x8000,
    ]);
    let any = random.number() as i64;
    random.pick(&[near, near, edge, any >> (any & 63)])
}

fn single(random: &mut Random) -> u32 {
    let whole = whole(random) as f32;
    let edge = random.pick(&[
        0.0,
        -0.0,
        1.0,
        -1.5,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MIN_POSITIVE,
        1e-45,
        2_147_483_648.0,
        f32::from_bits(0x7fc0_0000),
    ]);
    random.pick(&[whole, edge]).to_bits()
}

fn double(random: &mut Random) -> u64 {
    let whole = whole(random) as f64;
    let edge = random.pick(&[
        0.0,
        -0.0,
        1.0,
        -1.5,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MIN_POSITIVE,
        5e-324,
        9_223_372_036_854_775_808.0,
        f64::from_bits(0x7ff8_0000_0000_0000),
    ]);
    random.pick(&[whole, edge]).to_bits()
}

/// A value's bits. For a reference: 1, or 0 if it is null.
pub fn bits(value: &Val) -> u128 {
    match value {
        Val::I32(value) => u128::from(*value as u32),
        Val::I64(value) => u128::from(*value as u64),
        Val::F32(bits) => u128::from(*bits),
        Val::F64(bits) => u128::from(*bits),
        Val::V128(value) => value.as_u128(),
        other => other.ref_().is_some_and(|it| !it.is_null()).into(),
    }
}
