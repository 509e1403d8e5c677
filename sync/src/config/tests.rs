//! What a `FLEET.toml` may hold.

use std::time::Duration;

use super::*;

const APPLICATION: &str =
    "[[application]]\nname = \"shop\"\nreference = \"registry.example/shop:stable\"\n";

fn parse(text: &str) -> Result<FleetConfig, ConfigError> {
    FleetConfig::from_toml(text)
}

/// The line and the text of the error in a file.
fn error(text: &str) -> (usize, String) {
    let error = parse(text).unwrap_err();
    (
        error.place().map_or(0, |place| place.line),
        error.to_string(),
    )
}

#[test]
fn the_shortest_file_has_defaults() {
    let config = parse(&format!("schema = 1\n{APPLICATION}")).unwrap();
    assert_eq!((config.keep, config.poll.concurrency), (2, 4));
    assert_eq!(config.poll.interval.get(), Duration::from_secs(30));
    let [application] = &config.applications[..] else {
        panic!("{config:?}");
    };
    assert_eq!(application.label(), "shop");
    assert_eq!(application.profile, ProfileName::Edge);
    assert!(application.gate.is_none() && application.rollout.waves.is_empty());
    let places = application.places(&["cache:5000".to_owned()]);
    assert_eq!(
        places,
        ["cache:5000/shop:stable", "registry.example/shop:stable"]
    );
}

#[test]
fn the_whole_file_is_read() {
    let text = format!(
        r#"schema = 1
name = "pop-7"
host = "host.toml"
state = "state"
status = "127.0.0.1:9600"
keep = 3
[policy]
file = "trust.toml"
roots = ["root.pub.pem"]
state = "newest"
[poll]
interval = "5s"
jitter = 0
concurrency = 2
backoff = "1min"
[registry]
plain-http = true
ca = ["ca.pem"]
mirrors = ["cache-1:5000", "cache.example", "LOCALHOST", "[::1]:5000", "a.b/c"]
differences = false
[rollout]
salt = "acme"
fixed = true
first = "in-waves"
waves = [{{ share = 0, hosts = ["pop-1"], pause = "10min" }}, {{ share = 1 }}]
[gate]
command = ["/bin/true", "{{application}}"]
metrics = {{ url = "http://127.0.0.1:9090", max-error-share = 0.05, max-p99-ratio = 2 }}
for = "30s"
every = "1s"
timeout = "2s"
failures = 1
[log]
format = "json"
[[watch]]
host = "pop-1"
url = "http://10.0.0.1:9600"
patience = "1h"
{APPLICATION}channel = "stable"
profile = "default"
[[application]]
name = "shop"
channel = "next"
reference = "oci-layout:layout:next"
rollout = {{ waves = [] }}
gate = {{ command = ["sh", "-c", "true"] }}
"#
    );
    let mut config = parse(&text).unwrap();
    config.in_folder(Path::new("/etc/edgec"));
    assert_eq!(
        config.host.as_deref(),
        Some(Path::new("/etc/edgec/host.toml"))
    );
    assert_eq!(config.registry.ca, [Path::new("/etc/edgec/ca.pem")]);
    let policy = config.policy.as_ref().unwrap();
    assert_eq!(policy.file, Path::new("/etc/edgec/trust.toml"));
    assert_eq!(config.log.format, LogFormat::Json);
    let [stable, next] = &config.applications[..] else {
        panic!("{config:?}");
    };
    assert_eq!(
        (stable.label(), next.label()),
        ("shop@stable".to_owned(), "shop@next".to_owned())
    );
    assert_eq!(stable.rollout.waves.len(), 2);
    assert_eq!(stable.gate.as_ref().unwrap().failures, 1);
    assert!(next.rollout.waves.is_empty());
    assert_eq!(next.gate.as_ref().unwrap().failures, 3);
    assert_eq!(
        next.reference.to_string(),
        "oci-layout:/etc/edgec/layout:next"
    );
    // A folder has no mirror.
    assert_eq!(next.places(&config.registry.mirrors).len(), 1);
}

