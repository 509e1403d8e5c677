//! An admission store with programs, and what hosts do with them.

#![cfg(target_os = "linux")]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use edgec_loader::store::{ArtifactStore, Deployment, LoadFromStore as _, PolicySource, Standing};
use edgec_loader::{
    EngineProfile, Expected, HostEngine, Limits, LoadError, LoadedComponent, TrustPolicy,
};
use wasmtime::component::{InstancePre, Linker};

use crate::{Sandbox, programs};

/// This machine's CPU family, as a target.
pub const ARCH: &str = std::env::consts::ARCH;

/// A store in a separate folder, and a policy.
pub struct Stored {
    /// The folder.
    pub sandbox: Sandbox,
    /// The store in it.
    pub store: ArtifactStore,
    /// A policy that trusts the sandbox's key.
    pub policy: TrustPolicy,
    /// The policy that deployments follow, if they have one.
    followed: Arc<Mutex<Option<TrustPolicy>>>,
}

impl Default for Stored {
    fn default() -> Self {
        Self::new()
    }
}

impl Stored {
    /// An empty store.
    pub fn new() -> Self {
        let sandbox = Sandbox::new();
        let policy = sandbox.policy();
        Self {
            store: ArtifactStore::create(sandbox.path().join("store")).unwrap(),
            followed: Arc::new(Mutex::new(Some(policy.clone()))),
            policy,
            sandbox,
        }
    }

    /// Builds a program and admits it as `app`. Returns how it compares with the version that loads
    /// take.
    pub fn admit(&self, text: &str, version: u64, options: &[&str]) -> Standing {
        let version = version.to_string();
        self.sandbox.write("app.wat", text);
        let build = ["build", "-q", "app.wat", "-O0", "--key", "key.pem"];
        let named = ["--app-version", &version, "-o", "app.cwasm"];
        self.sandbox.ok(&[&build[..], &named, options].concat());
        let (path, anything) = (self.path("app.cwasm"), Expected::anything());
        let admitted = self.store.add(path, &self.policy, &anything).unwrap();
        admitted.standing
    }

    /// Admits a version that answers with its number.
    pub fn admit_answer(&self, version: u32) {
        let options = ["-t", ARCH, "--profile", "edge"];
        self.admit(&programs::answer(version, 1), version.into(), &options);
    }

    /// A file in the sandbox.
    pub fn path(&self, name: &str) -> PathBuf {
        self.sandbox.path().join(name)
    }

    /// Loads `app`.
    pub fn load(&self, engine: &HostEngine) -> Result<LoadedComponent, LoadError> {
        self.store.load(engine, "app", &self.policy)
    }

    /// Deploys `app`, without any imports.
    pub fn deploy(&self, engine: &HostEngine) -> Deployment<InstancePre<()>> {
        let linker = Linker::new(engine);
        Deployment::new(&self.store, engine, "app", self.source(), linker).unwrap()
    }

    /// The source of the policy that [`Self::follow`] set, for a deployment.
    pub fn source(&self) -> PolicySource {
        let followed = Arc::clone(&self.followed);
        PolicySource::by(move || {
            let policy = followed.lock().unwrap().clone();
            policy.ok_or("there is none")
        })
    }

    /// From now on, deployments read this policy, or none.
    pub fn follow(&self, policy: Option<TrustPolicy>) {
        *self.followed.lock().unwrap() = policy;
    }

    /// The policy, with a minimum version for the application.
    pub fn stricter(&self, version: u32) -> TrustPolicy {
        let pem = String::from_utf8(self.sandbox.read("key.pub.pem")).unwrap();
        let key = format!("[[key]]\nname = 'k'\npem = '''\n{pem}'''\n");
        let rule = format!("threshold = 1\n{key}[minimum-version]\napp = {version}\n");
        TrustPolicy::from_toml(&rule).unwrap()
    }
}

/// An engine of the edge profile.
pub fn edge(limits: &Limits) -> HostEngine {
    HostEngine::builder(EngineProfile::Edge)
        .limits(limits.clone())
        .build()
        .unwrap()
}

/// Wasmtime's store for one request, with one tick of time.
pub fn request(engine: &HostEngine) -> wasmtime::Store<()> {
    let mut store = wasmtime::Store::new(engine, ());
    store.set_epoch_deadline(1);
    store
}

/// The answer of an instance.
pub fn ask(engine: &HostEngine, pre: &InstancePre<()>) -> u32 {
    let mut store = request(engine);
    let instance = pre.instantiate(&mut store).unwrap();
    let answer = instance.get_typed_func::<(), (u32,)>(&mut store, "answer");
    answer.unwrap().call(&mut store, ()).unwrap().0
}
