//! Rows 23 to 27 and 29 of `docs/threat-model.md`: genuine artifacts that a host's policy
//! (`docs/policy.md`) refuses, and attacks on the policy itself.
//!
//! More than 400 lines: all rows share one host, with a policy and an artifact.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::time::{SystemTime, UNIX_EPOCH};

use edgec_artifact::{Manifest, UnixTime, Validity};
use edgec_packager::SecretKey;
use edgec_tests::corpus::{Forge, GREETING, fails, material, refused, sealed_by, write_policy};
use edgec_tests::{Sandbox, fifo};

/// A host, a policy on it, and an artifact.
struct Scene {
    sandbox: Sandbox,
    options: Vec<&'static str>,
}

impl Scene {
    fn new(policy: &str, artifact: &[u8]) -> Self {
        let sandbox = Sandbox::empty();
        write_policy(&sandbox, policy);
        sandbox.write("a.cwasm", artifact);
        Self {
            sandbox,
            options: vec!["--trust", "edgec-trust.toml"],
        }
    }

    fn with(mut self, options: &[&'static str]) -> Self {
        self.options.extend(options);
        self
    }

    fn arguments<'a>(&self, verb: &'a str) -> Vec<&'a str> {
        let mut arguments = vec![verb];
        arguments.extend(&self.options);
        arguments.push("a.cwasm");
        arguments
    }

    fn refuses(&self, code: &str) {
        for verb in ["verify", "run"] {
            refused(&self.sandbox, &self.arguments(verb), code);
        }
    }

    fn accepts(&self) {
        self.sandbox.ok(&self.arguments("verify"));
        assert_eq!(self.sandbox.ok(&self.arguments("run")), GREETING);
    }
}

fn key(name: &str, key: &SecretKey, more: &str) -> String {
    let pem = key.public().to_pem();
    format!("[[key]]\nname = \"{name}\"\npem = \"\"\"\n{pem}\"\"\"\n{more}\n")
}

/// A policy with the signer as its only key, and further rules.
fn policy(more: &str) -> String {
    format!(
        "threshold = 1\n{}{more}\n",
        key("release", &material().signer, "")
    )
}

/// A policy with the signer, and limits on its key.
fn limited(limits: &str) -> String {
    format!(
        "threshold = 1\n{}",
        key("release", &material().signer, limits)
    )
}

fn artifact(change: impl FnOnce(&mut Manifest)) -> Vec<u8> {
    Forge::of(material()).with_manifest(change)
}

fn hello() -> Vec<u8> {
    material().hello.clone()
}

fn named(name: &str) -> Vec<u8> {
    artifact(|manifest| manifest.name = name.to_owned())
}

fn on(channel: &str) -> Vec<u8> {
    artifact(|manifest| manifest.channel = Some(channel.to_owned()))
}

fn by_engine(version: &str) -> Vec<u8> {
    artifact(|manifest| manifest.engine.version = version.to_owned())
}

#[test]
fn row_23_another_application() {
    Scene::new(&policy(""), &hello())
        .with(&["--name", "shop"])
        .refuses("application");
    Scene::new(&policy(""), &hello())
        .with(&["--name", "hello"])
        .accepts();
    let tenant = policy("[allow]\napplications = [\"acme/*\"]");
    Scene::new(&tenant, &hello()).refuses("application");
    Scene::new(&tenant, &named("acm/shop")).refuses("application");
    Scene::new(&tenant, &named("other/acme/shop")).refuses("application");
    Scene::new(&tenant, &named("ACME/shop")).refuses("application");
    Scene::new(&tenant, &named("acme/shop")).accepts();
    Scene::new(&tenant, &named("acme/shop"))
        .with(&["--name", "acme/bank"])
        .refuses("application");
    // A policy cannot turn off a check that the caller requests.
    let off = policy("[checks]\napplication = \"off\"");
    Scene::new(&off, &hello())
        .with(&["--name", "shop"])
        .refuses("application");
    Scene::new(&policy("[allow]\napplications = []"), &hello()).refuses("application");
}

#[test]
fn row_23_another_channel_or_target() {
    let stable = policy("[allow]\nchannels = [\"stable\"]");
    Scene::new(&stable, &hello()).refuses("channel");
    Scene::new(&stable, &on("beta")).refuses("channel");
    Scene::new(&stable, &on("stable2")).refuses("channel");
    Scene::new(&stable, &on("stable")).accepts();
    Scene::new(&policy(""), &on("beta"))
        .with(&["--channel", "stable"])
        .refuses("channel");
    Scene::new(&policy(""), &hello())
        .with(&["--channel", "stable"])
        .refuses("channel");
    Scene::new(&policy(""), &on("stable"))
        .with(&["--channel", "stable"])
        .accepts();
    Scene::new(&policy("[allow]\ntargets = [\"znver5\"]"), &hello()).refuses("target");
    Scene::new(&policy("[allow]\ntargets = [\"*\"]"), &hello()).accepts();
}

