//! The shared cache through the real binary: two machines have a store between them, and an
//! attacker controls the store. The artifacts are always those of a build without a cache.
//!
//! `tests/shared_cache/run.sh` does it with real servers.

use std::collections::BTreeMap;
use std::fs;

use edgec_tests::redis::Redis;
use edgec_tests::{Sandbox, hello};
use serde_json::Value;

/// What each build has, beside its cache.
const COMMON: [&str; 7] = [
    "--key",
    "key.pem",
    "-t",
    "x86_64,aarch64",
    "--format",
    "json",
    "--cache-scope=test",
];
const TRUST: [&str; 2] = ["--cache-trust", "cache.pub.pem"];
const WRITE: [&str; 3] = ["--cache-write", "--cache-key", "cache.pem"];

type Objects = BTreeMap<String, Vec<u8>>;

struct Built {
    artifacts: [Vec<u8>; 2],
    misses: u64,
    shared: u64,
    warnings: String,
}

/// Builds `hello.wat` on a machine whose folder is `folder`.
fn build(sandbox: &Sandbox, folder: &str, redis: &Redis, options: &[&[&str]]) -> Built {
    let url = redis.url();
    let cache = ["--cache", folder, "--cache", &url];
    run(
        sandbox,
        "hello.wat",
        &[&cache[..], &options.concat()].concat(),
    )
}

fn run(sandbox: &Sandbox, app: &str, options: &[&str]) -> Built {
    let arguments = [&["build", app, "-o", "out/"][..], &COMMON, options].concat();
    let output = sandbox.run(&arguments);
    let warnings = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{options:?}: {warnings}");
    let printed = String::from_utf8(output.stdout).unwrap();
    for text in [&warnings, &printed] {
        assert!(!text.contains("s3cret"), "{text}");
    }
    let summary: Value = serde_json::from_str(&printed).unwrap();
    let cache = &summary["cache"];
    let stem = app.strip_suffix(".wat").unwrap();
    Built {
        artifacts: ["x86_64", "aarch64"]
            .map(|cpu| sandbox.read(&format!("out/{stem}.{cpu}.cwasm"))),
        misses: cache["misses"].as_u64().unwrap_or(0),
        shared: cache["shared"]["hits"].as_u64().unwrap_or(0),
        warnings,
    }
}

fn uncached(sandbox: &Sandbox) -> [Vec<u8>; 2] {
    run(sandbox, "hello.wat", &["--no-cache"]).artifacts
}

/// A sandbox with a program, the key of a writer, and a key that is not trusted.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("hello.wat", fs::read(hello()).unwrap());
    for key in ["cache.pem", "other.pem"] {
        sandbox.ok(&["keygen", "-o", key]);
    }
    sandbox
}

/// The name and the content of the only pack, and the name of the only line.
fn found(objects: &Objects) -> (String, Vec<u8>, String) {
    let of = |folder: &str| {
        let mut names = objects.keys().filter(|name| name.contains(folder));
        let name = names.next().unwrap();
        assert!(names.next().is_none(), "{:?}", objects.keys());
        name.clone()
    };
    let pack = of("/packs/");
    let bytes = objects[&pack].clone();
    (pack, bytes, of("/lines/"))
}

#[test]
fn a_second_machine_takes_every_step_with_one_request() {
    let (sandbox, redis) = (sandbox(), Redis::new());
    let expected = uncached(&sandbox);
    let first = build(&sandbox, "one", &redis, &[&TRUST, &WRITE]);
    assert!(first.artifacts == expected);
    assert_eq!((first.shared, first.warnings.as_str()), (0, ""));
    let verbs: Vec<String> = redis.asked().into_iter().map(|(verb, _)| verb).collect();
    // The pack of these inputs and that of the line are not there. Then both are written.
    assert_eq!(verbs, ["GET", "GET", "SET", "SET"]);
    let (pack, _, line) = found(&redis.objects());
    assert!(pack.starts_with("shared/v1/build/packs/"), "{pack}");
    assert!(line.starts_with("shared/v1/build/lines/"), "{line}");

    let second = build(&sandbox, "two", &redis, &[&TRUST]);
    assert!(second.artifacts == expected);
    assert_eq!((second.misses, second.warnings.as_str()), (0, ""));
    assert!(second.shared > 2, "{}", second.shared);
    assert_eq!(redis.asked(), [("GET".to_owned(), pack)]);
    // Its own folder has everything now, and the store is not asked.
    let again = build(&sandbox, "two", &redis, &[&TRUST, &WRITE]);
    assert!(again.artifacts == expected);
    assert_eq!((again.misses, again.shared), (0, 0));
    assert!(redis.asked().is_empty());
}

