//! Tests of the configuration.

use super::*;

const LEAST: &str =
    "schema = 1\n[store]\npath = \"store\"\n[[application]]\nname = \"acme/shop\"\n";

#[test]
fn what_is_not_there_has_a_default() {
    let config = ServeConfig::from_toml(LEAST).unwrap();
    let [application] = config.applications.as_slice() else {
        panic!("{config:?}");
    };
    assert_eq!(application.name, "acme/shop");
    assert_eq!(application.path.as_str(), "/");
    assert!(application.host.is_empty() && application.outbound.allow.is_empty());
    assert!(application.keyvalue.is_none() && application.reuse.is_none());
    assert_eq!(config.limits.queue_time.get().as_secs(), 1);
    assert_eq!(config.store.unwrap().refresh.get().as_secs(), 1);
}

/// All of them, so that a configuration means the same wherever the host was started.
#[test]
fn relative_paths_are_in_the_folder_of_the_file() {
    let text = r#"
schema = 1
[listen]
unix = ["http.sock", "/run/http.sock"]
admin = "unix:admin.sock"
tls = { cert = "cert.pem", key = "key.pem" }
[store]
path = "store"
[policy]
file = "trust.toml"
roots = ["root.pub.pem"]
state = "newest"
[[application]]
name = "acme/shop"
artifact = "shop.cwasm"
statements = { release = ["shop.release.json"], timestamp = ["shop.timestamp.json"], notary = ["n.json"], provenance = ["p.json"], bundle = ["b.proof"], sbom = ["b.cdx.json"] }
outbound = { ca-file = "ca.pem" }
"#;
    let mut config = ServeConfig::from_toml(text).unwrap();
    config.in_folder(Path::new("/etc/edgec"));
    let shown = format!("{config:?}");
    for file in [
        "http.sock",
        "admin.sock",
        "cert.pem",
        "key.pem",
        "store",
        "trust.toml",
        "root.pub.pem",
        "newest",
        "shop.cwasm",
        "shop.release.json",
        "shop.timestamp.json",
        "n.json",
        "p.json",
        "b.proof",
        "ca.pem",
    ] {
        assert!(
            shown.contains(&format!("\"/etc/edgec/{file}\"")),
            "{file}: {shown}"
        );
    }
    assert!(shown.contains("\"/run/http.sock\""), "{shown}");
}

#[test]
fn every_table_is_read() {
    let text = r#"
schema = 1
[listen]
http = ["127.0.0.1:8080"]
https = ["[::1]:8443"]
unix = ["/run/edgec/http.sock"]
unix-mode = "0660"
forwarded = "append"
admin = "unix:/run/edgec/admin.sock"
systemd = true
tls = { cert = "cert.pem", key = "key.pem" }
[store]
path = "/var/lib/edgec"
refresh = "5s"
[policy]
file = "trust.toml"
roots = ["root.pub.pem"]
state = "newest"
[limits]
memory = "64MiB"
cpu-time = "250ms"
[pools]
memory-budget = "1GiB"
[log]
format = "json"
level = "warn"
requests = true
request-query = true
[[application]]
name = "acme/shop"
channel = "stable"
host = ["shop.example", "*.shop.example"]
path = "/shop/"
environment = { MODE = "live" }
config = { greeting = "hello" }
keyvalue = { redis = "redis://:secret@127.0.0.1/0" }
outbound = { allow = ["api.example:443", "*.cdn.example:*"], allow-private = ["10.1.0.0/16"] }
limits = { memory = "256MiB", requests = 5 }
stub-imports = true
reuse = { requests = 10 }
grace = "5min"
"#;
    let config = ServeConfig::from_toml(text).unwrap();
    let application = &config.applications[0];
    let limits = config.limits.of(&application.limits);
    assert_eq!(
        (limits.memory.get(), limits.application_requests),
        (256 << 20, 5)
    );
    assert_eq!(limits.cpu_time.get().as_millis(), 250);
    assert_eq!(application.path.as_str(), "/shop");
    assert_eq!(application.reuse.unwrap().concurrent, 16);
    assert_eq!(application.outbound.allow[1].to_string(), "*.cdn.example:*");
    let range = application.outbound.allow_private[0];
    assert!(range.contains("10.1.2.3".parse().unwrap()));
    assert!(!range.contains("10.2.0.1".parse().unwrap()));
    assert!(!range.contains("::1".parse().unwrap()));
    assert!(!format!("{config:?}").contains("secret"));
    assert_eq!(config.listen.forwarded, Forwarded::Append);
    assert_eq!(config.listen.unix_mode.unwrap().bits(), 0o660);
    assert!(config.log.request_query);
}

