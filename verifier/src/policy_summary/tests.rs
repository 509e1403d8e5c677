//! Tests of a policy's demands in words.

use super::*;

const PEM: &str = "-----BEGIN PUBLIC KEY-----\\n\
    MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\\n\
    -----END PUBLIC KEY-----\\n";

/// The rows of a policy with this text.
fn rows(text: &str) -> Vec<Row> {
    let key = format!("[[key]]\nname = \"ci\"\npem = \"{PEM}\"\n");
    let text = format!("threshold = 1\n{text}\n{key}");
    TrustPolicy::from_toml(&text).unwrap().rows()
}

/// The texts of the rows with one of these names.
fn texts(text: &str, names: &[&str]) -> Vec<String> {
    let rows = rows(text).into_iter();
    let named = rows.filter(|(name, _)| names.contains(name));
    named.map(|(_, text)| text).collect()
}

#[test]
fn a_policy_that_asks_for_nothing_says_so() {
    let any = |name| (name, "any".to_owned());
    let not = |name| (name, "not asked for".to_owned());
    let wanted = [
        any("applications"),
        any("targets"),
        any("channels"),
        any("profiles"),
        any("imports"),
        any("wasmtime"),
        not("no advisories"),
        not("code audit"),
        not("artifacts expire"),
        not("provenance"),
        not("release"),
        not("timestamp"),
        not("notary"),
        not("root"),
        ("policy expires", "never".to_owned()),
    ];
    assert_eq!(rows(""), wanted);
}

/// Every rule changes a row or adds one.
#[test]
fn every_rule_is_in_the_summary() {
    let digest = "ff1ae9333516cf206209e13f98853fc8ac9bade67818429af0525ce82b5e369a";
    let revoked_key = format!("[[revoked-key]]\nid = \"{digest}\"\nreason = \"lost\"");
    let revoked_image = format!("[[revoked-digest]]\nfsverity = \"{digest}\"\nreason = \"bad\"");
    for (text, name, says) in [
        (
            "expires = 2099-01-01T00:00:00Z",
            "policy expires",
            "2099-01-01T00:00:00Z",
        ),
        (
            "minimum-load-mode = \"fs-verity\"",
            "load mode",
            "fs-verity or better",
        ),
        (
            "[[scope]]\nthreshold = 1\nkeys = [\"ci\"]\nchannels = [\"stable\"]",
            "scope",
            ": 1 of `ci`",
        ),
        (
            "[[scope]]\nthreshold = 1\napplications = [\"pay/*\"]",
            "scope",
            ": 1 of all keys",
        ),
        (revoked_key.as_str(), "revoked key", ": lost"),
        (revoked_image.as_str(), "revoked image", ": bad"),
        (
            "[allow]\napplications = [\"shop\", \"acme/*\"]",
            "applications",
            "`shop`, `acme/*`",
        ),
        ("[allow]\ntargets = [\"amd64\"]", "targets", "`amd64`"),
        ("[allow]\nchannels = []", "channels", "nothing"),
        ("[allow]\nprofiles = [\"edge\"]", "profiles", "`edge`"),
        ("[allow]\nimports = [\"wasi:*\"]", "imports", "`wasi:*`"),
        ("[minimum-version]\nshop = 12", "lowest version", "shop: 12"),
        (
            "[compiler]\nminimum = \"48.0.7\"",
            "wasmtime",
            "from 48.0.7 on",
        ),
        (
            "[[compiler.deny]]\nbefore = \"48.0.3\"\nreason = \"slow\"",
            "denied",
            "from 0.0.0 before 48.0.3 for all targets: slow",
        ),
        (
            "[[compiler.deny]]\nfrom = \"48.0.0\"\ntargets = [\"aarch64*\"]\nreason = \"x\"",
            "denied",
            "from 48.0.0 on for `aarch64*`: x",
        ),
        ("[builder]\nminimum = \"0.1.0\"", "edgec", "from 0.1.0 on"),
        ("[compiler]\nadvisories = true", "no advisories", "required"),
        ("[compiler]\naudit = true", "code audit", "required"),
        (
            "[validity]\nexpiry-required = true",
            "artifacts expire",
            "required",
        ),
        (
            "[provenance]\nbuilder = [\"https://ci/*\"]\nkeys = [\"ci\"]",
            "provenance",
            "builders: `https://ci/*`; sources: any; signed by: `ci`",
        ),
        (
            "[checks]\nimports = \"warn\"",
            "not enforced",
            "imports: warns only",
        ),
        ("[checks]\nexpiry = \"off\"", "not enforced", "expiry: off"),
    ] {
        let found = texts(text, &[name]);
        let [found] = found.as_slice() else {
            panic!("{text}: {found:?}");
        };
        assert!(found.ends_with(says), "{text}: {found}");
        let before = texts("", &[name]);
        assert!(!before.contains(found), "{text}: {found}");
    }
    // Enforcing is the default, so it changes nothing.
    assert_eq!(rows("[checks]\nimports = \"enforce\""), rows(""));
}

/// A list means only the targets that it names. So for a rule about a CPU level, the summary
/// says which targets of the same or a higher level the rule leaves out.
#[test]
fn a_rule_says_which_targets_it_leaves_out() {
    let deny = |targets: &str, before: &str| {
        let range = format!("before = \"{before}\"\nreason = \"x\"");
        format!("[[compiler.deny]]\ntargets = [{targets}]\n{range}\n")
    };
    let says = |text: &str| texts(text, &["not denied", "not in the scope"]);
    let one = deny("\"x86_64-v3\"", "48.0.3");
    let [row] = <[String; 1]>::try_from(says(&one)).unwrap();
    for target in ["haswell", "znver2", "x86_64-v4", "sapphire-rapids"] {
        assert!(row.contains(&format!("`{target}`")), "{row}");
    }
    for target in ["x86_64", "x86_64-v1", "x86_64-v3", "aarch64", "neoverse-n1"] {
        assert!(!row.contains(&format!("`{target}`")), "{row}");
    }
    // Here nothing is left out.
    let family = [
        "\"x86_64*\"",
        "\"arm64*\"",
        "\"*\"",
        "\"sapphire-rapids\", \"znver5\"",
    ];
    for list in family {
        assert_eq!(says(&deny(list, "48.0.3")), Vec::<String>::new(), "{list}");
    }
    // Another rule for the same versions covers the others as well. A rule for other versions
    // does not.
    let all = deny("\"x86_64*\"", "48.0.3");
    assert_eq!(says(&format!("{one}{all}")), Vec::<String>::new());
    let other = deny("\"x86_64*\"", "48.0.2");
    assert_eq!(says(&format!("{one}{other}")), std::slice::from_ref(&row));
    // A target that is not allowed needs no rule, unless it is accepted with a warning.
    let allow = "[allow]\ntargets = [\"x86_64-v3\", \"haswell\"]\n";
    let haswell = "`haswell`: each includes a target that is listed";
    assert_eq!(says(&format!("{allow}{one}")), [haswell]);
    let warn = "[checks]\ntarget = \"warn\"\n";
    assert_eq!(says(&format!("{allow}{warn}{one}")), [row]);
    // The same applies to scopes.
    let scope = |targets: &str| format!("[[scope]]\nthreshold = 1\ntargets = [{targets}]\n");
    let two = [scope("\"x86_64-v3\""), scope("\"haswell\", \"zn*\"")].concat();
    let left = says(&format!("{allow}{}", scope("\"x86_64-v3\"")));
    assert_eq!(left, [haswell]);
    assert_eq!(says(&format!("{allow}{two}")), Vec::<String>::new());
}
