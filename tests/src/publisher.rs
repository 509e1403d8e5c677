//! A publisher of releases, who uses the real binary.

use edgec_packager::SecretKey;

use crate::{Sandbox, hello, words};

/// A publisher with a key for each role, and version 1 for two CPUs, in a folder of its own.
pub struct Publisher(pub Sandbox);

const ROLES: [(&str, &str); 4] = [
    ("signer", "artifact"),
    ("offline", "release"),
    ("online", "timestamp"),
    ("notary", "notary"),
];

impl Publisher {
    /// With keys of Ed25519.
    pub fn new() -> Self {
        Self::with_keys("ed25519")
    }

    /// With keys of this algorithm, or of both (`hybrid`).
    pub fn with_keys(algorithm: &str) -> Self {
        let this = Self(Sandbox::empty());
        for (key, _) in ROLES {
            let keygen = format!("keygen --algorithm {algorithm} -o {key}.pem");
            this.0.ok(&words(&keygen));
        }
        this.policy("edgec-trust.toml", "release = 1\ntimestamp = 1\n", "");
        this.publish(1, 1, 0);
        this
    }

    /// Builds a version, and publishes it with this serial and floor.
    pub fn publish(&self, version: u32, serial: u32, floor: u32) {
        let example = hello();
        let build = format!(
            "-t x86_64,aarch64 --key signer.pem --name acme/hello --channel stable --app-version {version} -o {version}"
        );
        let build = [vec!["build", "-q", example.as_str()], words(&build)].concat();
        self.0.ok(&build);
        let [x86, arm] =
            ["x86_64", "aarch64"].map(|target| format!("{version}/hello.{target}.cwasm"));
        let make = format!(
            "release make {x86} {arm} --serial {serial} --floor {floor} --key offline.pem -o {serial}.release.json"
        );
        self.0.ok(&words(&make));
        self.stamp(serial, "+1d");
    }

    /// Makes the timestamp of a release, which expires then.
    pub fn stamp(&self, serial: u32, expires: &str) {
        let stamp = format!(
            "release stamp {serial}.release.json --expires {expires} --key online.pem -o {serial}.timestamp.json"
        );
        self.0.ok(&words(&stamp));
    }

    /// A policy that trusts all keys. `head` are fields, `tail` are tables.
    pub fn policy(&self, name: &str, head: &str, tail: &str) {
        let mut text = format!("threshold = 1\n{head}");
        for (key, role) in ROLES {
            text.push_str(&self.entry(key, role));
        }
        self.0.write_secret(name, text + tail);
    }

    /// The `[[key]]` of a policy for a key with a role.
    pub fn entry(&self, key: &str, role: &str) -> String {
        let pem = String::from_utf8(self.0.read(&format!("{key}.pub.pem"))).unwrap();
        format!("[[key]]\nname = '{key}'\nroles = ['{role}']\npem = '''\n{pem}'''\n")
    }

    /// The private key of this name.
    pub fn secret(&self, key: &str) -> SecretKey {
        let pem = String::from_utf8(self.0.read(&format!("{key}.pem"))).unwrap();
        SecretKey::from_pem(&pem).unwrap()
    }

    /// What the command line prints. It must succeed.
    pub fn ok(&self, line: &str) -> String {
        self.0.ok(&words(line))
    }

    /// The error of the command line, which must have this code.
    pub fn refuses(&self, line: &str, code: &str) -> String {
        let error = self.0.fails(1, &words(line));
        assert!(
            error.contains(&format!("error[{code}]: ")),
            "{code}: {error}"
        );
        error
    }
}

impl Default for Publisher {
    fn default() -> Self {
        Self::new()
    }
}