#[test]
fn an_error_has_a_place_and_says_what_to_write() {
    for (from, to, place, message) in [
        (
            "[store]",
            "[stores]",
            "2:2",
            "unknown name `stores`; did you mean `store`?",
        ),
        (
            "[store]",
            "[limits]\nmemroy = \"64MiB\"\n[store]",
            "3:1",
            "unknown name `memroy`; did you mean `memory`?",
        ),
        (
            "[store]",
            "[listen]\nunix-mode = 432\n[store]",
            "3:13",
            "\"0660\"",
        ),
        (
            "[store]",
            "[listen]\nunix-mode = \"rw\"\n[store]",
            "3:13",
            "\"0660\"",
        ),
        (
            "[store]",
            "[listen]\nforwarded = \"trust\"\n[store]",
            "3:13",
            "`append`",
        ),
        (
            "name = \"acme/shop\"",
            "name = \"acme/shop\"\nhost = \"http://a.example\"",
            "6:8",
            "without `http://`",
        ),
        (
            "name = \"acme/shop\"",
            "names = 1",
            "5:1",
            "unknown name `names`",
        ),
        (
            "name = \"acme/shop\"",
            "path = \"/\"",
            "4:1",
            "`name` is missing",
        ),
        ("name = \"acme/shop\"", "name = \"a\\nb\"", "5:8", ""),
        ("[[application]]", "[application]", "4:1", "double brackets"),
        ("path = \"store\"", "path = 1", "3:8", "write"),
        (
            "[store]",
            "[limits]\nmemory = \"1 MB\"\n[store]",
            "3:10",
            "MiB",
        ),
        (
            "[store]",
            "[limits]\ncpu-time = 5\n[store]",
            "3:12",
            "duration",
        ),
        (
            "[store]",
            "[limits]\nwall-time = \"2 days\"\n[store]",
            "3:13",
            "unit",
        ),
        (
            "[store]",
            "[limits]\nwall-time = \"25h\"\n[store]",
            "3:13",
            "a day",
        ),
        (
            "[store]",
            "[listen]\nadmin = \"0.0.0.0:1\"\n[store]",
            "3:9",
            "other machines",
        ),
        (
            "[store]",
            "[listen]\nhttp = [\"nowhere\"]\n[store]",
            "3:9",
            "write an IP address and a port",
        ),
    ] {
        let text = LEAST.replace(from, to);
        let error = ServeConfig::from_toml(&text).unwrap_err();
        assert!(error.to_string().contains(message), "{to}: {error}");
        assert_eq!(error.place().unwrap().to_string(), place, "{to}: {error}");
    }
    for line in [
        "host = \"a b\"",
        "host = \"shop.example:80\"",
        "host = []",
        "path = \"shop\"",
        "path = \"/a//b\"",
        "path = \"/../b\"",
        "outbound = { allow = [\"a.example\"] }",
        "outbound = { allow = [\"a.example:0\"] }",
        "outbound = { allow-private = [\"10.0.0.0/33\"] }",
        "keyvalue = { redis = \"http://secret@x\" }",
    ] {
        let error = ServeConfig::from_toml(&format!("{LEAST}{line}\n")).unwrap_err();
        assert_eq!(error.place().unwrap().line, 6, "{line}: {error}");
        assert!(!error.to_string().contains("secret"));
    }
}

#[test]
fn what_depends_on_two_places_is_checked() {
    let parse = |text: &str| ServeConfig::from_toml(text).unwrap_err();
    assert!(matches!(
        parse(""),
        ConfigError::Text(TextError::NoSchema { .. })
    ));
    assert!(matches!(parse("schema = 1\n"), ConfigError::NoApplication));
    let same = format!("{LEAST}[[application]]\nname = \"acme/shop\"\npath = \"/b\"\n");
    assert!(matches!(parse(&same), ConfigError::SameName { .. }));
    let same = format!("{LEAST}[[application]]\nname = \"acme/other\"\n");
    assert!(matches!(parse(&same), ConfigError::SameRoute { .. }));
    let none = "schema = 1\n[[application]]\nname = \"acme/shop\"\n";
    assert!(matches!(parse(none), ConfigError::NoStore { .. }));
    let stored = format!("{LEAST}statements = {{ release = [\"a.json\"] }}\n");
    assert!(matches!(parse(&stored), ConfigError::Statements { .. }));
    let sync = "schema = 1\n[[application]]\nname = \"a\"\nartifact = \"a\"\n\
                [sync]\nfleet = \"f\"\n";
    let error = parse(sync);
    assert!(matches!(error, ConfigError::SyncWithoutStore { .. }));
    assert_eq!(error.place().map(|it| it.line), Some(5));
}

/// The published schema, as an editor reads it, has the names that the parser knows.
#[test]
fn the_schema_has_the_same_names() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/schema/serve.toml.json"
    );
    let schema: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let root = "/properties";
    let application = "/properties/application/items/properties";
    let of_application = |name: &str| format!("{application}/{name}/properties");
    for (table, properties) in [
        ("", root.to_owned()),
        ("[listen]", format!("{root}/listen/properties")),
        (
            "[listen.tls]",
            format!("{root}/listen/properties/tls/properties"),
        ),
        ("[store]", format!("{root}/store/properties")),
        ("[policy]", format!("{root}/policy/properties")),
        ("[limits]", format!("{root}/limits/properties")),
        ("[pools]", format!("{root}/pools/properties")),
        ("[log]", format!("{root}/log/properties")),
        ("[sync]", format!("{root}/sync/properties")),
        ("[[application]]", application.to_owned()),
        (
            "[[application]]\n[application.statements]",
            of_application("statements"),
        ),
        (
            "[[application]]\n[application.keyvalue]",
            of_application("keyvalue"),
        ),
        (
            "[[application]]\n[application.outbound]",
            of_application("outbound"),
        ),
        (
            "[[application]]\n[application.limits]",
            of_application("limits"),
        ),
        (
            "[[application]]\n[application.reuse]",
            of_application("reuse"),
        ),
    ] {
        let error = ServeConfig::from_toml(&format!("schema = 1\n{table}\nzzz = 1\n"));
        let error = error.unwrap_err().to_string();
        // The known names stand in backticks behind the unknown one.
        let known: BTreeSet<&str> = error.split('`').skip(3).step_by(2).collect();
        let found = schema.pointer(&properties).unwrap().as_object().unwrap();
        let found: BTreeSet<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(known, found, "{table}");
    }
}
