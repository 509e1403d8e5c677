//! Two verifiers that share no code apply one policy alike (see `agreement.rs`).

use edgec_artifact::{Artifact, Statement};
use edgec_tests::Sandbox;
use edgec_tests::interop::{Case, Trust, check_agreement, python};

/// Fields for which the artifact is accepted. Each is added after the fields of a `[[key]]`.
const ACCEPTED: &[&str] = &[
    "",
    "not-before = 2020-01-01T00:00:00Z\nexpires = 2999-01-01T00:00:00Z",
    "applications = ['h*o', 'x']\ntargets = ['*']\nchannels = ['*']",
    "[[scope]]\napplications = ['other']\nthreshold = 1\nkeys = ['k']",
    "[[scope]]\napplications = ['hello']\nthreshold = 1",
    "[allow]\napplications = ['*e*l*o']\nimports = ['wasi:*@0.2.*']\nprofiles = ['default']",
    "[minimum-version]\nhello = 0\nother = 5",
    "[compiler]\nminimum = '48.0.0'",
    "[compiler]\nadvisories = true",
    "[compiler]\naudit = false",
    "[compiler]\naudit = true\n[checks]\naudit = 'off'",
    "[allow]\ntargets = ['x86_64*', 'aarch64*']",
    "[allow]\ntargets = ['x86-64', 'arm64']\nprofiles = ['def*']\nchannels = ['']",
    "[[compiler.deny]]\nbefore = '48.0.8'\ntargets = ['*-linux-gnu']\nreason = ''",
    "[[compiler.deny]]\nbefore = '48.0.0'\nreason = ''",
    "[[compiler.deny]]\nfrom = '48.0.0'\ntargets = ['znver5', 'turin', 'ampere1']\nreason = ''",
    "[validity]\nexpiry-required = false",
    "[validity]\nexpiry-required = true\n[checks]\nexpiry = 'warn'",
    "[allow]\nimports = []\n[checks]\nimports = 'off'",
    "[provenance]\n[checks]\nprovenance = 'off'",
    "[provenance]\nkeys = ['k']\n[checks]\nprovenance = 'warn'",
    "[checks]\nprovenance = 'off'",
    "[builder]\nminimum = '0.1.0'",
    "[builder]\nminimum = '99.0.0'\n[checks]\nbuilder = 'warn'",
    "algorithms = ['ed25519']",
    "applications = ['h*', 'x']\n[allow]\napplications = ['*llo']",
    "[[scope]]\nthreshold = 1\napplications = ['x']\n[allow]\napplications = ['hello']\n[checks]\napplication = 'warn'",
    "targets = ['x86_64*']\n[allow]\ntargets = ['amd64', 'aarch64*']",
    "[[reset]]\nnumber = 1\napplication = 'hello'\nversion = 1\nserial = 0\n[allow]\napplications = ['h*']",
];

