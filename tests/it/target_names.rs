//! A target has several names. They mean the same in every place for a target.
//!
//! The names come from the registry, so new aliases are tested automatically. For a new place,
//! `every_place_is_known` fails until the place is added here.

use std::collections::BTreeSet;

use edgec_packager::SecretKey;
use edgec_targets::{Arch, Target};
use edgec_tests::corpus::Forge;
use edgec_tests::help::{self, verbs};
use edgec_tests::interop::{Case, Trust, check_agreement, python};
use edgec_tests::{Sandbox, repository};

/// A place in a policy that names targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Key,
    Scope,
    Allow,
    Deny,
}

impl Place {
    const ALL: [Self; 4] = [Self::Key, Self::Scope, Self::Allow, Self::Deny];

    /// The name in docs/policy.md of the table that contains the list.
    fn documented(self) -> &'static str {
        match self {
            Self::Key => "`[[key]]`",
            Self::Scope => "`[[scope]]`",
            Self::Allow => "`[allow]`",
            Self::Deny => "`[[compiler.deny]]`",
        }
    }

    /// A policy that names a target in this place.
    fn policy(self, sandbox: &Sandbox, name: &str) -> String {
        let list = format!("targets = [{}]\n", toml_string(name));
        let key = |name: &str, file: &str| {
            let pem = String::from_utf8(sandbox.read(file)).unwrap();
            format!("[[key]]\nname = '{name}'\npem = '''\n{pem}'''\n")
        };
        let (signer, other) = (key("k", "key.pub.pem"), key("other", "other.pub.pem"));
        let rest = match self {
            Self::Key => return format!("threshold = 1\n{other}{signer}{list}"),
            Self::Scope => format!("[[scope]]\nthreshold = 2\n{list}"),
            Self::Allow => format!("[allow]\n{list}"),
            Self::Deny => format!("[[compiler.deny]]\nfrom = '0.0.1'\nreason = ''\n{list}"),
        };
        format!("threshold = 1\n{signer}{other}{rest}")
    }

    /// Whether the named targets are accepted; otherwise they are refused.
    fn lets_in(self) -> bool {
        matches!(self, Self::Key | Self::Allow)
    }
}

fn toml_string(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\"))
}

/// Every name for targets, and the targets that it means: the registry's names, and every triple.
fn names() -> Vec<(&'static str, BTreeSet<&'static str>)> {
    let named = |target: &'static Target| {
        let names = target.aliases.iter().copied().chain([target.id]);
        names.map(move |name| (name, BTreeSet::from([target.id])))
    };
    let family = |arch: Arch| {
        let all = edgec_targets::all().filter(move |target| target.arch == arch);
        let all: BTreeSet<_> = all.map(|target| target.id).collect();
        let triples = arch.triples().iter().copied();
        triples.map(move |triple| (triple, all.clone()))
    };
    let targets = edgec_targets::all().flat_map(named);
    targets
        .chain(Arch::ALL.into_iter().flat_map(family))
        .collect()
}

/// Patterns, and the targets that they mean: those with a matching name.
fn patterns() -> Vec<(&'static str, BTreeSet<&'static str>)> {
    let family = |arch: Arch| {
        let all = edgec_targets::all().filter(move |target| target.arch == arch);
        all.map(|target| target.id).collect::<BTreeSet<_>>()
    };
    let (x86_64, aarch64) = (family(Arch::X86_64), family(Arch::Aarch64));
    vec![
        ("x86_64*", x86_64.clone()),
        ("x86-64*", x86_64.clone()),
        ("amd64*", x86_64.clone()),
        ("aarch64*", aarch64.clone()),
        ("arm64*", aarch64.clone()),
        ("*-linux-gnu", x86_64.union(&aarch64).copied().collect()),
        ("*", x86_64.union(&aarch64).copied().collect()),
        ("x86_64-v2*", BTreeSet::from(["x86_64"])),
        ("x86-64-v3*", BTreeSet::from(["x86_64-v3"])),
        (
            "graviton*",
            BTreeSet::from(["neoverse-n1", "neoverse-v1", "neoverse-v2"]),
        ),
        ("*ampere*", BTreeSet::from(["neoverse-n1", "ampereone"])),
        (
            "zen*",
            BTreeSet::from(["znver2", "znver3", "znver4", "znver5"]),
        ),
    ]
}

/// Names that no target has.
const UNKNOWN: [&str; 9] = [
    "",
    "X86_64",
    "x86_46",
    "aarch46*",
    "x86_64 ",
    "riscv64",
    "native",
    "x86_64-unknown-linux-musl",
    "graviton9",
];