#[test]
fn a_build_reads_only_what_is_trusted_and_writes_only_when_asked() {
    let (sandbox, redis) = (sandbox(), Redis::new());
    let expected = uncached(&sandbox);
    // A key alone is not the wish to write: a pull request may have the same options.
    let key = ["--cache-key", "cache.pem"];
    build(&sandbox, "one", &redis, &[&TRUST, &key]);
    assert_eq!(redis.objects(), Objects::new());
    // A build that only writes needs no trusted key.
    build(&sandbox, "two", &redis, &[&WRITE]);
    found(&redis.objects());
    let distrusting = build(
        &sandbox,
        "three",
        &redis,
        &[&["--cache-trust", "other.pub.pem"]],
    );
    assert!(distrusting.artifacts == expected);
    assert_eq!(distrusting.shared, 0);
    assert_one(&distrusting.warnings, "cache-refused");
    // Release builds have a folder of their own, and a namespace in every key of this machine too.
    redis.asked();
    let release = ["--cache-namespace", "release"];
    let of_release = build(&sandbox, "two", &redis, &[&TRUST, &release]);
    assert!(of_release.artifacts == expected);
    assert_eq!(of_release.shared, 0);
    assert!(of_release.misses > 2, "{}", of_release.misses);
    let asked = redis.asked();
    assert!(
        asked.iter().all(|(_, name)| name.contains("/release/")),
        "{asked:?}"
    );
}

fn assert_one(warnings: &str, code: &str) {
    assert_eq!(warnings.matches("warning").count(), 1, "{warnings}");
    assert!(
        warnings.contains(&format!("warning[{code}]: ")),
        "{warnings}"
    );
    assert!(warnings.contains("redis://127.0.0.1:"), "{warnings}");
}

/// Changes a pack.
type Attack = fn(&mut Vec<u8>);

#[test]
fn no_attack_on_the_store_changes_an_artifact() {
    let (sandbox, redis) = (sandbox(), Redis::new());
    let expected = uncached(&sandbox);
    build(&sandbox, "one", &redis, &[&WRITE]);
    let genuine = redis.objects();
    let (pack, bytes, _) = found(&genuine);
    // The same pack, signed by another key, and one of another namespace.
    redis.replace(Objects::new());
    let other = ["--cache-write", "--cache-key", "other.pem"];
    build(&sandbox, "other", &redis, &[&other]);
    let (_, by_other, _) = found(&redis.objects());
    redis.replace(Objects::new());
    let release = ["--cache-namespace", "release"];
    build(&sandbox, "release", &redis, &[&WRITE, &release]);
    let (_, of_release, _) = found(&redis.objects());

    let attacks: [(&str, Attack); 7] = [
        ("emptied", Vec::clear),
        ("truncated", |pack| pack.truncate(pack.len() - 1)),
        ("cut in the index", |pack| pack.truncate(100)),
        ("longer", |pack| pack.push(0)),
        ("another signature", |pack| {
            let key = b"\"sig\":\"";
            let place = pack
                .windows(key.len())
                .position(|part| part == key)
                .unwrap();
            let letter = &mut pack[place + key.len()];
            *letter = if *letter == b'A' { b'B' } else { b'A' };
        }),
        ("another index", |pack| pack[200] ^= 1),
        ("a gigabyte is promised", |pack| pack[16..20].fill(0xff)),
    ];
    let mut attacked: Vec<(&str, Vec<u8>)> = attacks
        .into_iter()
        .map(|(name, attack)| {
            let mut pack = bytes.clone();
            attack(&mut pack);
            (name, pack)
        })
        .collect();
    attacked.push(("signed by someone else", by_other));
    attacked.push(("of another namespace", of_release));
    for (number, (name, attacked)) in attacked.into_iter().enumerate() {
        let mut objects = genuine.clone();
        objects.insert(pack.clone(), attacked);
        redis.replace(objects);
        let folder = format!("attacked{number}");
        let built = build(&sandbox, &folder, &redis, &[&TRUST]);
        assert!(built.artifacts == expected, "{name}");
        assert_eq!(built.shared, 0, "{name}");
        assert_one(&built.warnings, "cache-refused");
    }
    // Each byte of the answers is covered: what is damaged is found out again.
    let mut damaged = bytes.clone();
    let begin = damaged.len() / 2;
    damaged[begin..]
        .iter_mut()
        .step_by(50)
        .for_each(|byte| *byte ^= 1);
    redis.replace([(pack, damaged)].into());
    let built = build(&sandbox, "damaged", &redis, &[&TRUST]);
    assert!(built.artifacts == expected);
    assert!(built.misses > 0);
    assert_one(&built.warnings, "cache-refused");
}

