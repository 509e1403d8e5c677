//! What the signed SHA-256 costs where an artifact of 30 MiB comes in: `edgec verify`, and an
//! admission to a store, first without it, as before edgec computed it, and then with it.
//!
//! A store computes both digests always. So the steps of an admission that take time are made here,
//! with either verification, and stand beside the store's own admission.
//!
//! `cargo bench -p edgec signatures` prints it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use edgec_benches::{Contender, medians, print};
use edgec_loader::store::{ArtifactStore, StableFile};
use edgec_tests::Sandbox;
use edgec_verifier::{Expected, UnixTime, verify, verify_fast};

use crate::store::Gone;
use crate::verify::{build, large};

const BUDGET: Duration = Duration::from_secs(10);

pub(crate) fn run() {
    let sandbox = Sandbox::new();
    build(&sandbox, large());
    verbs(&sandbox);
    admissions(&sandbox);
}

fn verbs(sandbox: &Sandbox) {
    let verify = ["verify", "-q", "program.cwasm", "--key", "key.pub.pem"];
    let mut contenders = [
        Contender::new("before: edgec verify --fast", || {
            sandbox.ok(&[&verify[..], &["--fast"]].concat());
        }),
        Contender::new("edgec verify", || {
            sandbox.ok(&verify);
        }),
    ];
    let times = medians(&mut contenders, BUDGET);
    print("verify of 30 MiB", &contenders, &times);
    println!();
}

fn admissions(sandbox: &Sandbox) {
    let (policy, expected) = (sandbox.policy(), Expected::anything());
    let store = ArtifactStore::create(sandbox.path().join("store")).unwrap();
    let artifact = sandbox.path().join("program.cwasm");
    let mut contenders = [
        Contender::making("before: its steps, with fs-verity alone", || {
            steps(sandbox, |file| {
                verify_fast(file, &policy, &expected, UnixTime::EPOCH).unwrap();
            })
        }),
        Contender::making("its steps, with SHA-256 too", || {
            steps(sandbox, |file| {
                verify(file, &policy, &expected, UnixTime::EPOCH).unwrap();
            })
        }),
        Contender::making("store add", || {
            store.add(&artifact, &policy, &expected).unwrap();
            Gone(&store, "program")
        }),
    ];
    let times = medians(&mut contenders, BUDGET);
    print("admission of 30 MiB", &contenders, &times);
    println!();
}

/// The steps of an admission that take time: a copy, its verification while it is written to the
/// disk, and its name.
#[expect(unsafe_code, reason = "the copy is mapped, as an admission does it")]
fn steps(sandbox: &Sandbox, judge: impl Fn(&[u8])) -> Removed {
    let at = |name: &str| sandbox.path().join(name);
    let mut source = File::open(at("program.cwasm")).unwrap();
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    let mut copy = options.open(at("copy")).unwrap();
    let mut chunk = vec![0; 1 << 20];
    loop {
        let length = source.read(&mut chunk).unwrap();
        if length == 0 {
            break;
        }
        copy.write_all(&chunk[..length]).unwrap();
    }
    let length = copy.metadata().unwrap().len();
    // SAFETY: nothing else knows this file, and nothing writes to it from here on.
    let stable = unsafe { StableFile::new(copy.try_clone().unwrap(), length) }.unwrap();
    let view = stable.view().unwrap();
    thread::scope(|scope| {
        let writing = scope.spawn(|| copy.sync_data());
        judge(&view);
        writing.join().unwrap().unwrap();
    });
    drop(view);
    copy.sync_all().unwrap();
    std::fs::rename(at("copy"), at("image")).unwrap();
    File::open(sandbox.path()).unwrap().sync_all().unwrap();
    Removed(at("image"))
}

/// A file that is removed between measurements.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}
