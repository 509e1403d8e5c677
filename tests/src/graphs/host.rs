//! The host of a component under test: it has every function that the component imports.
//!
//! It notes each call with its arguments. What it returns depends on the seed and on the number of
//! calls before, so calls in another order have other results.

use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, Linker, Resource, ResourceType, Type, Val};
use wasmtime::{AsContextMut as _, Engine, Result, Store, StoreContextMut};

use crate::differential::random::Random;

/// What happened since the instance was made.
pub struct State {
    seed: u64,
    /// The calls of the host, as text.
    pub calls: Vec<String>,
}

/// A resource of the host.
pub struct Thing;

/// A call of `ask` with a number that has this rest fails.
const FAILS: (u32, u32) = (61, 13);

/// Texts that the host returns, in every width of character.
const TEXTS: [&str; 6] = [
    "",
    "a",
    "two words",
    "h\u{e9}",
    "\u{3b1}\u{3c9}",
    "\u{1f600}!",
];

/// A store for a host.
pub fn store(engine: &Engine, seed: u64) -> Store<State> {
    let calls = Vec::new();
    Store::new(engine, State { seed, calls })
}

/// A linker with everything that the component imports. `None` if it imports what a host of
/// functions and resources does not have.
pub fn linker(engine: &Engine, component: &Component) -> Option<Linker<State>> {
    let mut linker = Linker::new(engine);
    for (name, import) in component.component_type().imports(engine) {
        match import.ty {
            ComponentItem::ComponentFunc(_) => define(&mut linker.root(), name),
            ComponentItem::ComponentInstance(instance) => {
                let mut inside = linker.instance(name).ok()?;
                for (name, export) in instance.exports(engine) {
                    match export.ty {
                        ComponentItem::ComponentFunc(_) => define(&mut inside, name),
                        ComponentItem::Resource(_) => resource(&mut inside, name),
                        ComponentItem::Type(_) => {}
                        _ => return None,
                    }
                }
            }
            ComponentItem::Type(_) => {}
            _ => return None,
        }
    }
    Some(linker)
}

type Definitions<'a> = wasmtime::component::LinkerInstance<'a, State>;

fn define(definitions: &mut Definitions<'_>, name: &str) {
    let named = name.to_owned();
    let function =
        move |store: StoreContextMut<'_, State>,
              ty: ComponentFunc,
              arguments: &[Val],
              results: &mut [Val]| called(store, &named, &ty, arguments, results);
    definitions.func_new(name, function).expect("a new name");
}

fn resource(definitions: &mut Definitions<'_>, name: &str) {
    let named = name.to_owned();
    let dropped = move |mut store: StoreContextMut<'_, State>, number: u32| {
        store
            .data_mut()
            .calls
            .push(format!("drop {named} {number}"));
        Ok(())
    };
    let ty = ResourceType::host::<Thing>();
    definitions.resource(name, ty, dropped).expect("a new name");
}

/// A call of the host.
fn called(
    mut store: StoreContextMut<'_, State>,
    name: &str,
    ty: &ComponentFunc,
    arguments: &[Val],
    results: &mut [Val],
) -> Result<()> {
    let shown: Vec<String> = arguments.iter().map(shown).collect();
    let state = store.data_mut();
    state.calls.push(format!("{name}({})", shown.join(", ")));
    if let ("ask", [Val::U32(number)]) = (name, arguments)
        && number % FAILS.0 == FAILS.1
    {
        return Err(wasmtime::Error::msg("the host failed"));
    }
    let mut random = Random::new(state.seed ^ state.calls.len() as u64, name);
    for (result, ty) in results.iter_mut().zip(ty.results()) {
        // Some functions return what they get.
        *result = match arguments {
            [Val::String(text)] if ty == Type::String && random.chance(60) => {
                Val::String(text.clone())
            }
            [Val::List(items)] if matches!(ty, Type::List(_)) && random.chance(60) => {
                Val::List(items.clone())
            }
            _ => value(&mut store, &mut random, &ty)?,
        };
    }
    Ok(())
}

/// A value of this type.
///
/// # Errors
///
/// If the host has no such value.
pub fn value(
    store: &mut StoreContextMut<'_, State>,
    random: &mut Random,
    ty: &Type,
) -> Result<Val> {
    let small = random.pick(&[0_u8, 1, 2, 3, 5, 17, 48, 200, 255]);
    Ok(match ty {
        Type::Bool => Val::Bool(small.is_multiple_of(2)),
        Type::U8 => Val::U8(small),
        Type::U16 => Val::U16(small.into()),
        Type::U32 => Val::U32(small.into()),
        Type::U64 => Val::U64(random.number() >> small.min(63)),
        Type::S32 => Val::S32(i32::from(small) - 100),
        Type::S64 => Val::S64(i64::from(small) - 100),
        Type::Float32 => Val::Float32(small.into()),
        Type::Float64 => Val::Float64(f64::from(small) / 4.0),
        Type::Char => Val::Char(small.into()),
        Type::String => Val::String(random.pick(&TEXTS).to_owned()),
        Type::List(list) => {
            let length = random.below(6);
            let items = (0..length).map(|_| value(store, random, &list.ty()));
            Val::List(items.collect::<Result<_>>()?)
        }
        Type::Tuple(tuple) => {
            let items = tuple.types().map(|ty| value(store, random, &ty));
            Val::Tuple(items.collect::<Result<_>>()?)
        }
        Type::Option(_) => Val::Option(None),
        Type::Own(ty) if *ty == ResourceType::host::<Thing>() => {
            let thing = Resource::<Thing>::new_own(small.into());
            Val::Resource(thing.try_into_resource_any(store.as_context_mut())?)
        }
        _ => return Err(wasmtime::Error::msg("the host has no such value")),
    })
}

/// A value as text.
pub fn shown(value: &Val) -> String {
    match value {
        // Bit for bit.
        Val::Float32(float) => format!("{:#x}", float.to_bits()),
        Val::Float64(float) => format!("{:#x}", float.to_bits()),
        Val::Resource(_) => "a resource".to_owned(),
        Val::List(items) => {
            let items: Vec<String> = items.iter().map(shown).collect();
            format!("[{}]", items.join(" "))
        }
        other => format!("{other:?}"),
    }
}
