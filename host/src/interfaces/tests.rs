//! The interfaces as a guest calls them, without a guest.

use std::sync::Mutex;

use edgec_loader::wasmtime::component::Resource;
use edgec_loader::{EngineProfile, HostEngine};
use wasmtime_wasi::{WasiCtx, WasiCtxView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView};

use super::*;
use crate::keyvalue::{KeyValueLimits, Place};
use crate::outbound::{HttpHooks, Outbound, ProcessConnections, Roots, Rules, Settings};

/// The contents of a store.
pub(super) struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: HttpHooks,
    table: ResourceTable,
    imports: Imports,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.hooks,
        }
    }
}

impl Guest for State {
    fn imports(&mut self) -> ImportsView<'_> {
        ImportsView {
            imports: &mut self.imports,
            table: &mut self.table,
        }
    }
}

fn state(keyvalue: Option<Arc<KeyValue>>, log: Arc<Mutex<Vec<String>>>) -> State {
    let process = ProcessConnections::new(1, 2, 1);
    let (rules, settings) = (Rules::default(), Settings::default());
    let outbound = Outbound::new(rules, settings, &Roots::public(), &process, |_| {}).unwrap();
    let failures = Arc::clone(&log);
    let shared = Arc::new(Shared {
        config: BTreeMap::from([("greeting".to_owned(), "hello".to_owned())]),
        keyvalue,
        log: Box::new(move |line| {
            let line = format!("{:?} {} {}", line.level, line.context, line.message);
            log.lock().unwrap().push(line);
        }),
        keyvalue_failed: Box::new(move |error| failures.lock().unwrap().push(error.to_string())),
    });
    State {
        wasi: WasiCtx::builder().build(),
        http: WasiHttpCtx::new(),
        hooks: HttpHooks::new(Arc::clone(&outbound)),
        table: ResourceTable::new(),
        imports: Imports::new(shared, Sockets::new(outbound)),
    }
}

/// A linker with everything that this host has.
pub(super) fn linker() -> Linker<State> {
    let engine = HostEngine::builder(EngineProfile::Edge).build().unwrap();
    let mut linker = Linker::new(&engine);
    add_to_linker(&mut linker).unwrap();
    linker
}

fn keyvalue(limits: KeyValueLimits) -> Option<Arc<KeyValue>> {
    Some(KeyValue::new("acme/app", Place::Memory, [], limits))
}

#[tokio::test]
async fn both_drafts_and_spin_have_the_same_buckets() {
    use super::keyvalue::bindings::wasi::keyvalue::store as draft2;
    use super::keyvalue_draft::bindings::wasi::keyvalue::store as draft;
    use super::spin::bindings::fermyon::spin::key_value as spin;

    let mut state = state(keyvalue(KeyValueLimits::default()), Arc::default());
    let mut view = state.imports();
    let bucket = draft2::Host::open(&mut view, String::new())
        .await
        .unwrap()
        .unwrap();
    let key = || "a".to_owned();
    draft2::HostBucket::set(&mut view, again(&bucket), key(), b"1".to_vec())
        .await
        .unwrap()
        .unwrap();

    let older = draft::Host::open(&mut view, "default".to_owned())
        .await
        .unwrap()
        .unwrap();
    let value = draft::HostBucket::get(&mut view, again(&older), key())
        .await
        .unwrap();
    assert_eq!(value.unwrap(), Some(b"1".to_vec()));

    let label = "default".to_owned();
    let store = spin::HostStore::open(&mut view, label)
        .await
        .unwrap()
        .unwrap();
    let keys = spin::HostStore::get_keys(&mut view, again(&store))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(keys, ["a"]);

    draft2::HostBucket::drop(&mut view, bucket).await.unwrap();
    draft::HostBucket::drop(&mut view, older).await.unwrap();
    spin::HostStore::drop(&mut view, store).await.unwrap();
    assert!(state.table.is_empty());
}

fn again<R: 'static>(resource: &Resource<R>) -> Resource<R> {
    Resource::new_borrow(resource.rep())
}

#[tokio::test]
async fn an_application_without_buckets_has_none() {
    use super::spin::bindings::fermyon::spin::key_value as spin;

    let mut state = state(None, Arc::default());
    let mut view = state.imports();
    let opened = spin::HostStore::open(&mut view, "default".to_owned())
        .await
        .unwrap();
    assert!(matches!(opened, Err(spin::Error::NoSuchStore)));
}

#[tokio::test]
async fn a_swap_that_fails_gives_a_new_handle() {
    use super::keyvalue::bindings::wasi::keyvalue::{atomics, store};

    let mut state = state(keyvalue(KeyValueLimits::default()), Arc::default());
    let mut view = state.imports();
    let bucket = store::Host::open(&mut view, String::new())
        .await
        .unwrap()
        .unwrap();
    let key = || "n".to_owned();
    let new = atomics::HostCas::new(&mut view, again(&bucket), key()).await;
    let cas = new.unwrap().unwrap();
    let sum = atomics::Host::increment(&mut view, again(&bucket), key(), 5).await;
    assert!(matches!(sum, Ok(Ok(5))));
    let swapped = atomics::Host::swap(&mut view, cas, b"7".to_vec())
        .await
        .unwrap();
    let Err(atomics::CasError::CasFailed(cas)) = swapped else {
        panic!("{swapped:?}");
    };
    let seen = atomics::HostCas::current(&mut view, again(&cas))
        .await
        .unwrap();
    assert!(matches!(seen, Ok(Some(value)) if value == b"5"));
    let swapped = atomics::Host::swap(&mut view, cas, b"7".to_vec())
        .await
        .unwrap();
    assert!(swapped.is_ok(), "{swapped:?}");
}

#[tokio::test]
async fn a_failed_operation_is_heard_of() {
    use super::keyvalue::bindings::wasi::keyvalue::store;

    let limits = KeyValueLimits {
        value: 0,
        ..KeyValueLimits::default()
    };
    let log = Arc::default();
    let mut state = state(keyvalue(limits), Arc::clone(&log));
    let mut view = state.imports();
    let bucket = store::Host::open(&mut view, String::new())
        .await
        .unwrap()
        .unwrap();
    let set = store::HostBucket::set(&mut view, bucket, "a".to_owned(), vec![1]).await;
    assert!(matches!(set, Ok(Err(store::Error::Other(_)))));
    assert_eq!(*log.lock().unwrap(), ["a value has more than 0 bytes"]);
}

#[test]
fn variables_are_the_values_of_the_configuration() {
    use super::spin::bindings::fermyon::spin::variables;

    let mut state = state(None, Arc::default());
    let mut view = state.imports();
    let mut get = |name: &str| variables::Host::get(&mut view, name.to_owned()).unwrap();
    assert!(matches!(get("greeting"), Ok(value) if value == "hello"));
    assert!(matches!(get("other"), Err(variables::Error::Undefined(_))));
    for name in ["", "Greeting", "1a", "a-b", "_a"] {
        assert!(
            matches!(get(name), Err(variables::Error::InvalidName(_))),
            "{name}"
        );
    }
}

#[test]
fn the_lines_of_an_instance_are_bounded() {
    use super::logging::bindings::wasi::logging::logging::{Host, Level};

    let log = Arc::default();
    let mut state = state(None, Arc::clone(&log));
    let mut view = state.imports();
    for _ in 0..1_001 {
        view.log(Level::Warn, "part".to_owned(), "text".to_owned())
            .unwrap();
    }
    let log = log.lock().unwrap();
    assert_eq!(log.len(), 1_000);
    assert_eq!(log.first().map(String::as_str), Some("Warn part text"));
}
