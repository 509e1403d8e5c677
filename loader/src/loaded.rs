//! A verified program in an engine, and the facts about it.

use std::fs::File;
use std::ops::Deref;
#[cfg(target_os = "linux")]
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use edgec_verifier::{
    AcceptedSignature, Check, Facts, LoadMode, Manifest, ProgramKind, Verdict, VerityDigest,
    import_text,
};
use wasmtime::component::{self, Component, InstancePre, Linker};
use wasmtime::{AsContextMut, Engine, Module};

use crate::observer::Observed;
use crate::{Event, HostEngine, LoadError};

/// How a program was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadReport {
    /// How its bytes are protected from changes.
    pub mode: LoadMode,
    /// Whether signatures and policy were checked for this load, or for an earlier load of the same
    /// image and manifest under the same policy.
    pub verdict: Verdict,
    /// The image's fs-verity digest.
    pub image: VerityDigest,
    /// How long each step took.
    pub times: LoadTimes,
}

/// How long the steps of a load took, by the system's monotonic clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadTimes {
    /// The time to copy the bytes into memory that no process can change. From a store: the time to
    /// look up the name.
    pub read: Duration,
    /// The time of the verification: the signatures, the digest of the bytes and the policy. From a
    /// store, this includes opening the image; there, the digest is known and a verdict may be
    /// remembered.
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
    /// The file is locked as long as it is in use, so that no collection removes it.
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
/// The same for a verified core module.
pub type LoadedModulePre<T> = Loaded<wasmtime::InstancePre<T>>;

impl<P> Loaded<P> {
    /// A program that was just loaded. `file` is its file in a store.
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

    /// The file in a store from which the program was loaded.
    #[cfg(target_os = "linux")]
    pub(crate) fn file(&self) -> Option<&File> {
        self.in_use.as_deref()
    }

    /// The times at which the verdict is the same.
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

    /// The program in the engine.
    pub fn program(&self) -> &P {
        &self.program
    }

    /// The manifest: the signers' statements about the artifact.
    pub fn manifest(&self) -> &Manifest {
        self.facts.manifest()
    }

    /// Returns only the program. This drops the facts about it. For a program from a store, it also
    /// drops the lock on its image, so a collection may remove the image's file. The mapped pages
    /// stay as long as the program exists.
    pub fn into_program(self) -> P {
        self.program
    }

    /// Converts the program to another form, for example to the typed one that `bindgen!` makes
    /// from an `InstancePre`.
    ///
    /// The caller must make sure that `change` makes its result from this program and from nothing
    /// else: the manifest and the report still describe the verified program. If `change` keeps a
    /// copy of the program elsewhere, that copy holds no lock on its file, as after
    /// [`Self::into_program`].
    ///
    /// # Errors
    ///
    /// The error of `change`.
    pub fn try_map<Q, E>(self, change: impl FnOnce(P) -> Result<Q, E>) -> Result<Loaded<Q>, E> {
        Ok(Loaded {
            program: change(self.program)?,
            facts: self.facts,
            report: self.report,
            in_use: self.in_use,
            observed: self.observed,
        })
    }

    /// Reports an instance to the engine's [`Observer`](crate::Observer). Use it if the host makes
    /// instances from a form of its own ([`Self::try_map`]), also for failures. `begin` is the time
    /// before the attempt. Instances of a [`LoadedPre`] or [`LoadedModulePre`] are reported without
    /// this.
    pub fn tell_instantiated<I>(&self, begin: Instant, instance: &wasmtime::Result<I>) {
        self.observed.tell(&Event::Instantiated {
            manifest: self.manifest(),
            took: begin.elapsed(),
            error: instance.as_ref().err(),
        });
    }

    /// The instance that `make` makes, reported to the engine's observer.
    fn told<I>(&self, make: impl FnOnce() -> wasmtime::Result<I>) -> wasmtime::Result<I> {
        let begin = Instant::now();
        let instance = make();
        self.tell_instantiated(begin, &instance);
        instance
    }

    /// Like [`Self::told`], for an instance that is made while the caller waits.
    async fn told_async<I>(
        &self,
        making: impl Future<Output = wasmtime::Result<I>>,
    ) -> wasmtime::Result<I> {
        let begin = Instant::now();
        let instance = making.await;
        self.tell_instantiated(begin, &instance);
        instance
    }

    /// The signatures that counted, each key once.
    pub fn accepted(&self) -> &[AcceptedSignature] {
        self.facts.accepted()
    }

    /// Every check that was made. The host should log the warnings.
    pub fn checks(&self) -> &[Check] {
        self.facts.checks()
    }

    /// How it was loaded.
    pub fn report(&self) -> LoadReport {
        self.report
    }
}

impl LoadedComponent {
    /// Resolves the component's imports in `linker` once, for all its instances.
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
    /// Resolves the module's imports in `linker` once, for all its instances. For WASI preview 1,
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
    /// Like Wasmtime's `InstancePre::instantiate`.
    ///
    /// # Errors
    ///
    /// Wasmtime's error.
    pub fn instantiate(
        &self,
        store: impl AsContextMut<Data = T>,
    ) -> wasmtime::Result<component::Instance> {
        self.told(|| self.program.instantiate(store))
    }

    /// Like Wasmtime's `InstancePre::instantiate_async`.
    ///
    /// # Errors
    ///
    /// Wasmtime's error.
    pub async fn instantiate_async(
        &self,
        store: impl AsContextMut<Data = T>,
    ) -> wasmtime::Result<component::Instance> {
        let instance = self.program.instantiate_async(store);
        self.told_async(instance).await
    }
}

impl<T: 'static> LoadedModulePre<T> {
    /// Like Wasmtime's `InstancePre::instantiate`.
    ///
    /// # Errors
    ///
    /// Wasmtime's error.
    pub fn instantiate(
        &self,
        store: impl AsContextMut<Data = T>,
    ) -> wasmtime::Result<wasmtime::Instance> {
        self.told(|| self.program.instantiate(store))
    }

    /// Like Wasmtime's `InstancePre::instantiate_async`.
    ///
    /// # Errors
    ///
    /// Wasmtime's error.
    pub async fn instantiate_async(
        &self,
        store: impl AsContextMut<Data = T>,
    ) -> wasmtime::Result<wasmtime::Instance> {
        let instance = self.program.instantiate_async(store);
        self.told_async(instance).await
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

/// Checks that this machine and this engine can load the artifact as `wanted`.
pub(crate) fn fit(
    facts: &Facts,
    engine: &HostEngine,
    wanted: ProgramKind,
) -> Result<(), LoadError> {
    let found = facts.manifest().kind;
    if found != wanted {
        return Err(LoadError::Kind { found, wanted });
    }
    engine.host().can_run(facts.manifest())?;
    engine.tested()
}

/// The first of several artifacts of `what` that `open` finds fit. An artifact for the right CPU
/// can be for another engine, or too large for the pool, as its manifest states. Then the next best
/// artifact is taken.
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
                // The error is about the best artifact.
                unfit.get_or_insert(error);
            }
            opened => return Ok((candidate, opened?)),
        }
    }
    let unknown = || LoadError::Store(edgec_store::StoreError::Unknown { what: what() });
    Err(unfit.unwrap_or_else(unknown))
}

/// A policy judges only the imports in the manifest, so the program must have no others.
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