/// Policies that refuse the artifact, because of a rule or because they are malformed.
const REFUSED: &[&str] = &[
    "not-before = 2999-01-01T00:00:00Z",
    "expires = 2020-01-01T00:00:00Z",
    "expires = 2999-01-01",
    "expires = 2999-01-01T00:00:00",
    "expires = 2999-01-01T00:00:00+02:00",
    "expires = 2999-01-01T00:00:00.5Z",
    "applications = ['hell']",
    "applications = []",
    "applications = 'hello'",
    "targets = ['quantum']",
    "channels = ['stable']",
    "mode = 'off'",
    "[[key]]\nname = 'k2'\npem = ''",
    "[[scope]]\napplications = ['hello']\nthreshold = 2",
    "[[scope]]\nthreshold = 0",
    "[[scope]]\nthreshold = 1\nkeys = ['nobody']",
    "[allow]\napplications = []",
    "[allow]\nchannels = ['stable']",
    "[allow]\ntargets = ['other']",
    "[[compiler.deny]]\nfrom = '48.0.8'\ntargets = ['*-linux-gnu']\nreason = ''",
    "[allow]\nprofiles = ['pooling']",
    "[allow]\nimports = ['wasi:cli/*']",
    "[allow]\nexports = ['*']",
    "[minimum-version]\nhello = 1",
    "[minimum-version]\nhello = -1",
    "[compiler]\nminimum = '48.0.99'",
    "[compiler]\naudit = 1",
    "[compiler]\nminimum = '48.0'",
    "[compiler]\nminimum = '48.0.08'",
    "[[compiler.deny]]\nfrom = '48.0.0'\nreason = ''",
    "[[compiler.deny]]\nfrom = '48.0.0'",
    "[[compiler.deny]]\nreason = ''",
    "[validity]\nexpiry-required = true",
    "[validity]\nexpiry-required = 'yes'",
    "[checks]\nsignatures = 'off'",
    "[checks]\nexpiry = 'OFF'",
    "[minimum-version]\n'hell*' = 0",
    "[[compiler.deny]]\nbefore = '1.0.0'\ntargets = []\nreason = ''",
    "[[compiler.deny]]\nbefore = '1.0.0'\nreason = \"a\\nb\"",
    "[[compiler.deny]]\nbefore = '1.0.1000000000'\nreason = ''",
    "expires = 2999-01-01T23:59:60Z",
    "[[revoked-key]]\nid = 'abc'\nreason = ''",
    "[[compiler.deny]]\nfrom = '1.0.0'\nbefore = '1.0.0'\nreason = ''",
    "[[compiler.deny]]\nbefore = '0.0.0'\nreason = ''",
    "[[compiler.deny]]\nfrom = '1.0.0'\ntargets = ['other']\nreason = ''",
    "[[compiler.deny]]\nfrom = '48.0.0'\ntargets = ['amd64', 'arm64']\nreason = ''",
    "[allow]\nprofiles = ['default', 'egde']",
    "[allow]\napplications = ['hello', '/acme/*']",
    "[[scope]]\nthreshold = 1\napplications = ['acme/']",
    "[[scope]]\nthreshold = 1\napplications = ['']",
    "[[scope]]\nthreshold = 1\nchannels = ['a\\b']",
    "[provenance]",
    "[provenance]\nbuilder = []\n[checks]\nprovenance = 'off'",
    "[provenance]\nsource = []\n[checks]\nprovenance = 'off'",
    "[provenance]\nkeys = []\n[checks]\nprovenance = 'off'",
    "[provenance]\nkeys = ['nobody']\n[checks]\nprovenance = 'off'",
    "[provenance]\nrevision = ['x']\n[checks]\nprovenance = 'off'",
    "[checks]\nprovenance = 'enforce'",
    "[checks]\nprovenance = 'warn'",
    "[builder]\nminimum = '99.0.0'",
    "[builder]\nminimum = '0.1'",
    "algorithms = ['ml-dsa-65']",
    "algorithms = ['ed25519', 'ml-dsa-65']",
    "algorithms = []",
    "algorithms = ['rsa']",
    "not-before = 2030-01-01T00:00:00Z\nexpires = 2030-01-01T00:00:00Z",
    "[[scope]]\nthreshold = 1\napplications = ['x*y']\n[allow]\napplications = ['hello', 'x*z']",
    "[[scope]]\nthreshold = 1\ntargets = ['aarch64*']\n[allow]\ntargets = ['amd64']",
    "[minimum-version]\nhelo = 0\n[allow]\napplications = ['hello']",
    "[[reset]]\nnumber = 1\napplication = 'helo'\nversion = 1\nserial = 1\n[allow]\napplications = ['hello']",
    "[[reset]]\nnumber = 0\napplication = 'hello'\nversion = 1\nserial = 1",
    "[[reset]]\nnumber = 1\napplication = 'hello'\nversion = 1",
    "[[reset]]\nnumber = 1\napplication = 'hello'\nserial = 1",
    "[reset-clock]\nnumber = 9007199254740992\nto = 2026-01-01T00:00:00Z",
    "[reset-clock]\nnumber = 0\nto = 2026-01-01T00:00:00Z",
    "[[revoked-key]]\nid = 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff'\nreason = ''\n[[revoked-key]]\nid = 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff'\nreason = ''\nrevoked-from = 2026-01-01T00:00:00Z",
];

