//! The admission store on a disk that has fs-verity.

use std::error::Error;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use edgec_loader::store::{ArtifactStore, LoadFromStore as _};
use edgec_loader::{
    EngineProfile, Expected, HostEngine, LoadMode, PublicKey, TrustPolicy, TrustedKey,
};

use crate::machine::{BLOCK, clear_the_flag, damage, disk, fsverity, unmounted};
use crate::{Check, Outcome, same};

/// The files that `run.sh` puts into the machine: an artifact with this name, and its signer's key.
const ARTIFACT: &str = "/artifact.cwasm";
const KEY: &str = "/key.pub.pem";
const NAME: &str = "hello";

/// The argument with which this program loads.
pub(crate) const COMMAND: &str = "load";
/// The argument with which this program admits.
pub(crate) const ADMIT: &str = "admit";
/// A user who is not root.
const OTHER_USER: u32 = 1000;

pub(crate) const CHECKS: &[Check] = &[
    (
        "an admitted artifact is under verity, and loads so after mounting again",
        admitted,
    ),
    (
        "what a user other than root admits is under verity",
        admitted_by_another_user,
    ),
    (
        "an admitted image whose first page is damaged does not load",
        || damaged(0),
    ),
    (
        "an admitted image whose last page is damaged does not load",
        || {
            let len = fs::metadata(image("damaged")?)?.len();
            damaged(usize::try_from(len - 1)? / BLOCK)
        },
    ),
    (
        "an admitted image with another salt does not load",
        other_salt,
    ),
    (
        "an admitted image whose verity flag is gone loads as one of a trusted folder",
        flag_removed,
    ),
];

fn policy() -> Result<TrustPolicy, Box<dyn Error>> {
    let key = PublicKey::from_pem(&fs::read_to_string(KEY)?)?;
    let name = "release".to_owned();
    Ok(TrustPolicy::new(vec![TrustedKey::new(name, key)], 1)?)
}

/// A new store on the disk, with the artifact in it.
fn store(name: &str) -> Result<ArtifactStore, Box<dyn Error>> {
    let path = disk(name);
    if path.exists() {
        fs::remove_dir_all(&path)?;
    }
    let store = ArtifactStore::create(path)?;
    let admitted = store.add(ARTIFACT, &policy()?, &Expected::anything())?;
    same("admitted", admitted.mode, LoadMode::FsVerity)?;
    Ok(store)
}

/// The image in a store.
fn image(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let paths = store(name)?.image_paths(NAME)?;
    Ok(paths.into_iter().next().ok_or("no image")?)
}

/// Loads the artifact of a store in this process, and says how it was stored.
pub(crate) fn serve(path: &Path) -> Outcome {
    let engine = HostEngine::builder(EngineProfile::Default).build()?;
    let loaded = ArtifactStore::open(path)?.load(&engine, NAME, &policy()?)?;
    println!("loaded {:?}", loaded.report().mode);
    Ok(())
}

/// Admits the artifact to a store in this process, and says how it is stored.
pub(crate) fn admit(path: &Path) -> Outcome {
    let admitted = ArtifactStore::create(path)?.add(ARTIFACT, &policy()?, &Expected::anything())?;
    println!("admitted {:?}", admitted.mode);
    Ok(())
}

/// Before the kernel enables verity, it checks that the process may write the file. Root always
/// may.
fn admitted_by_another_user() -> Outcome {
    let folder = disk("other-user");
    fs::create_dir(&folder)?;
    chown(&folder, Some(OTHER_USER), Some(OTHER_USER))?;
    let output = Command::new(std::env::current_exe()?)
        .args([ADMIT.as_ref(), folder.join("store").as_os_str()])
        .uid(OTHER_USER)
        .gid(OTHER_USER)
        .output()?;
    let said = [output.stdout, output.stderr].concat();
    same(
        "the other user's admission",
        String::from_utf8_lossy(&said).trim(),
        "admitted FsVerity",
    )
}

/// The result of a load in another process, because the process may be killed.
fn load(name: &str) -> Result<String, Box<dyn Error>> {
    let output = Command::new(std::env::current_exe()?)
        .args([COMMAND.as_ref(), disk(name).as_os_str()])
        .output()?;
    let said = match output.status.signal() {
        Some(signal) => format!("signal {signal}"),
        None => String::from_utf8([output.stdout, output.stderr].concat())?,
    };
    Ok(said.trim().to_owned())
}

fn admitted() -> Outcome {
    let path = image("admitted")?;
    same("loaded", load("admitted")?.as_str(), "loaded FsVerity")?;
    unmounted(|| Ok(()))?;
    same("loaded", load("admitted")?.as_str(), "loaded FsVerity")?;
    let writer = fs::File::options().write(true).open(path);
    same("written by root", writer.is_err(), true)
}

/// The loading process ends with an error, or by `SIGBUS`.
fn damaged(page: usize) -> Outcome {
    let path = image("damaged")?;
    let inside = path.strip_prefix(disk(""))?.to_str().ok_or("a path")?;
    same("before", load("damaged")?.as_str(), "loaded FsVerity")?;
    unmounted(|| damage(inside, page, 24))?;
    let said = load("damaged")?;
    println!("     (the load: {said})");
    same("it loaded", said.starts_with("loaded"), false)
}

fn other_salt() -> Outcome {
    let path = image("salted")?;
    let bytes = fs::read(&path)?;
    fs::remove_file(&path)?;
    fs::write(&path, bytes)?;
    fsverity("enable", &path, &["--salt=5a"])?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444))?;
    let said = load("salted")?;
    same(&said, said.contains("the kernel measures"), true)
}

fn flag_removed() -> Outcome {
    let path = image("flagless")?;
    let inside = path.strip_prefix(disk(""))?.to_str().ok_or("a path")?;
    unmounted(|| clear_the_flag(inside))?;
    same("loaded", load("flagless")?.as_str(), "loaded TrustedStore")
}