/// The functions of another project do not count, also if its pack becomes the newest.
#[test]
fn functions_never_cross_projects() {
    let (sandbox, redis) = (sandbox(), Redis::new());
    let program =
        |number: u32| format!("(module (func (export \"run\") (result i32) (i32.const {number})))");
    sandbox.write("hello.wat", program(1));
    build(&sandbox, "one", &redis, &[&WRITE]);
    let genuine = redis.objects();
    let (pack, ..) = found(&genuine);
    redis.asked();
    sandbox.write("hello.wat", program(2));
    let own = build(&sandbox, "two", &redis, &[&TRUST]);
    assert!(own.shared > 0, "the functions of the same project");
    redis.asked();
    let project = ["--cache-scope", "another"];
    let url = redis.url();
    let attacked = |folder: &str| {
        let cache = ["--cache", folder, "--cache", &url, TRUST[0], TRUST[1]];
        let common = ["build", "hello.wat", "-o", "out/", "--key", "key.pem"];
        let format = ["-t", "x86_64", "--format", "json"];
        let said = sandbox.ok(&[&common[..], &format, &cache, &project].concat());
        let summary: Value = serde_json::from_str(&said).unwrap();
        summary["cache"]["shared"]["hits"].as_u64().unwrap()
    };
    assert_eq!(attacked("three"), 0);
    let asked = redis.asked();
    let (_, line) = asked.last().unwrap();
    assert!(line.contains("/lines/"), "{asked:?}");
    let mut objects = genuine.clone();
    let name = pack.rsplit('/').next().unwrap();
    objects.insert(line.clone(), name.as_bytes().to_vec());
    redis.replace(objects);
    assert_eq!(attacked("four"), 0);
    let asked = redis.asked();
    assert!(asked.contains(&("GET".to_owned(), pack)), "{asked:?}");
}

#[test]
fn a_dead_store_costs_one_warning() {
    let sandbox = sandbox();
    let expected = uncached(&sandbox);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("redis://:s3cret@127.0.0.1:{port}");
    let built = |folder: &str| {
        let cache = ["--cache", folder, "--cache", &url, "--cache-deadline", "1"];
        run(
            &sandbox,
            "hello.wat",
            &[&cache[..], &TRUST, &WRITE].concat(),
        )
    };
    // It takes the connection, and never answers.
    let silent = built("one");
    assert!(silent.artifacts == expected);
    assert_one(&silent.warnings, "cache-late");
    drop(listener);
    let dead = built("two");
    assert!(dead.artifacts == expected);
    assert_one(&dead.warnings, "cache-store");
}

#[test]
fn what_cannot_be_meant_is_an_error_before_any_work() {
    let sandbox = sandbox();
    for (options, code) in [
        (
            &["--cache", "http://:s3cret@host", TRUST[0], TRUST[1]][..],
            "cache-scheme",
        ),
        (
            &["--cache", "redis://:s3cret@host:port", TRUST[0], TRUST[1]],
            "cache-url",
        ),
        (
            &["--cache", "s3://key:s3cret@bucket", TRUST[0], TRUST[1]],
            "cache-url",
        ),
        (&["--cache", "redis://:s3cret@host"], "cache-trust"),
        (
            &["--cache", "redis://a", "--cache", "s3://b"],
            "cache-twice",
        ),
        (&["--cache", "a", "--cache", "b"], "cache-twice"),
        (&["--cache", "redis://host", "--cache-write"], "cache-key"),
        (&["--cache-namespace", "../x"], "cache-namespace"),
    ] {
        let build = ["build", "hello.wat", "--key", "key.pem"];
        let said = sandbox.fails(2, &[&build[..], options].concat());
        assert!(
            said.contains(&format!("error[{code}]: ")),
            "{options:?}: {said}"
        );
        assert!(!said.contains("s3cret"), "{said}");
    }
    let pruned = sandbox.fails(2, &["cache", "prune", "--cache", "redis://host"]);
    assert!(pruned.contains("error[cache-shared]: "), "{pruned}");
    let listed = sandbox.fails(3, &["cache", "stats", "--cache", "redis://host"]);
    assert!(listed.contains("error[cache-store]: "), "{listed}");
    // A cache that is off is not looked at.
    let off = ["--cache", "off", "--cache", "http://host"];
    sandbox.ok(&[&["build", "hello.wat", "--key", "key.pem"][..], &off].concat());
}

/// The variables mean the same as the options. The password may have a variable of its own.
#[test]
fn variables_name_the_shared_cache() {
    let (sandbox, redis) = (sandbox(), Redis::new());
    let url = redis.url().replace("edgec:s3cret@", "");
    let built = |folder: &str, variables: &[(&str, &str)]| {
        let build = ["build", "hello.wat", "-o", "out/", "--key", "key.pem", "-q"];
        let mut command = sandbox.command(&build);
        let output = command
            .env("EDGEC_CACHE", folder)
            .env("EDGEC_CACHE_URL", &url)
            .env("EDGEC_CACHE_PASSWORD", "s3cret")
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        assert_eq!(said, "");
    };
    let pem = String::from_utf8(sandbox.read("cache.pem")).unwrap();
    built(
        "one",
        &[
            ("EDGEC_CACHE_WRITE", "true"),
            ("EDGEC_CACHE_KEY", "env:WRITER"),
            ("WRITER", &pem),
        ],
    );
    let (pack, ..) = found(&redis.objects());
    redis.asked();
    built(
        "two",
        &[("EDGEC_CACHE_TRUST", "other.pub.pem,cache.pub.pem")],
    );
    assert_eq!(redis.asked(), [("GET".to_owned(), pack)]);
}