#[test]
fn both_apply_a_policy_alike() {
    if python().is_none() {
        return;
    }
    let sandbox = Sandbox::new();
    let file = sandbox.hello();
    let pem = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
    let artifact = Artifact::decode(&file).unwrap();
    let signer = artifact.envelope().signatures()[0].key_id();
    let Statement { manifest } = Statement::decode(artifact.envelope().payload()).unwrap();
    let digest = manifest.image.fsverity;

    let rules = |rules: &[&str], accepted| -> Vec<(String, bool)> {
        let rule = |rule: &&str| ((*rule).to_owned(), accepted);
        rules.iter().map(rule).collect()
    };
    let mut policies = rules(ACCEPTED, true);
    policies.extend(rules(REFUSED, false));
    for (of, named, accepted) in [
        ("key", format!("id = '{signer}'"), false),
        ("key", format!("id = '{digest}'"), true),
        ("digest", format!("fsverity = '{digest}'"), false),
        ("digest", format!("fsverity = '{signer}'"), true),
    ] {
        let rule = format!("[[revoked-{of}]]\n{named}\nreason = 'a test'");
        policies.push((rule, accepted));
    }
    let policies = policies.into_iter().enumerate();
    let cases = policies.map(|(number, (rule, accepted))| {
        let key = format!("[[key]]\nname = 'k'\npem = '''\n{pem}'''\n");
        let policy = format!("threshold = 1\n{key}{rule}\n");
        let path = sandbox.write(&format!("{number}.toml"), policy);
        Case {
            name: rule,
            file: file.clone(),
            trust: Trust::Policy(path),
            arguments: Vec::new(),
            accepted: Some(accepted),
        }
    });
    check_agreement(cases);
}

/// Both judge an artifact with its provenance alike.
#[test]
fn both_judge_a_provenance_alike() {
    if python().is_none() {
        return;
    }
    let sandbox = Sandbox::new();
    let read = |name: &str| String::from_utf8(sandbox.read(name)).unwrap();
    let stated = ["-q", "--builder-id", "https://ci.example.com/1"];
    let source = ["--source-repository", "https://git.example.com/shop"];
    let built = sandbox.hello_with(&[&stated[..], &source, &["--provenance"]].concat());
    assert!(built.status.success(), "{built:?}");
    let file = sandbox.read("hello.cwasm");
    let right = read("hello.provenance.json");
    sandbox.ok(&["sign-blob", "hello.cwasm", "--key", "key.pem"]);
    let blob = read("hello.cwasm.dsse.json");
    let built = sandbox.hello_with(&["-q", "-O0", "--provenance"]);
    assert!(built.status.success(), "{built:?}");
    let other = read("hello.provenance.json");
    let pem = read("key.pub.pem");
    // DSSE allows other spellings of an envelope.
    let spaced = right.replace("\"signatures\":", " \"more\": [1], \"signatures\" : ");
    let many = ["{\"sig\":\"\"}"; 16].join(",");
    let many = right.replace("\"signatures\":[", &format!("\"signatures\":[{many},"));
    let long = right.replace("\"sig\":\"", "\"sig\":\"AAAA");
    let mistyped = right.replace("in-toto", "other");
    let any = "[provenance]";
    let mut cases = Vec::new();
    let judged: &[(&str, &str, bool)] = &[
        ("", right.as_str(), true),
        ("", &other, false),
        (any, &right, true),
        (any, &spaced, true),
        (any, &other, false),
        (any, &blob, false),
        (any, &many, false),
        (any, &long, false),
        (any, &mistyped, false),
        (any, "{}", false),
        (any, "[]", false),
        (any, "", false),
        (
            "[provenance]\nbuilder = ['https://ci.example.com/*']",
            &right,
            true,
        ),
        (
            "[provenance]\nbuilder = ['https://ci.example.com/']",
            &right,
            false,
        ),
        ("[provenance]\nsource = ['x', '*/shop']", &right, true),
        ("[provenance]\nsource = ['*/blog']", &right, false),
        ("[provenance]\nkeys = ['k']", &right, true),
        (
            "[provenance]\nbuilder = ['x']\n[checks]\nprovenance = 'warn'",
            &right,
            true,
        ),
    ];
    for (number, (rule, provenance, accepted)) in judged.iter().enumerate() {
        let key = format!("[[key]]\nname = 'k'\npem = '''\n{pem}'''\n");
        let policy = format!("threshold = 1\n{key}{rule}\n");
        let policy = sandbox.write(&format!("{number}.toml"), policy);
        let provenance = sandbox.write(&format!("{number}.json"), provenance);
        let provenance = provenance.to_str().unwrap().to_owned();
        cases.push(Case {
            name: format!("{number}: {rule}"),
            file: file.clone(),
            trust: Trust::Policy(policy),
            arguments: vec!["--provenance".to_owned(), provenance],
            accepted: Some(*accepted),
        });
    }
    check_agreement(cases);
}