/// A sandbox with an artifact for every target, and a second key that has signed none of them. Also
/// returns the ids of all targets.
fn all_targets() -> (Sandbox, Vec<&'static str>) {
    let sandbox = Sandbox::new();
    sandbox.ok(&["keygen", "-o", "other.pem"]);
    sandbox.write("app.wat", "(module (func (export \"f\")))");
    // The build names every alias. Each target is built once, under its id.
    let every: Vec<&str> = names()
        .into_iter()
        .filter(|(name, _)| !name.contains("-linux-"))
        .map(|(name, _)| name)
        .collect();
    let every = every.join(",");
    let build = [
        "build", "-q", "app.wat", "-O0", "--key", "key.pem", "-o", "out", "-t",
    ];
    sandbox.ok(&[&build[..], &[&every]].concat());
    let ids: Vec<&str> = edgec_targets::all().map(|target| target.id).collect();
    let mut built = sandbox.files();
    built.retain(|name| name.starts_with("out/"));
    let mut expected: Vec<_> = ids.iter().map(|id| file(id)).collect();
    expected.sort();
    assert_eq!(built, expected);
    (sandbox, ids)
}

fn file(id: &str) -> String {
    format!("out/app.{id}.cwasm")
}

/// The artifacts that `edgec verify` accepts. `None` if it refuses the policy.
fn verified(
    sandbox: &Sandbox,
    ids: &[&'static str],
    policy: &str,
) -> Option<BTreeSet<&'static str>> {
    sandbox.write("policy.toml", policy);
    let verify = ["verify", "--format", "json", "--trust", "policy.toml"];
    let files: Vec<String> = ids.iter().map(|id| file(id)).collect();
    let files = files.iter().map(String::as_str);
    let output = sandbox.run(&verify.into_iter().chain(files).collect::<Vec<_>>());
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    let verdicts = report["results"].as_array()?.iter().zip(ids);
    let verified = verdicts.filter(|(verdict, _)| verdict["verified"] == true);
    Some(verified.map(|(_, id)| *id).collect())
}

#[test]
fn every_name_means_its_targets_in_every_place_of_a_policy() {
    let (sandbox, ids) = all_targets();
    let all: BTreeSet<_> = ids.iter().copied().collect();
    for place in Place::ALL {
        for (name, meant) in names().into_iter().chain(patterns()) {
            let policy = place.policy(&sandbox, name);
            let expected = match place.lets_in() {
                true => meant,
                false => all.difference(&meant).copied().collect(),
            };
            let found = verified(&sandbox, &ids, &policy);
            assert_eq!(found, Some(expected), "{name} in {place:?}");
        }
        for name in UNKNOWN {
            let policy = place.policy(&sandbox, name);
            assert_eq!(
                verified(&sandbox, &ids, &policy),
                None,
                "{name} in {place:?}"
            );
            let verify = ["verify", "--trust", "policy.toml", &file("x86_64")];
            let stderr = sandbox.fails(1, &verify);
            assert!(
                stderr.starts_with("error[trust-policy]: policy.toml: "),
                "{stderr}"
            );
            assert!(stderr.contains(&format!("`{name}`")), "{stderr}");
        }
    }
    sandbox.write("policy.toml", Place::Deny.policy(&sandbox, "x86_46"));
    let stderr = sandbox.fails(1, &["policy", "check", "policy.toml"]);
    assert!(stderr.contains("did you mean `x86_64`"), "{stderr}");
}

/// The second verifier agrees. Each name is tried in some of the places.
#[test]
fn both_verifiers_know_the_same_names() {
    if python().is_none() {
        return;
    }
    let (sandbox, _) = all_targets();
    let known = names()
        .into_iter()
        .chain(patterns())
        .map(|(name, meant)| (name, Some(meant)));
    let unknown = UNKNOWN.map(|name| (name, None));
    let mut places = Place::ALL.into_iter().cycle();
    let mut cases = Vec::new();
    for (number, (name, meant)) in known.chain(unknown).enumerate() {
        let place = places.next().unwrap();
        let policy = place.policy(&sandbox, name);
        let policy = sandbox.write(&format!("{number}.toml"), policy);
        let ids = match &meant {
            Some(meant) => [meant.first().copied(), Some("x86_64"), Some("aarch64")],
            None => [Some("x86_64"), None, None],
        };
        for id in ids.into_iter().flatten() {
            let named = meant.as_ref().map(|meant| meant.contains(id));
            cases.push(Case {
                name: format!("{id} by {name} in {place:?}"),
                file: sandbox.read(&file(id)),
                trust: Trust::Policy(policy.clone()),
                arguments: Vec::new(),
                accepted: Some(named.is_some_and(|named| named == place.lets_in())),
            });
        }
        // Changes the order, so that a place does not always get the same names.
        if number % 3 == 0 {
            places.next();
        }
    }
    check_agreement(cases);
}

