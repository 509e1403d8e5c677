//! Tests of the reader of policies.

use edgec_artifact::UnixTime;

use super::*;

const PEM: &str = "-----BEGIN PUBLIC KEY-----\\n\
    MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\\n\
    -----END PUBLIC KEY-----\\n";

fn with(text: &str) -> Result<TrustPolicy, PolicyError> {
    TrustPolicy::from_toml(&format!(
        "{text}\n[[key]]\nname = \"ci\"\npem = \"{PEM}\"\n"
    ))
}

#[test]
fn a_policy_is_at_least_a_key_and_a_threshold() {
    let policy = with("threshold = 1").unwrap();
    assert_eq!((policy.keys().count(), policy.threshold()), (1, 1));
    assert_eq!(policy.mode(CheckName::Imports), Mode::Enforce);
}

/// The example in the documentation is a policy.
#[test]
fn the_documented_example_is_read() {
    let document = include_str!("../../../docs/policy.md");
    let start = document.find("```toml\n").unwrap() + "```toml\n".len();
    let len = document.get(start..).unwrap().find("```").unwrap();
    let example = document.get(start..start + len).unwrap();
    let policy = TrustPolicy::from_toml(example).unwrap();
    assert_eq!(policy.name(), Some("edge-fleet"));
    assert_eq!(policy.version(), Some(7));
    assert_eq!(policy.expires, Some(UnixTime::from_seconds(1_814_313_600)));
    assert_eq!(policy.mode(CheckName::Imports), Mode::Warn);
}

#[test]
fn each_error_has_a_case() {
    let error = |text: &str| with(text).map(|_| ()).unwrap_err();
    let empty = TrustPolicy::from_toml("threshold = 1");
    assert!(matches!(empty, Err(PolicyError::Threshold { .. })));
    for text in ["threshold = 0", "threshold = 2"] {
        assert!(matches!(error(text), PolicyError::Threshold { .. }));
    }
    let twice = |name: &str| {
        error(&format!(
            "threshold = 1\n[[key]]\nname = \"{name}\"\npem = \"{PEM}\""
        ))
    };
    assert!(matches!(twice("other"), PolicyError::SameKey { .. }));
    let bad = "threshold = 1\n[[key]]\nname = \"x\"\npem = \"x\"";
    assert!(matches!(error(bad), PolicyError::Key { .. }));
    assert!(matches!(
        error("threshold = 1\nversion = 1"),
        PolicyError::NoName
    ));
    assert!(matches!(
        error("threshold = 1\nname = \"x\"\nversion = 9007199254740992"),
        PolicyError::Version { .. }
    ));
    assert!(matches!(
        error("threshold = 1\n[[scope]]\nthreshold = 1\nkeys = [\"x\"]"),
        PolicyError::UnknownKey { .. }
    ));
    assert!(matches!(
        error("threshold = 1\n[[scope]]\nthreshold = 2"),
        PolicyError::Threshold { .. }
    ));
    assert!(matches!(
        error("threshold = 1\n[[scope]]\nthreshold = 1\ntargets = []"),
        PolicyError::EmptyList { .. }
    ));
    assert!(matches!(
        error("threshold = 1\n[[compiler.deny]]\nreason = \"x\""),
        PolicyError::Unbounded { number: 1 }
    ));
    assert!(matches!(
        error("threshold = 1\n[[compiler.deny]]\nbefore = \"9.0.0\"\ntargets = []\nreason = \"\""),
        PolicyError::EmptyList { .. }
    ));
    for (from, before) in [
        ("48.0.3", "48.0.1"),
        ("48.0.3", "48.0.3"),
        ("0.0.0", "0.0.0"),
    ] {
        let range = format!("from = \"{from}\"\nbefore = \"{before}\"\nreason = \"\"");
        assert!(matches!(
            error(&format!("threshold = 1\n[[compiler.deny]]\n{range}")),
            PolicyError::EmptyRange { number: 1 }
        ));
    }
    for name in ["acme/*", "acme/app ", " acme/app", "acme/a\u{200b}pp"] {
        assert!(matches!(
            error(&format!("threshold = 1\n[minimum-version]\n\"{name}\" = 3")),
            PolicyError::Name(_)
        ));
    }
}

#[test]
fn two_keys_have_two_names() {
    let other = "-----BEGIN PUBLIC KEY-----\\n\
        MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\\n\
        -----END PUBLIC KEY-----\\n";
    let error = with(&format!(
        "threshold = 1\n[[key]]\nname = \"ci\"\npem = \"{other}\""
    ));
    assert!(matches!(error, Err(PolicyError::SameName { .. })));
}

#[test]
fn a_mode_of_the_audit_asks_for_none() {
    for (text, fits) in [
        ("[checks]\naudit = \"enforce\"", false),
        ("[checks]\naudit = \"warn\"", false),
        ("[checks]\naudit = \"off\"", true),
        ("[compiler]\naudit = true\n[checks]\naudit = \"warn\"", true),
    ] {
        let policy = with(&format!("threshold = 1\n{text}"));
        assert_eq!(policy.is_ok(), fits, "{text}");
        if let Err(error) = policy {
            assert!(matches!(error, PolicyError::AuditNotAsked), "{error}");
        }
    }
}

#[test]
fn what_the_schema_does_not_know_is_an_error() {
    for text in [
        "threshold = -1",
        "threshold = 1\nmode = \"off\"",
        "threshold = 1\n[checks]\nsignatures = \"off\"",
        "threshold = 1\n[checks]\ndefault = \"off\"",
        "threshold = 1\n[checks]\nimports = \"OFF\"",
        "threshold = 1\nthreshold = 1",
        "threshold = 1\nexpires = 2027-01-01",
        "threshold = 1\nexpires = 2027-01-01T00:00:00",
        "threshold = 1\nexpires = 2027-01-01T00:00:00+02:00",
        "threshold = 1\nexpires = 2027-01-01T00:00:00.5Z",
        "threshold = 1\nexpires = 1969-01-01T00:00:00Z",
        "threshold = 1\n[compiler]\nminimum = \"48.0\"",
        "threshold = 1\n[[revoked-key]]\nid = \"abc\"\nreason = \"\"",
        "threshold = 1\n[minimum-version]\nx = -1",
        "threshold = 1\n[allow]\ntargets = [\"X86_64\"]",
        "threshold = 1\n[allow]\ntargets = [\"\"]",
        "threshold = 1\n[allow]\ntargets = [\"aarch46*\"]",
        "threshold = 1\n[allow]\nprofiles = [\"egde\"]",
        "threshold = 1\n[allow]\napplications = [\"/acme/*\"]",
        "threshold = 1\n[allow]\napplications = [\"\"]",
        "threshold = 1\n[[scope]]\nthreshold = 1\napplications = [\"acme/\"]",
        "threshold = 1\n[allow]\napplications = [\"acme/app \"]",
        "threshold = 1\n[allow]\napplications = [\" acme/*\"]",
        "threshold = 1\n[allow]\napplications = [\"acme/app\u{200b}\"]",
        "threshold = 1\n[allow]\nchannels = [\"stable \"]",
        "threshold = 1\n[[scope]]\nthreshold = 1\nchannels = [\"a\\\\b\"]",
    ] {
        let error = with(text).map(|_| ()).unwrap_err();
        assert!(matches!(error, PolicyError::Toml(_)), "{text}: {error}");
    }
}