#[test]
fn row_24_rollback() {
    let minimum = policy("[minimum-version]\nhello = 12\nother = 99");
    let version = |version| artifact(|manifest| manifest.version = version);
    for older in [0, 1, 11] {
        Scene::new(&minimum, &version(older)).refuses("rollback");
    }
    for newer in [12, 13, edgec_artifact::MAX_VERSION] {
        Scene::new(&minimum, &version(newer)).accepts();
    }
    Scene::new(&minimum, &version(u64::MAX)).refuses("statement");
}

#[test]
fn row_25_expiry_and_the_clock() {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let until = |not_before: Option<u64>, expires: Option<u64>| {
        artifact(|manifest| {
            let validity = Validity::default()
                .with_issued(UnixTime::from_seconds(1))
                .with_not_before(not_before.map(UnixTime::from_seconds))
                .with_expires(expires.map(UnixTime::from_seconds));
            manifest.validity = Some(validity);
        })
    };
    let required = policy("[validity]\nexpiry-required = true");
    Scene::new(&required, &hello()).refuses("expiry-required");
    Scene::new(&required, &until(Some(1), None)).refuses("expiry-required");
    Scene::new(&required, &until(None, Some(now + 3600))).accepts();
    Scene::new(&required, &until(None, Some(now - 3600))).refuses("expired");
    Scene::new(&required, &until(Some(now + 3600), Some(now + 7200))).refuses("not-yet-valid");
    // A mode affects only the check that names it.
    let warn = policy("[checks]\nvalidity = \"warn\"\n[validity]\nexpiry-required = true");
    Scene::new(&warn, &until(None, Some(now - 3600))).accepts();
    Scene::new(&warn, &hello()).refuses("expiry-required");
}

#[test]
fn row_26_revoked() {
    let (material, forge) = (material(), Forge::of(material()));
    let digest = forge.manifest.image.fsverity;
    let revoked = format!("[[revoked-digest]]\nfsverity = \"{digest}\"\nreason = \"leaks\"");
    Scene::new(&policy(&revoked), &hello()).refuses("revoked-digest");
    let id = forge.key_id();
    let revoked = format!("[[revoked-key]]\nid = \"{id}\"\nreason = \"lost\"");
    Scene::new(&policy(&revoked), &hello()).refuses("revoked-key");
    // One of two signers is revoked: the rest is not enough for a threshold of two, but for one.
    let both = forge.with_envelope(sealed_by(
        &forge.payload,
        &[&material.signer, &material.other],
    ));
    let two = |threshold: u8| {
        format!(
            "threshold = {threshold}\n{}{}{}{revoked}\n",
            key("release", &material.signer, ""),
            key("other", &material.other, ""),
            key("third", &material.attacker, ""),
        )
    };
    Scene::new(&two(2), &both).refuses("revoked-key");
    Scene::new(&two(1), &both).accepts();
}

#[test]
fn row_26_a_key_outside_its_scope() {
    for limits in [
        "applications = [\"shop\", \"acme/*\"]",
        "targets = [\"znver5\"]",
        "channels = [\"stable\"]",
        "applications = [\"hello\"]\nchannels = [\"stable\"]",
    ] {
        Scene::new(&limited(limits), &hello()).refuses("key-scope");
    }
    Scene::new(&limited("applications = [\"hel*\"]"), &hello()).accepts();
    for limits in [
        "expires = 2020-01-01T00:00:00Z",
        "not-before = 2999-01-01T00:00:00Z",
    ] {
        Scene::new(&limited(limits), &hello()).refuses("key-validity");
    }
    let wide = "not-before = 2020-01-01T00:00:00Z\nexpires = 2999-01-01T00:00:00Z";
    Scene::new(&limited(wide), &hello()).accepts();
    // The policy requires more signatures on some artifacts.
    let scope = format!(
        "threshold = 1\n{}{}[[scope]]\napplications = [\"payments/*\"]\nthreshold = 2\n",
        key("release", &material().signer, ""),
        key("other", &material().other, ""),
    );
    Scene::new(&scope, &named("payments/card")).refuses("threshold");
    Scene::new(&scope, &hello()).accepts();
}