/// The name of a family, in a host's profile and in a fleet.
#[test]
fn every_name_means_its_family_in_hosts_and_fleets() {
    let (sandbox, _) = all_targets();
    let host = |arch: &str| {
        format!("arch = '{arch}'\nfeatures = []\nengine = '48.0.8'\nprofiles = ['default']\n")
    };
    let families: Vec<(&str, Arch)> = Arch::ALL
        .into_iter()
        .flat_map(|arch| arch.aliases().iter().map(move |alias| (*alias, arch)))
        .chain(Arch::ALL.map(|arch| (arch.name(), arch)))
        .collect();
    for (name, arch) in &families {
        sandbox.write("host.toml", format!("schema = 1\n{}", host(name)));
        sandbox.write(
            "fleet.toml",
            format!("schema = 1\n[[host]]\nname = 'h'\n{}", host(name)),
        );
        let base = match arch {
            Arch::X86_64 => "x86_64-v1",
            Arch::Aarch64 => "aarch64",
        };
        let check = ["check", &file(base), "--host", "host.toml"];
        sandbox.ok(&check);
        let foreign = edgec_targets::all()
            .find(|target| target.arch != *arch)
            .unwrap();
        sandbox.fails(1, &["check", &file(foreign.id), "--host", "host.toml"]);
        let folder = format!("fleet-{name}");
        let build = [
            "build",
            "-q",
            "app.wat",
            "-O0",
            "--key",
            "key.pem",
            "--fleet",
            "fleet.toml",
        ];
        sandbox.ok(&[&build[..], &["-o", &folder]].concat());
        let mut built = sandbox.files();
        built.retain(|name| name.starts_with(&folder));
        assert_eq!(built, [format!("{folder}/app.{base}.cwasm")]);
    }
    // Other names mean more than a family. They are refused, and the message names the family.
    for (name, _) in names() {
        if families.iter().any(|(family, _)| *family == name) {
            continue;
        }
        sandbox.write("host.toml", format!("schema = 1\n{}", host(name)));
        let stderr = sandbox.fails(1, &["check", &file("x86_64"), "--host", "host.toml"]);
        assert!(stderr.contains(&format!("`{name}`")), "{stderr}");
        if let Ok(target) = edgec_targets::find(name) {
            let family = format!("`{}`", target.arch.name());
            assert!(stderr.contains(&family), "{stderr}");
        }
    }
}

/// A manifest names its target by the registry's own name. With any other name nothing is verified,
/// even if it is an alias, or a name that a newer edgec may know.
#[test]
fn a_manifest_with_another_name_is_refused_under_every_policy() {
    let (sandbox, _) = all_targets();
    let original = sandbox.read(&file("x86_64"));
    let key = SecretKey::from_pem(&String::from_utf8(sandbox.read("key.pem")).unwrap()).unwrap();
    let forge = Forge::new(&original, &key);
    let names = names().into_iter().map(|(name, _)| name);
    let foreign = ["x86_64-v9", "", "quantum", "x86_64 ", "X86_64"];
    for name in names.chain(foreign).filter(|name| *name != "x86_64") {
        let forged = forge.with_manifest(|manifest| manifest.target.id = name.to_owned());
        sandbox.write("forged.cwasm", forged);
        let verify = ["verify", "-q", "forged.cwasm", "--key", "key.pub.pem"];
        let stderr = sandbox.fails(1, &verify);
        assert!(
            stderr.contains("is not the target that this edgec knows"),
            "{name}: {stderr}"
        );
        for place in Place::ALL {
            sandbox.write("policy.toml", place.policy(&sandbox, "x86-64*"));
            sandbox.fails(
                1,
                &["verify", "-q", "forged.cwasm", "--trust", "policy.toml"],
            );
        }
    }
}

/// The places above are complete: the documents and the help name no others.
#[test]
fn every_place_is_known() {
    let document = |name: &str| std::fs::read_to_string(repository().join("docs").join(name));
    let policy = document("policy.md").unwrap();
    let fields = policy.lines().filter(|line| line.starts_with("| `["));
    let fields = fields.filter(|line| {
        let field = line.split('|').nth(1).unwrap_or_default();
        field.contains("target")
    });
    let documented: BTreeSet<&str> = fields.filter_map(|line| line.split(' ').nth(1)).collect();
    let tested = Place::ALL.map(Place::documented);
    assert_eq!(documented, BTreeSet::from(tested));

    let places = verbs(&Sandbox::empty()).into_iter().flat_map(|verb| {
        let name = verb.path.join(" ");
        let named = verb.places.into_iter();
        let named = named.filter(|(_, value)| value.contains("TARGET"));
        named.map(move |(place, _)| (name.clone(), place))
    });
    let places: Vec<(String, help::Place)> = places.collect();
    // `pull` names what a registry has: tests/it/registry.rs has its cases.
    let known = ["build", "pull"].into_iter().flat_map(|verb| {
        let place = |place| (verb.to_owned(), place);
        let long = help::Place::Long("--target".to_owned());
        [place(long), place(help::Place::Short("-t".to_owned()))]
    });
    let known: Vec<_> = known.collect();
    assert!(!places.is_empty());
    assert!(places.iter().all(|it| known.contains(it)), "{places:?}");
}
