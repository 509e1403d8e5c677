//! A host's observer is told of each load, refusal, verdict and instance, once.

#![cfg(target_os = "linux")]

use std::sync::{Arc, Mutex};
use std::time::Instant;

use edgec_loader::store::{LoadFromStore as _, Refreshed};
use edgec_loader::{EngineProfile, Event, Expected, HostEngine, load};
use edgec_tests::stored::{Stored, request};
use wasmtime::component::Linker;

/// An engine, and one line for each event that its observer was told of.
fn observed() -> (HostEngine, Arc<Mutex<Vec<String>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&told);
    let observer = move |event: &Event<'_>| {
        let line = match event {
            Event::Loaded { manifest, .. } => {
                format!("loaded {} {}", manifest.name, manifest.version)
            }
            Event::Refused {
                application, error, ..
            } => format!("refused {application} {}", error.code()),
            Event::Judged { distrusted, .. } => match distrusted {
                None => "trusted".to_owned(),
                Some(it) => format!("distrusted {}", it.code()),
            },
            Event::Instantiated { error, .. } => format!("instantiated {}", error.is_none()),
            _ => "something else".to_owned(),
        };
        lines.lock().unwrap().push(line);
    };
    let engine = HostEngine::builder(EngineProfile::Edge).observer(observer);
    (engine.build().unwrap(), told)
}

#[test]
fn an_observer_is_told_once_of_everything() {
    let stored = Stored::new();
    stored.admit_answer(1);
    let (engine, told) = observed();
    let took = |expected: &[&str]| {
        assert_eq!(*told.lock().unwrap(), expected);
        told.lock().unwrap().clear();
    };
    let loaded = stored.load(&engine).unwrap();
    took(&["loaded app 1"]);
    let pre = loaded.instantiate_pre(&Linker::<()>::new(&engine)).unwrap();
    pre.instantiate(&mut request(&engine)).unwrap();
    took(&["instantiated true"]);
    // A type of the host.
    let typed = pre.try_map(Ok::<_, ()>).unwrap();
    let begin = Instant::now();
    let instance = typed.program().instantiate(&mut request(&engine));
    typed.tell_instantiated(begin, &instance);
    took(&["instantiated true"]);

    let unknown = stored.store.load(&engine, "other", &stored.policy);
    unknown.map(|_| ()).unwrap_err();
    took(&["refused `other` store-unknown"]);
    let module = stored.store.load_module(&engine, "app", &stored.policy);
    module.map(|_| ()).unwrap_err();
    took(&["refused `app` kind"]);
    let file = stored.path("app.cwasm");
    let wrong = load(&engine, &file, &stored.policy, &Expected::application("b"));
    wrong.map(|_| ()).unwrap_err();
    took(&["refused `b` application"]);
    load(
        &engine,
        &file,
        &stored.policy,
        &Expected::application("app"),
    )
    .unwrap();
    took(&["loaded app 1"]);

    let deployment = stored.deploy(&engine);
    took(&["loaded app 1"]);
    assert_eq!(deployment.refresh().unwrap(), Refreshed::Unchanged);
    took(&["trusted"]);
    stored.admit_answer(2);
    deployment.refresh().unwrap();
    took(&["trusted", "loaded app 2"]);
    stored.follow(Some(stored.stricter(3)));
    deployment.refresh().unwrap_err();
    took(&["distrusted rollback"]);
}

/// Without a subscriber, loads work and write nothing.
#[test]
fn events_can_be_traced() {
    let stored = Stored::new();
    stored.admit_answer(1);
    let engine = HostEngine::builder(EngineProfile::Edge).observer(edgec_loader::trace);
    let engine = engine.build().unwrap();
    stored.load(&engine).unwrap();
    let unknown = stored.store.load(&engine, "other", &stored.policy);
    assert_eq!(unknown.map(|_| ()).unwrap_err().code(), "store-unknown");
    stored.deploy(&engine).refresh().unwrap();
}
