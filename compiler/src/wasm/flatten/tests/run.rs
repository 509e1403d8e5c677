//! Runs components, and tells what a host and a caller see.

use wasmtime::component::{Component, Linker, Val};
use wasmtime::{Engine, Error, Store, StoreContextMut, Trap};

use crate::ValidComponent;
use crate::native::initialize::config;

/// What happened: what the host was told, and the result of each call of `run`, or the trap.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    told: Vec<String>,
    results: Vec<String>,
}

/// Makes an instance of a component, and calls its exports `run`, `run2` and `run3`, if it has
/// them.
pub(super) fn run(program: &ValidComponent) -> Seen {
    let engine = Engine::new(&config(program.features())).unwrap();
    let component = Component::new(&engine, program.bytes()).unwrap();
    let mut linker = Linker::<Vec<String>>::new(&engine);
    let mut root = linker.root();
    root.func_wrap(
        "log",
        |mut store: StoreContextMut<'_, Vec<String>>, (number,): (u32,)| {
            store.data_mut().push(number.to_string());
            Ok(())
        },
    )
    .unwrap();
    root.func_wrap(
        "say",
        |mut store: StoreContextMut<'_, Vec<String>>, (text,): (String,)| {
            store.data_mut().push(text);
            Ok(())
        },
    )
    .unwrap();
    root.func_wrap("ask", |_: StoreContextMut<'_, Vec<String>>, (): ()| {
        Ok(("an answer".to_owned(),))
    })
    .unwrap();
    let mut store = Store::new(&engine, Vec::new());
    let mut seen = Seen::default();
    match linker.instantiate(&mut store, &component) {
        Err(error) => seen.results.push(trap(&error)),
        Ok(instance) => {
            for name in ["run", "run2", "run3"] {
                let Some(function) = instance.get_func(&mut store, name) else {
                    continue;
                };
                let results = function.ty(&store).results().len();
                let mut results = vec![Val::Bool(false); results];
                match function.call(&mut store, &[], &mut results) {
                    Ok(()) => seen.results.push(format!("{results:?}")),
                    Err(error) => {
                        // No instance can be entered after a trap.
                        seen.results.push(trap(&error));
                        break;
                    }
                }
            }
        }
    }
    seen.told = store.into_data();
    seen
}

fn trap(error: &Error) -> String {
    match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string(),
        None => format!("{error:#}"),
    }
}
