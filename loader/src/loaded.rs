//! A verified program in an engine, and what is known about it.

use std::fs::File;
use std::ops::Deref;
#[cfg(target_os = "linux")]
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use edgec_verifier::{
    AcceptedSignature, Check, Facts, Kind, LoadMode, Manifest, Verdict, VerityDigest, import_text,
};
use wasmtime::component::{self, Component, InstancePre, Linker};
use wasmtime::{AsContextMut, Engine, Module};

use crate::observer::Observed;
use crate::{Event, HostEngine, LoadError};

/// How a program was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadReport {
    /// How its bytes are kept from changing.
    pub mode: LoadMode,
    /// Whether signatures and policy were checked for this load, or for an earlier load of the same
    /// image and manifest under the same policy.
    pub verdict: Verdict,
    /// The image's fs-verity digest.
    pub image: VerityDigest,
    /// How long each step took.
    pub times: LoadTimes,
}

/// How long the steps of a load took, on the clock of the system that never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadTimes {
    /// Copying the bytes into memory that no process can change. From a store: looking the name up.
    pub read: Duration,
    /// Verification: the signatures, the digest of the bytes and the policy. From a store, also
    /// opening the image; there the digest is known and a verdict may be remembered.
    pub verify: Duration,
    /// The engine: mapping the code, decoding the metadata, and comparing the imports with the
    /// manifest.
    pub engine: Duration,
}

/// A verified program in an engine.
#[derive(Debug)]
pub struct Loaded<P> {
    program: P,
    facts: Arc<Facts>,
    report: LoadReport,
    /// Locked for as long as the file is in use, so that no collection takes it.
    in_use: Option<Arc<File>>,
    observed: Observed,
}

/// A verified component in an engine.
pub type LoadedComponent = Loaded<Component>;
/// A verified core module in an engine.
pub type LoadedModule = Loaded<Module>;
/// A verified component with resolved imports, ready for instantiation by requests (`instantiate`
/// and `instantiate_async` are those of Wasmtime's `InstancePre`).
pub type LoadedPre<T> = Loaded<InstancePre<T>>;
/// The same of a verified core module.
pub type LoadedModulePre<T> = Loaded<wasmtime::InstancePre<T>>;

impl<P> Loaded<P> {
    /// A program that was just loaded; `file` is its file in a store.
    pub(crate) fn new(
        program: P,
        facts: Arc<Facts>,
        report: LoadReport,
        file: Option<File>,
        engine: &HostEngine,
    ) -> Self {
        let observed = engine.observed().clone();
        let manifest = facts.manifest();
        observed.tell(&Event::Loaded { manifest, report });
        Self {
            program,
            facts,
            report,
            in_use: file.map(Arc::new),
            observed,
        }
    }

    /// The file in a store that it was loaded from.
    #[cfg(target_os = "linux")]
    pub(crate) fn file(&self) -> Option<&File> {
        self.in_use.as_deref()
    }

    /// How long its verdict holds: from when until when.
    #[cfg(target_os = "linux")]
    pub(crate) fn holds(&self) -> Range<edgec_verifier::UnixTime> {
        self.facts.holds()
    }

    /// Another form of the program, under the same verdict.
    fn with<Q>(&self, program: Q) -> Loaded<Q> {
        Loaded {
            program,
            facts: Arc::clone(&self.facts),
            report: self.report,
            in_use: self.in_use.clone(),
            observed: self.observed.clone(),
        }
    }

    /// What was loaded.
    pub fn program(&self) -> &P {
        &self.program
    }

    /// The manifest, which is what its signers say about it.
    pub fn manifest(&self) -> &Manifest {
        self.facts.manifest()
    }

    /// Returns the program alone. This drops what is known about it, and for a program from a store
    /// also the lock on its image: a collection may then remove the image's file. The mapped pages
    /// stay as long as the program lives.
    pub fn into_program(self) -> P {
        self.program
    }

    /// Converts the program to another form, for example to the typed one that `bindgen!` makes
    /// from an `InstancePre`.
    ///
    /// The caller must make sure that the result of `change` is made from this program and from
    /// nothing else: manifest and report still describe what was verified. A copy of the program
    /// that `change` keeps elsewhere holds no lock on its file, as after [`Self::into_program`].
    ///
    /// # Errors
    ///
    /// That of `change`.
    pub fn try_map<Q, E>(self, change: impl FnOnce(P) -> Result<Q, E>) -> Result<Loaded<Q>, E> {
        Ok(Loaded {
            program: change(self.program)?,
            facts: self.facts,
            report: self.report,
            in_use: self.in_use,
            observed: self.observed,
        })
    }

    /// Tells the engine's [`Observer`](crate::Observer) of an instance that the host made from a
    /// form of its own ([`Self::try_map`]), or failed to make. `begin` is when it began. Instances
    /// of a [`LoadedPre`] or [`LoadedModulePre`] are told of without this.
    pub fn tell_instantiated<I>(&self, begin: Instant, instance: &wasmtime::Result<I>) {
        self.observed.tell(&Event::Instantiated {
            manifest: self.manifest(),
            took: begin.elapsed(),
            error: instance.as_ref().err(),
        });
    }

    /// The signatures that counted, each key once.
    pub fn accepted(&self) -> &[AcceptedSignature] {
        self.facts.accepted()
    }

    /// Every check that was made. The host should log those that warn.
    pub fn checks(&self) -> &[Check] {
        self.facts.checks()
    }