#[test]
fn both_judge_a_bill_of_materials_alike() {
    if python().is_none() {
        return;
    }
    let sandbox = Sandbox::new();
    let built = sandbox.hello_with(&["-q", "--provenance", "--sbom", "spdx,cyclonedx"]);
    assert!(built.status.success(), "{built:?}");
    let file = sandbox.read("hello.cwasm");
    let with = sandbox.path().join("hello.provenance.json");
    let kept = sandbox.write("kept.json", sandbox.read("hello.provenance.json"));
    let built = sandbox.hello_with(&["-q", "--provenance"]);
    assert!(built.status.success(), "{built:?}");
    let without = sandbox.write("without.json", sandbox.read("hello.provenance.json"));
    sandbox.write("hello.provenance.json", sandbox.read("kept.json"));
    assert_eq!(std::fs::read(&with).unwrap(), std::fs::read(&kept).unwrap());
    let other = sandbox.write("other.cdx.json", "{}");
    let [first, second] = ["hello.cdx.json", "hello.spdx.json"].map(|it| sandbox.path().join(it));
    let pem = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
    let key = format!("[[key]]\nname = 'k'\npem = '''\n{pem}'''\n");
    let mut cases = Vec::new();
    let (any, sbom) = ("[provenance]", "[provenance]\nsbom = true");
    for (number, (rule, provenance, sboms, accepted)) in [
        (sbom, &with, vec![&first], true),
        (sbom, &with, vec![&second], true),
        (sbom, &with, vec![&other, &second], true),
        (sbom, &with, vec![&other], false),
        (sbom, &with, vec![], false),
        (sbom, &without, vec![&first], false),
        (any, &with, vec![], true),
        (any, &with, vec![&first], true),
        (any, &with, vec![&other], false),
        ("", &without, vec![&first], false),
        ("[provenance]\nsbom = false", &without, vec![], true),
        ("[provenance]\nsbom = 1", &with, vec![&first], false),
    ]
    .into_iter()
    .enumerate()
    {
        let policy = format!("threshold = 1\n{key}{rule}\n");
        let policy = sandbox.write(&format!("{number}.toml"), policy);
        let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
        let mut arguments = vec!["--provenance".to_owned(), text(provenance)];
        for path in sboms {
            arguments.extend(["--sbom".to_owned(), text(path)]);
        }
        cases.push(Case {
            name: format!("{number}: {rule}"),
            file: file.clone(),
            trust: Trust::Policy(policy),
            arguments,
            accepted: Some(accepted),
        });
    }
    check_agreement(cases);
}