#[test]
fn an_error_has_its_place_and_says_what_to_write() {
    assert!(matches!(
        parse(""),
        Err(ConfigError::Text(TextError::NoSchema { expected: 1 }))
    ));
    assert!(matches!(
        parse("schema = 1"),
        Err(ConfigError::NoApplication)
    ));
    let same = error(&format!("schema = 1\n{APPLICATION}{APPLICATION}"));
    assert_eq!(same.0, 5);
    assert!(
        same.1.contains("two applications have the name `shop`"),
        "{}",
        same.1
    );
    for (line, says) in [
        ("keep = 1", "write 2 or more"),
        ("name = \"a b\"", "write a host name"),
        ("nam = \"a\"", "unknown name `nam`; did you mean `name`?"),
        ("status = \"9600\"", "write an IP address and a port"),
        (
            "poll = { interval = \"0s\" }",
            "0 is too small: write a duration",
        ),
        (
            "poll = { interval = \"10m\" }",
            "its unit is ms, s, min, h or d",
        ),
        ("poll = { interval = 10 }", "write a duration"),
        ("poll = { interval = \"400d\" }", "366 days is the limit"),
        ("poll = { concurrency = 0 }", "write a number from 1 to 64"),
        (
            "registry = { mirrors = [\"cache:5000\", \"http://x\"] }",
            "write a host, such as",
        ),
        ("registry = { mirrors = [\"???\"] }", "write a host"),
        ("registry = { mirrors = [\"\"] }", "write a host"),
        ("registry = { mirrors = [\"a.b/C\"] }", "write a host"),
        ("registry = { mirrors = [\"a.b/\"] }", "write a host"),
        ("registry = { mirrors = [\"a.b:0\"] }", "write a host"),
        (
            "registry = { mirrors = [\"oci-layout:a\"] }",
            "write a host",
        ),
        (
            "registry = { mirrors = [\"cache\"] }",
            "a name without a dot needs a port",
        ),
        ("poll = { jitter = 2 }", "write a number from 0 to 1"),
        (
            "rollout = { waves = [{ share = 0.5 }] }",
            "the last wave needs `share = 1.0`",
        ),
        (
            "rollout = { waves = [{ share = 1 }, { share = 0.5 }] }",
            "wave 1 has a smaller share",
        ),
        ("gate = {}", "write `command` or `metrics`"),
        ("gate = { command = [\"\"] }", "write the path of a program"),
        (
            "gate = { command = [\"a\"], failures = 0 }",
            "write 1 or more in `failures`",
        ),
        (
            "gate = { metrics = { max-p99-ratio = 0.5 } }",
            "write 1.0 or more in `max-p99-ratio`",
        ),
        (
            "gate = { metrics = { url = \"https://x\" } }",
            "write an address with http",
        ),
        (
            "gate = { metrics = { url = \"x\" } }",
            "write an address, such as",
        ),
        (
            "gate = { metrics = { url = \"unix:x\" } }",
            "write an address, such as",
        ),
        (
            "watch = [{ host = \"\", url = \"http://x\" }]",
            "write in `host` the name",
        ),
        ("policy = { }", "`file` is missing"),
        ("application = 1", "write"),
    ] {
        let text = match line.starts_with("application") {
            true => format!("schema = 1\n{line}\n"),
            false => format!("schema = 1\n{line}\n{APPLICATION}"),
        };
        let (at, found) = error(&text);
        assert_eq!(at, 2, "{line}: {found}");
        assert!(found.contains(says), "{line}: {found}");
    }
    let twice = "[[watch]]\nhost = \"a\"\nurl = \"http://x\"\n".repeat(2);
    let (_, found) = error(&format!("schema = 1\n{APPLICATION}{twice}"));
    assert!(found.contains("is watched twice"), "{found}");
    for (entry, says) in [
        ("name = \"\"\nreference = \"a.b/c\"", "name"),
        ("name = \"a\"\nreference = \"\"", "write a reference"),
        ("name = \"a\"\nreference = \"team/shop\"", "`team/shop`"),
        (
            "name = \"a\"\nreference = \"https://a.b/shop\"",
            "`https://`",
        ),
        (
            "name = \"a\"\nreference = \"a.b/c\"\ngate = {}",
            "write `command` or `metrics`",
        ),
        ("name = \"a\"", "`reference` is missing"),
    ] {
        let (at, found) = error(&format!("schema = 1\n[[application]]\n{entry}\n"));
        assert!(at >= 2 && found.contains(says), "{entry}: {at} {found}");
    }
    let many =
        "[[application]]\nname = \"a\"\nreference = \"a.b/c\"\n".repeat(MOST_APPLICATIONS + 1);
    let many = parse(&format!("schema = 1\n{many}"));
    assert!(matches!(
        many,
        Err(ConfigError::TooManyApplications { .. } | ConfigError::Text(TextError::TooLong { .. }))
    ));
}

#[test]
fn addresses_are_read() {
    for (text, shown) in [
        (
            "http://127.0.0.1:9090/metrics",
            "http://127.0.0.1:9090/metrics",
        ),
        ("http://pop-1.example", "http://pop-1.example:80/"),
        ("http://[::1]:9600/x", "http://[::1]:9600/x"),
        ("http://[::1]", "http://[::1]:80/"),
        ("unix:/run/admin.sock", "unix:/run/admin.sock"),
    ] {
        assert_eq!(Url::read(text).unwrap().to_string(), shown);
    }
    for text in [
        "",
        "http://",
        "http://a:b/",
        "http://u@a/",
        "ftp://a",
        "http://a b/",
        "unix:",
    ] {
        assert!(Url::read(text).is_err(), "{text}");
    }
}

/// The published schema, as an editor reads it, has the names that the parser knows.
#[test]
fn the_schema_has_the_same_names() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/schema/fleet.toml.json"
    );
    let schema: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for (table, pointer) in [
        ("", "/properties"),
        ("[policy]", "/properties/policy/properties"),
        ("[poll]", "/properties/poll/properties"),
        ("[registry]", "/properties/registry/properties"),
        ("[rollout]", "/$defs/rollout/properties"),
        (
            "[[rollout.waves]]",
            "/$defs/rollout/properties/waves/items/properties",
        ),
        ("[gate]", "/$defs/gate/properties"),
        (
            "[gate.metrics]",
            "/$defs/gate/properties/metrics/properties",
        ),
        ("[log]", "/properties/log/properties"),
        ("[[watch]]", "/properties/watch/items/properties"),
        (
            "[[application]]",
            "/properties/application/items/properties",
        ),
        (
            "[[application]]\n[application.rollout]",
            "/$defs/rollout/properties",
        ),
        (
            "[[application]]\n[application.gate]",
            "/$defs/gate/properties",
        ),
    ] {
        let error = parse(&format!("schema = 1\n{table}\nzzz = 1\n"))
            .unwrap_err()
            .to_string();
        // The known names stand in backticks behind the unknown one.
        let known: BTreeSet<&str> = error.split('`').skip(3).step_by(2).collect();
        let found = schema.pointer(pointer).unwrap().as_object().unwrap();
        let found: BTreeSet<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(known, found, "{table}: {error}");
    }
}