    /// How it was loaded.
    pub fn report(&self) -> LoadReport {
        self.report
    }
}

impl LoadedComponent {
    /// Looks the component's imports up in `linker` once, for all its instances.
    ///
    /// # Errors
    ///
    /// Wasmtime's error: the linker lacks an import, or has it with another type.
    pub fn instantiate_pre<T: 'static>(
        &self,
        linker: &Linker<T>,
    ) -> wasmtime::Result<LoadedPre<T>> {
        Ok(self.with(linker.instantiate_pre(&self.program)?))
    }
}

impl LoadedModule {
    /// Looks the module's imports up in `linker` once, for all its instances. For WASI preview 1,
    /// fill the linker with `wasmtime_wasi::p1::add_to_linker_sync` or `add_to_linker_async`.
    ///
    /// # Errors
    ///
    /// Wasmtime's error: the linker lacks an import, or has it with another type.
    pub fn instantiate_pre<T: 'static>(
        &self,
        linker: &wasmtime::Linker<T>,
    ) -> wasmtime::Result<LoadedModulePre<T>> {
        Ok(self.with(linker.instantiate_pre(&self.program)?))
    }
}

impl<T: 'static> LoadedPre<T> {
    /// As Wasmtime's `InstancePre::instantiate`.
    ///
    /// # Errors
    ///
    /// Wasmtime's error.
    pub fn instantiate(
        &self,
        store: impl AsContextMut<Data = T>,
    ) -> wasmtime::Result<component::Instance> {
        let begin = Instant::now();
        let instance = self.program.instantiate(store);
        self.tell_instantiated(begin, &instance);
        instance
    }

    /// As Wasmtime's `InstancePre::instantiate_async`.
    ///
    /// # Errors
    ///
    /// Wasmtime's error.
    pub async fn instantiate_async(
        &self,
        store: impl AsContextMut<Data = T>,
    ) -> wasmtime::Result<component::Instance> {
        let begin = Instant::now();
        let instance = self.program.instantiate_async(store).await;
        self.tell_instantiated(begin, &instance);
        instance
    }
}

impl<T: 'static> LoadedModulePre<T> {
    /// As Wasmtime's `InstancePre::instantiate`.
    ///
    /// # Errors
    ///
    /// Wasmtime's error.
    pub fn instantiate(
        &self,
        store: impl AsContextMut<Data = T>,
    ) -> wasmtime::Result<wasmtime::Instance> {
        let begin = Instant::now();
        let instance = self.program.instantiate(store);
        self.tell_instantiated(begin, &instance);
        instance
    }

    /// As Wasmtime's `InstancePre::instantiate_async`.
    ///
    /// # Errors
    ///
    /// Wasmtime's error.
    pub async fn instantiate_async(
        &self,
        store: impl AsContextMut<Data = T>,
    ) -> wasmtime::Result<wasmtime::Instance> {
        let begin = Instant::now();
        let instance = self.program.instantiate_async(store).await;
        self.tell_instantiated(begin, &instance);
        instance
    }
}

impl<T: 'static> Deref for LoadedModulePre<T> {
    type Target = wasmtime::InstancePre<T>;

    fn deref(&self) -> &wasmtime::InstancePre<T> {
        &self.program
    }
}

impl<T: 'static> Deref for LoadedPre<T> {
    type Target = InstancePre<T>;

    fn deref(&self) -> &InstancePre<T> {
        &self.program
    }
}

/// Whether what is described can be loaded as `wanted`, into this engine, on this machine.
pub(crate) fn fit(facts: &Facts, engine: &HostEngine, wanted: Kind) -> Result<(), LoadError> {
    let found = facts.manifest().kind;
    if found != wanted {
        return Err(LoadError::Kind { found, wanted });
    }
    engine.host().can_run(facts.manifest())?;
    engine.tested()
}

/// The first of several artifacts of `what` that `open` finds fit. An artifact of the right CPU may
/// still be of another engine, or too large for the pool: its manifest says so.
#[cfg(target_os = "linux")]
pub(crate) fn first_that_fits<C, O>(
    candidates: Vec<C>,
    open: impl Fn(&C) -> Result<O, LoadError>,
    what: impl FnOnce() -> String,
) -> Result<(C, O), LoadError> {
    let mut unfit = None;
    for candidate in candidates {
        match open(&candidate) {
            Err(error @ LoadError::Unfit(_)) => {
                // Why the best one does not fit is what is told.
                unfit.get_or_insert(error);
            }
            opened => return Ok((candidate, opened?)),
        }
    }
    let unknown = || LoadError::Store(edgec_store::StoreError::Unknown { what: what() });
    Err(unfit.unwrap_or_else(unknown))
}

/// A policy judges the imports that the manifest states; the program must not have others.
pub(crate) fn declared(
    facts: &Facts,
    imports: impl FnOnce() -> Vec<String>,
) -> Result<(), LoadError> {
    let imports = facts.undeclared(imports);
    match imports.as_slice() {
        [] => Ok(()),
        _ => Err(LoadError::Undeclared { imports }),
    }
}

pub(crate) fn component_imports(engine: &Engine, component: &Component) -> Vec<String> {
    let ty = component.component_type();
    let imports = ty.imports(engine).map(|(name, _)| name.to_owned());
    imports.collect()
}

pub(crate) fn module_imports(module: &Module) -> Vec<String> {
    let imports = module.imports();
    let imports = imports.map(|import| import_text(import.module(), import.name()));
    imports.collect()
}
