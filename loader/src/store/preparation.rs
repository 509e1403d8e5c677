//! The form that a host makes of each version before requests get it.

use std::error::Error;
use std::fmt;

use edgec_verifier::{Manifest, ProgramKind};
use wasmtime::component::{Component, InstancePre, Linker};

use super::versions::Opened;
use crate::{HostEngine, LoadError, Loaded};

type Prepare<P> = dyn Fn(&HostEngine, Opened) -> Result<Loaded<P>, LoadError> + Send + Sync;

/// A host's preparation of each version, once for all its requests: the kind of its programs, the
/// imports that it offers to them, and the form in which requests get them. A
/// [`Deployment`](super::Deployment) takes it; this one serves a core module:
///
/// ```no_run
/// # fn deploy(
/// #     store: &edgec_loader::store::ArtifactStore,
/// #     engine: &edgec_loader::HostEngine,
/// #     linker: edgec_loader::wasmtime::Linker<()>,
/// # ) -> Result<(), edgec_loader::LoadError> {
/// use edgec_loader::store::{Deployment, PolicyFile, Preparation, Versions};
///
/// let versions = Versions::in_store(store, "acme/command");
/// let policy = PolicyFile::new("trust.toml");
/// let deployment = Deployment::of(versions, engine, policy, Preparation::module(linker))?;
/// # drop(deployment);
/// # Ok(())
/// # }
/// ```
pub struct Preparation<P> {
    pub(super) kind: ProgramKind,
    prepare: Box<Prepare<P>>,
}

impl<T: 'static> Preparation<InstancePre<T>> {
    /// Components. Their imports are resolved in `linker`.
    pub fn component(linker: Linker<T>) -> Self {
        Self::component_as(linker, Ok)
    }
}

impl<T: 'static> Preparation<wasmtime::InstancePre<T>> {
    /// Core modules. Their imports are resolved in `linker`.
    pub fn module(linker: wasmtime::Linker<T>) -> Self {
        Self::module_as(linker, Ok)
    }
}

impl<P> Preparation<P> {
    /// Like [`Preparation::component`], but requests get the form that `change` makes of each
    /// component, such as the `ProxyPre` that `bindgen!` writes (`ProxyPre::new`). If `change`
    /// fails for a version, that version is not used.
    pub fn component_as<T: 'static>(
        linker: Linker<T>,
        change: impl Fn(InstancePre<T>) -> wasmtime::Result<P> + Send + Sync + 'static,
    ) -> Self {
        let prepare = move |engine: &HostEngine, opened: Opened| -> Result<Loaded<P>, LoadError> {
            let loaded = opened.component(engine)?;
            let linked = loaded.instantiate_pre(&linker);
            changed(engine, loaded.manifest(), linked, &change)
        };
        Self {
            kind: ProgramKind::Component,
            prepare: Box::new(prepare),
        }
    }

    /// Like [`Preparation::component_as`], but `link` gives the linker for each component, for
    /// example one with functions for imports that the host lacks.
    pub fn component_with<T: 'static>(
        link: impl Fn(&Component) -> wasmtime::Result<Linker<T>> + Send + Sync + 'static,
        change: impl Fn(InstancePre<T>) -> wasmtime::Result<P> + Send + Sync + 'static,
    ) -> Self {
        let prepare = move |engine: &HostEngine, opened: Opened| -> Result<Loaded<P>, LoadError> {
            let loaded = opened.component(engine)?;
            let linker = link(loaded.program());
            let linked = linker.and_then(|linker| loaded.instantiate_pre(&linker));
            changed(engine, loaded.manifest(), linked, &change)
        };
        Self {
            kind: ProgramKind::Component,
            prepare: Box::new(prepare),
        }
    }

    /// Like [`Preparation::module`], but requests get the form that `change` makes of each module.
    pub fn module_as<T: 'static>(
        linker: wasmtime::Linker<T>,
        change: impl Fn(wasmtime::InstancePre<T>) -> wasmtime::Result<P> + Send + Sync + 'static,
    ) -> Self {
        let prepare = move |engine: &HostEngine, opened: Opened| -> Result<Loaded<P>, LoadError> {
            let loaded = opened.module(engine)?;
            let linked = loaded.instantiate_pre(&linker);
            changed(engine, loaded.manifest(), linked, &change)
        };
        Self {
            kind: ProgramKind::Module,
            prepare: Box::new(prepare),
        }
    }

    /// Takes only versions whose manifests pass this check: a host's own rules, such as how much
    /// memory an instance may have at its start. If `check` fails for a version, the engine does
    /// not see it ([`LoadError::Declined`]), and a version in use stays.
    #[must_use]
    pub fn accepting(
        self,
        check: impl Fn(&Manifest) -> Result<(), Box<dyn Error + Send + Sync>> + Send + Sync + 'static,
    ) -> Self
    where
        P: 'static,
    {
        let Self { kind, prepare } = self;
        let prepare = move |engine: &HostEngine, opened: Opened| -> Result<Loaded<P>, LoadError> {
            let checked = check(opened.manifest()).map_err(LoadError::Declined);
            let name = || opened.manifest().name.clone();
            engine.observed().refusal(name, checked)?;
            prepare(engine, opened)
        };
        Self {
            kind,
            prepare: Box::new(prepare),
        }
    }

    /// Loads an image, and makes the form that requests get.
    pub(super) fn prepared(
        &self,
        engine: &HostEngine,
        opened: Opened,
    ) -> Result<Loaded<P>, LoadError> {
        (self.prepare)(engine, opened)
    }
}

/// The form that a host makes of a program with resolved imports. Reports an error to the engine's
/// observer.
fn changed<T, P>(
    engine: &HostEngine,
    manifest: &Manifest,
    linked: wasmtime::Result<Loaded<T>>,
    change: impl FnOnce(T) -> wasmtime::Result<P>,
) -> Result<Loaded<P>, LoadError> {
    let changed = linked.and_then(|loaded| loaded.try_map(change));
    let changed = changed.map_err(LoadError::Link);
    engine.observed().refusal(|| manifest.name.clone(), changed)
}

impl<P> fmt::Debug for Preparation<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preparation")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
