//! Runs every program of a folder: from files and from a store, with both engine profiles, for an
//! older and a newer CPU.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use edgec_loader::store::{ArtifactStore, LoadFromStore as _, StoreError};
use edgec_loader::{
    EngineProfile, Expected, HostEngine, LoadError, LoadedComponent, Misfit, PublicKey,
    TrustPolicy, TrustedKey, Unfit, load,
};

use crate::program::Example;
use crate::{Cpu, Outcome};

/// A target that every CPU of the family runs, and one that a CPU without the atomic instructions
/// of Armv8.1 does not run.
const OLDER: &str = "aarch64";
const NEWER: &str = "neoverse-n1";

/// A sentence, and whether it is true.
type Checked = (String, Outcome);

/// Tries every program: `FOLDER/cases/NAME` has its artifacts, `TARGET.PROFILE.cwasm`, and its
/// [`Example`]. `FOLDER/key.pub.pem` is the signer's key.
pub(crate) fn check(folder: &Path, cpu: Cpu) -> Result<Vec<Checked>, Box<dyn Error>> {
    let key = PublicKey::from_pem(&fs::read_to_string(folder.join("key.pub.pem"))?)?;
    let name = "release".to_owned();
    let policy = TrustPolicy::new(vec![TrustedKey::new(name, key)], 1)?;
    let stores = folder.join("stores");
    if stores.exists() {
        fs::remove_dir_all(&stores)?;
    }
    fs::create_dir(&stores)?;

    let cases: Result<Vec<_>, _> = fs::read_dir(folder.join("cases"))?.collect();
    let mut cases: Vec<PathBuf> = cases?.into_iter().map(|entry| entry.path()).collect();
    cases.sort();
    if cases.is_empty() {
        return Err("no programs".into());
    }
    let mut found = Vec::new();
    for case in &cases {
        let name = case.file_name().and_then(|name| name.to_str());
        let name = name.ok_or("a program's name is UTF-8")?;
        for profile in EngineProfile::ALL {
            let case = Case {
                name,
                profile: profile.name(),
                folder: case,
                stores: &stores,
                example: Example::read(case)?,
                engine: HostEngine::builder(profile).build()?,
                policy: &policy,
                cpu,
            };
            let mut add = |what: &str, outcome| {
                found.push((format!("{name}, {}: {what}", case.profile), outcome));
            };
            add("from a file", case.older_file());
            add(
                match cpu {
                    Cpu::WithLse => "newer code from a file",
                    Cpu::WithoutLse => "newer code from a file is refused, `lse` named",
                },
                case.newer_file(),
            );
            add(
                match cpu {
                    Cpu::WithLse => "from a store with both, the newer code",
                    Cpu::WithoutLse => "from a store with both, the older code",
                },
                case.store_of_both(),
            );
            add(
                match cpu {
                    Cpu::WithLse => "from a store with newer code only",
                    Cpu::WithoutLse => "a store with newer code only has none that fits",
                },
                case.store_of_newer(),
            );
        }
    }
    Ok(found)
}

/// A program in one engine profile.
struct Case<'a> {
    name: &'a str,
    profile: &'a str,
    folder: &'a Path,
    stores: &'a Path,
    example: Example,
    engine: HostEngine,
    policy: &'a TrustPolicy,
    cpu: Cpu,
}

impl Case<'_> {
    fn artifact(&self, target: &str) -> PathBuf {
        self.folder.join(format!("{target}.{}.cwasm", self.profile))
    }

    fn load(&self, target: &str) -> Result<LoadedComponent, LoadError> {
        let expected = Expected::application(self.name);
        load(&self.engine, self.artifact(target), self.policy, &expected)
    }

    /// A new store with the artifacts for these targets.
    fn store(&self, targets: &[&str]) -> Result<ArtifactStore, LoadError> {
        let name = [&[self.name, self.profile], targets].concat().join("-");
        let store = ArtifactStore::create(self.stores.join(name))?;
        for target in targets {
            let expected = Expected::application(self.name);
            store.add(self.artifact(target), self.policy, &expected)?;
        }
        Ok(store)
    }

    /// Runs the loaded program, which must be for this target.
    fn run(&self, loaded: &LoadedComponent, target: &str) -> Outcome {
        let found = &loaded.manifest().target.id;
        if found != target {
            return Err(format!("it is for {found}, not {target}").into());
        }
        self.example.repeat(&self.engine, loaded)
    }

    fn older_file(&self) -> Outcome {
        self.run(&self.load(OLDER)?, OLDER)
    }

    fn newer_file(&self) -> Outcome {
        match (self.cpu, self.load(NEWER)) {
            (Cpu::WithLse, loaded) => self.run(&loaded?, NEWER),
            (Cpu::WithoutLse, Err(LoadError::Unfit(Unfit::Cpu(Misfit::Features { missing }))))
                if missing.iter().any(|feature| feature == "lse") =>
            {
                Ok(())
            }
            (Cpu::WithoutLse, Err(error)) => Err(error.into()),
            (Cpu::WithoutLse, Ok(_)) => Err("it was loaded".into()),
        }
    }

    fn store_of_both(&self) -> Outcome {
        let store = self.store(&[OLDER, NEWER])?;
        let loaded = store.load(&self.engine, self.name, self.policy)?;
        let best = match self.cpu {
            Cpu::WithLse => NEWER,
            Cpu::WithoutLse => OLDER,
        };
        self.run(&loaded, best)
    }

    fn store_of_newer(&self) -> Outcome {
        let store = self.store(&[NEWER])?;
        let loaded = store.load(&self.engine, self.name, self.policy);
        match (self.cpu, loaded) {
            (Cpu::WithLse, loaded) => self.run(&loaded?, NEWER),
            (Cpu::WithoutLse, Err(LoadError::Store(StoreError::NoFit { .. }))) => Ok(()),
            (Cpu::WithoutLse, Err(error)) => Err(error.into()),
            (Cpu::WithoutLse, Ok(_)) => Err("it was loaded".into()),
        }
    }
}