#[test]
fn row_27_a_policy_that_is_no_file_of_its_own() {
    let scene = Scene::new(&policy(""), &hello());
    scene.accepts();
    let file = scene.sandbox.path().join("edgec-trust.toml");
    let mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    for writable in [0o666, 0o646, 0o664, 0o777, 0o602] {
        mode(writable);
        scene.refuses("trust-file");
    }
    mode(0o600);
    scene.accepts();
    if rustix::process::geteuid().is_root() {
        chown(&file, Some(12345), None).unwrap();
        scene.refuses("trust-file");
        chown(&file, Some(0), None).unwrap();
    } else {
        eprintln!("not tried: only root can give a file to another user");
    }
    let real = scene.sandbox.path().join("real.toml");
    fs::rename(&file, &real).unwrap();
    symlink("real.toml", &file).unwrap();
    scene.refuses("trust-file");
    fs::remove_file(&file).unwrap();
    for verb in ["verify", "run"] {
        fails(&scene.sandbox, 3, &scene.arguments(verb), "io");
    }
    fs::create_dir(&file).unwrap();
    scene.refuses("trust-file");
    fs::remove_dir(&file).unwrap();
    fifo(&file);
    scene.refuses("trust-file");
}

#[test]
fn row_27_a_policy_that_is_none() {
    let forever = "x".repeat(1 << 20);
    for text in [
        "",
        "threshold = 1",
        "threshold",
        &format!("mode = \"permissive\"\n{}", policy("")),
        &format!("include = \"other.toml\"\n{}", policy("")),
        &limited("mode = \"off\""),
        &policy("[checks]\ndefault = \"warn\""),
        &policy("[checks]\nsignatures = \"off\""),
        &policy("[checks]\ndigest = \"warn\""),
        &policy("[checks]\nlayout = \"off\""),
        &policy("[checks]\nimage = \"off\""),
        &policy("[checks]\nstatement = \"off\""),
        &policy("[checks]\nimports = \"sometimes\""),
        &policy("[checks]\nunheard-of = \"off\""),
        &policy("[allow]\nimports = \"*\""),
        &policy("[[revoked-key]]\nid = \"short\"\nreason = \"x\""),
        &policy("").replace("threshold = 1", "threshold = 0"),
        &policy("").replace("threshold = 1", "threshold = 2"),
        &policy("").replace("threshold = 1", "threshold = 1\nversion = 1"),
        &policy("").replace("threshold = 1", "threshold = 1\nexpires = \"2020\""),
        &policy(&format!("# {forever}")),
    ] {
        let scene = Scene::new(text, &hello());
        for verb in ["verify", "run"] {
            let arguments = scene.arguments(verb);
            let output = scene.sandbox.run(&arguments);
            assert_eq!(output.status.code(), Some(1), "{text:.200}: {output:?}");
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            let named = ["error[trust-policy]", "error[trust-file]"];
            assert!(
                named.iter().any(|name| stderr.starts_with(name)),
                "{stderr}"
            );
        }
    }
}

/// A mode for one check leaves all others enforced.
#[test]
fn row_27_no_mode_is_inherited() {
    let rest = "[allow]\napplications = [\"shop\"]\nimports = []\n";
    let all = [
        "channel",
        "target",
        "version",
        "revocation",
        "compiler",
        "advisories",
        "profile",
        "imports",
        "validity",
        "expiry",
    ];
    let off: String = all.map(|check| format!("{check} = \"off\"\n")).concat();
    let text = policy(&format!("{rest}[checks]\n{off}"));
    Scene::new(&text, &hello()).refuses("application");
    let flipped = Forge::of(material()).flipped(0x1100);
    let text = policy(&format!("[checks]\napplication = \"off\"\n{off}"));
    Scene::new(&text, &flipped).refuses("image-digest");
    Scene::new(&text, &hello()).accepts();
}

fn edition(name: &str, version: u64, more: &str) -> String {
    format!("name = \"{name}\"\nversion = {version}\n{}", policy(more))
}

#[test]
fn row_27_a_policy_older_than_the_one_seen() {
    let scene = Scene::new(&edition("fleet", 7, ""), &hello());
    let scene = scene.with(&["--trust-state", "state"]);
    let put = |text: &str| write_policy(&scene.sandbox, text);
    scene.accepts();
    let seen = scene.sandbox.read("state");
    for older in [
        edition("fleet", 6, ""),
        edition("fleet", 7, "# other bytes"),
        edition("fleets", 8, ""),
        policy(""),
    ] {
        put(&older);
        scene.refuses("policy-rollback");
        assert_eq!(scene.sandbox.read("state"), seen);
    }
    put(&edition("fleet", 8, ""));
    scene.accepts();
    put(&edition("fleet", 7, ""));
    scene.refuses("policy-rollback");
    // A damaged state file does not count as a missing one.
    for damaged in ["", "{\"name\":", "{\"name\":\"fleet\",\"version\":8}"] {
        scene.sandbox.write("state", damaged);
        scene.refuses("policy-state");
        assert_eq!(scene.sandbox.read("state"), damaged.as_bytes());
    }
    let past = format!("expires = 2020-01-01T00:00:00Z\n{}", policy(""));
    Scene::new(&past, &hello()).refuses("policy-expired");
}

