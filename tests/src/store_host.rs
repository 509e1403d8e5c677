//! A host with an admission store.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use edgec_loader::store::{AdmissionError, ArtifactStore, Change, LoadFromStore as _};
use edgec_loader::{EngineProfile, Expected, HostEngine, LoadError, LoadedComponent, TrustPolicy};

use crate::corpus::{Forge, GREETING, fails, material};
use crate::{Sandbox, stock};

/// A host with a store that contains the example. The host trusts the example's signer.
pub struct StoreHost {
    /// Its files.
    pub sandbox: Sandbox,
    /// The engine that runs the programs.
    pub engine: HostEngine,
    /// The keys that it trusts.
    pub policy: TrustPolicy,
    /// Its store, `store` in the sandbox.
    pub store: ArtifactStore,
}

impl StoreHost {
    /// A host with the example in its store.
    pub fn new() -> Self {
        let host = Self::empty();
        host.add(&material().hello).unwrap();
        host
    }

    /// A host with an empty store.
    pub fn empty() -> Self {
        let sandbox = Sandbox::empty();
        sandbox.write("key.pub.pem", material().signer.public().to_pem());
        Self {
            engine: HostEngine::builder(EngineProfile::Default).build().unwrap(),
            policy: sandbox.policy(),
            store: ArtifactStore::create(sandbox.path().join("store")).unwrap(),
            sandbox,
        }
    }

    /// A host with versions 1 and 2 of `app`, which share one image, and `other`, which has
    /// another.
    pub fn with_two() -> Self {
        let host = Self::empty();
        let other = Forge::new(&material().smallest, &material().signer);
        let other = other.with_manifest(|manifest| manifest.name = "other".to_owned());
        for file in [app(1), app(2), other] {
            assert_eq!(host.add(&file).unwrap(), Change::Added);
        }
        host
    }

    /// Admits a file.
    ///
    /// # Errors
    ///
    /// Why it was not admitted.
    pub fn add(&self, file: &[u8]) -> Result<Change, LoadError> {
        let path = self.sandbox.write("a.cwasm", file);
        let added = self.store.add(path, &self.policy, &Expected::anything());
        Ok(added?.change)
    }

    /// Loads the example.
    ///
    /// # Errors
    ///
    /// Why it was not loaded.
    pub fn load(&self) -> Result<LoadedComponent, LoadError> {
        self.store.load(&self.engine, "hello", &self.policy)
    }

    /// The path of a file in the store.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.store.path().join(inside)
    }

    /// The image of the example.
    pub fn image(&self) -> PathBuf {
        self.store.image_paths("hello").unwrap().remove(0)
    }

    /// The only file of a folder with this ending.
    fn only(&self, folder: &Path, ends: &str) -> PathBuf {
        let files = fs::read_dir(folder).unwrap();
        let files = files.map(|entry| entry.unwrap().path());
        let mut files = files.filter(|path| path.to_str().unwrap().ends_with(ends));
        let only = files.next().unwrap();
        assert_eq!(files.next(), None);
        only
    }

    /// The one envelope in the store.
    pub fn envelope(&self) -> PathBuf {
        self.only(&self.path("artifacts"), ".dsse")
    }

    /// The file that says which artifacts a load takes.
    pub fn current(&self) -> PathBuf {
        self.only(&self.path("names"), "").join("current")
    }

    /// Opens the store again and loads. The load must fail with this code.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn refuses(&self, code: &str, what: &str) {
        let opened = ArtifactStore::open(self.store.path()).map_err(LoadError::from);
        let loaded = opened.and_then(|s| s.load(&self.engine, "hello", &self.policy));
        let error = loaded.map(|_| ()).unwrap_err();
        assert_eq!(error.code(), code, "{what}: {error}");
        let run = ["run", "--key", "key.pub.pem", "--store", "store", "hello"];
        let exit = if code == "io" { 3 } else { 1 };
        fails(&self.sandbox, exit, &run, code);
    }

    /// The problem that `store verify` reports about the example.
    ///
    /// # Panics
    ///
    /// If the store cannot be read.
    pub fn verify(&self) -> Option<&'static str> {
        let verified = self.store.verify(&self.policy).unwrap();
        let (artifacts, problems) = (verified.artifacts, verified.problems);
        assert_eq!((artifacts.len(), problems.len()), (1, 0));
        artifacts[0].error.as_ref().map(AdmissionError::code)
    }

    /// What a verb on the store prints, to standard output and to standard error.
    ///
    /// # Panics
    ///
    /// If it ends with another exit code.
    pub fn told(&self, verb: &[&str], exit: i32) -> (String, String) {
        let output = self.sandbox.run(&in_store(verb));
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        let code = output.status.code();
        assert_eq!(code, Some(exit), "{verb:?}: {stdout}{stderr}");
        (stdout, stderr)
    }

    /// What a verb prints as JSON.
    ///
    /// # Panics
    ///
    /// The same as for [`Self::told`].
    pub fn report(&self, verb: &[&str], exit: i32) -> serde_json::Value {
        let (stdout, _) = self.told(&[verb, &["--format", "json"]].concat(), exit);
        serde_json::from_str(&stdout).unwrap()
    }

    /// The folder of an application's releases.
    pub fn folder(&self, name: &str) -> PathBuf {
        let folders = fs::read_dir(self.path("names")).unwrap();
        let mut folders = folders.map(|folder| folder.unwrap().path());
        let whose = format!("\"name\":\"{name}\"");
        let found = folders.find(|folder| {
            let current = fs::read_to_string(folder.join("current"));
            current.is_ok_and(|current| current.contains(&whose))
        });
        found.unwrap()
    }

    /// Loads the example and runs it.
    ///
    /// # Panics
    ///
    /// If this fails.
    pub fn assert_good(&self) {
        assert_hello(&self.engine, &self.load().unwrap());
    }
}

impl Default for StoreHost {
    fn default() -> Self {
        Self::new()
    }
}

/// The verb that verifies a store, on a host that trusts the signer.
pub const VERIFY: [&str; 3] = ["verify", "--key", "key.pub.pem"];

/// The command line of a verb on the host's store.
pub fn in_store<'a>(verb: &[&'a str]) -> Vec<&'a str> {
    [&["store", "--store", "store"], verb].concat()
}

/// The example as this version of `app`.
pub fn app(version: u64) -> Vec<u8> {
    Forge::of(material()).with_manifest(|manifest| {
        manifest.name = "app".to_owned();
        manifest.version = version;
    })
}

/// Checks that the loaded program is the example, by running it.
///
/// # Panics
///
/// If it is not.
pub fn assert_hello(engine: &HostEngine, loaded: &LoadedComponent) {
    let behaviour = stock::run(engine, loaded.program(), &[], "");
    assert_eq!(String::from_utf8_lossy(&behaviour.stdout), GREETING);
}

/// Overwrites a file of a store, as its owner can. The file has the mode of finished files.
pub fn overwrite(path: &Path, bytes: &[u8]) {
    let _ = fs::remove_file(path);
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o444)).unwrap();
}