#[test]
fn row_27_a_policy_that_the_root_did_not_sign() {
    let sandbox = Sandbox::empty();
    for key in ["root.pem", "attacker.pem"] {
        sandbox.ok(&["keygen", "-o", key]);
    }
    sandbox.write("a.cwasm", hello());
    write_policy(&sandbox, &edition("fleet", 7, ""));
    for (key, output) in [("root.pem", "good.dsse"), ("attacker.pem", "bad.dsse")] {
        sandbox.ok(&[
            "policy",
            "sign",
            "edgec-trust.toml",
            "--key",
            key,
            "-o",
            output,
        ]);
    }
    let text = sandbox.read("good.dsse");
    let mut changed = text.clone();
    let at = changed
        .windows(11)
        .position(|w| w == b"\"payload\":\"")
        .unwrap()
        + 11;
    changed[at] = if changed[at] == b'b' { b'c' } else { b'b' };
    sandbox.write("changed.dsse", changed);
    let file = |name: &str| {
        let path = sandbox.path().join(name);
        let mode = fs::Permissions::from_mode(0o644);
        fs::set_permissions(path, mode).unwrap();
    };
    for name in ["good.dsse", "bad.dsse", "changed.dsse"] {
        file(name);
    }
    let with = |trust: &'static str, root: &[&'static str]| {
        [&["verify", "--trust", trust], root, &["a.cwasm"]].concat()
    };
    let root = ["--root", "root.pub.pem"];
    let signature = "policy-signature";
    refused(&sandbox, &with("good.dsse", &[]), signature);
    refused(&sandbox, &with("edgec-trust.toml", &root), signature);
    refused(&sandbox, &with("bad.dsse", &root), signature);
    refused(&sandbox, &with("changed.dsse", &root), signature);
    let two = ["--root", "root.pub.pem", "--root", "attacker.pub.pem"];
    refused(&sandbox, &with("good.dsse", &two), signature);
    sandbox.ok(&with("good.dsse", &root));
}

#[test]
fn row_29_compilers() {
    let minimum = policy("[compiler]\nminimum = \"48.0.7\"");
    for old in [
        "48.0.6",
        "48.0.0",
        "48.0",
        "48",
        "48.0.8-rc1",
        "48.0.08",
        "48.0.8.1",
    ] {
        Scene::new(&minimum, &by_engine(old)).refuses("compiler-version");
    }
    Scene::new(&minimum, &hello()).accepts();
    let denied = |range: &str| policy(&format!("[[compiler.deny]]\n{range}\nreason = \"x\""));
    for range in [
        "from = \"48.0.0\"",
        "before = \"48.0.9\"",
        "from = \"48.0.8\"\nbefore = \"48.0.9\"",
        "from = \"48.0.0\"\ntargets = [\"*\"]",
    ] {
        Scene::new(&denied(range), &hello()).refuses("compiler-denied");
    }
    for range in [
        "from = \"48.0.9\"",
        "before = \"48.0.8\"",
        "from = \"48.0.0\"\ntargets = [\"znver5\"]",
    ] {
        Scene::new(&denied(range), &hello()).accepts();
    }
    Scene::new(&denied("from = \"1.0.0\""), &by_engine("48.x")).refuses("compiler-version");
}

/// According to edgec's advisories, 48.0.6 miscompiles for aarch64.
#[test]
fn row_29_advisories() {
    let mut arm = &material().hello;
    if std::env::consts::ARCH != "aarch64" {
        arm = &material().foreign;
    }
    let forge = Forge::new(arm, &material().signer);
    let old = forge.with_manifest(|m| m.engine.version = "48.0.6".to_owned());
    let advised = policy("[compiler]\nadvisories = true");
    Scene::new(&advised, &old).refuses("advisory");
    let scene = Scene::new(&advised, arm);
    scene.sandbox.ok(&scene.arguments("verify"));
}

#[test]
fn row_29_profiles_and_imports() {
    Scene::new(&policy("[allow]\nprofiles = [\"edge\"]"), &hello()).refuses("profile");
    Scene::new(&policy("[allow]\nprofiles = [\"default\"]"), &hello()).accepts();
    for imports in ["", "\"wasi:sockets/*\"", "\"wasi:cli/exit*\""] {
        let text = policy(&format!("[allow]\nimports = [{imports}]"));
        Scene::new(&text, &hello()).refuses("import");
    }
    Scene::new(&policy("[allow]\nimports = [\"wasi:*\"]"), &hello()).accepts();
}
