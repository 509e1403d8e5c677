//! What is a project, and what is none.

mod schema;

use std::collections::BTreeSet;

use edgec_compiler::{
    EngineProfile, Flatten, ImportPattern, KindChoice, Level, NeedLimits, PruneImports,
};

use super::*;
use crate::plan::DebugFiles;

const WHOLE: &str = r#"
schema = 1

[project]
key = "env:RELEASE_KEY"
wasm-opt = "/opt/binaryen/bin/wasm-opt"
provenance = true
prune-imports = true
world = "wasi:cli/command"
allow-imports = ["wasi:*"]
output = "out"
targets = ["x86_64", "amd64"]
optimize = "s"
channel = "stable"
version = { env = "BUILD_NUMBER" }
capabilities = ["wasi:cli/*"]
limits = { memory-mib = 64, memories = 1 }
budgets = { image-bytes = 1_000_000, lost-fast-paths = 0, wire-bytes = 400_000 }

[[component]]
name = "acme/shop"
input = "shop.wasm"

[[component]]
name = { env = "CART_NAME" }
input = "../cart/cart.wat"
kind = "module"
wit = "wit"
wit-world = "cart"
world = "wit#cart"
allow-imports = ["env::f", "env::g"]
prune-imports = false
init = "wizer.initialize"
keep-modules = [1, 0]
key = "cart.pem"
output = "out/cart"
fleet = "fleet.toml"
profile = "edge"
optimize = 0
flatten = false
debug-file = true
channel = "beta"
expires = "+30d"
version = { git-tag = "cart-v*", form = "semver" }
display-version = { file = "VERSION" }
policy = "edgec-trust.toml"
capabilities = []
limits = { core-instances = 3, memories = 2, tables = 4, table-elements = 500 }
budgets = { functions = 10, image-bytes = 2_000_000, new-capabilities = "deny" }
"#;

#[test]
fn a_component_has_its_own_values_and_those_of_the_project() {
    let project = Project::from_toml(WHOLE).unwrap();
    assert_eq!(
        project.wasm_opt.as_deref(),
        Some("/opt/binaryen/bin/wasm-opt")
    );
    let [shop, cart] = project.components.as_slice() else {
        panic!("{project:?}");
    };
    assert_eq!(shop.name, TextFrom::Here("acme/shop".to_owned()));
    assert_eq!(cart.name, TextFrom::Variable("CART_NAME".to_owned()));
    assert_eq!(shop.output, "out");
    assert_eq!(shop.key.as_deref(), Some("env:RELEASE_KEY"));
    assert_eq!(cart.key.as_deref(), Some("cart.pem"));
    let TargetChoice::Named(targets) = &shop.targets else {
        panic!("{shop:?}");
    };
    // The second name is an alias of the first.
    assert_eq!(
        targets.iter().map(|it| it.id).collect::<Vec<_>>(),
        ["x86_64"]
    );
    assert_eq!(shop.settings.level, Level::Os);
    assert_eq!(shop.settings.kind, KindChoice::Auto);
    assert_eq!(shop.settings.flatten, Flatten::Merge);
    assert_eq!(shop.settings.prune_imports, PruneImports::Unused);
    assert_eq!(shop.world.as_deref(), Some("wasi:cli/command"));
    let patterns = Some(vec![ImportPattern::new("wasi:*")]);
    assert_eq!((&shop.allow_imports, &shop.wit), (&patterns, &None));
    assert!(project.provenance);
    assert_eq!(shop.channel.as_deref(), Some("stable"));
    let version = shop.version.as_ref().unwrap();
    assert_eq!(version.from, TextFrom::Variable("BUILD_NUMBER".to_owned()));
    assert_eq!(shop.budgets.image_bytes, Some(1_000_000));
    assert_eq!(shop.budgets.wire_bytes, Some(400_000));
    assert!(!shop.budgets.denies_new_capabilities());
    let limits = NeedLimits {
        memories: Some(1),
        memory_bytes: Some(64 << 20),
        ..NeedLimits::default()
    };
    assert_eq!(shop.limits, limits);
    let limits = NeedLimits {
        core_instances: Some(3),
        memories: Some(2),
        memory_bytes: Some(64 << 20),
        tables: Some(4),
        table_elements: Some(500),
    };
    assert_eq!(cart.limits, limits);

    assert_eq!(cart.input, "../cart/cart.wat");
    assert!(matches!(&cart.targets, TargetChoice::Fleet(file) if file == "fleet.toml"));
    let settings = &cart.settings;
    assert_eq!(settings.kind, KindChoice::Module);
    assert_eq!(settings.init.as_deref(), Some("wizer.initialize"));
    assert_eq!(settings.spared, BTreeSet::from([0, 1]));
    assert_eq!(settings.profile, EngineProfile::Edge);
    assert_eq!(settings.level, Level::O0);
    assert_eq!(settings.flatten, Flatten::Leave);
    assert_eq!(settings.prune_imports, PruneImports::Nothing);
    let wit = (cart.wit.as_deref(), cart.wit_world.as_deref());
    assert_eq!(wit, (Some("wit"), Some("cart")));
    assert_eq!(cart.world.as_deref(), Some("wit#cart"));
    assert_eq!(cart.allow_imports.as_ref().map(Vec::len), Some(2));
    assert_eq!(settings.debug_files, DebugFiles::Made);
    let version = cart.version.as_ref().unwrap();
    assert_eq!(version.form, VersionForm::Semver);
    assert_eq!(version.from, TextFrom::GitTag("cart-v*".to_owned()));
    assert_eq!(
        cart.display_version,
        Some(TextFrom::File("VERSION".to_owned()))
    );
    let expiries = (shop.expires.as_deref(), cart.expires.as_deref());
    assert_eq!(expiries, (None, Some("+30d")));
    assert_eq!(cart.policy.as_deref(), Some("edgec-trust.toml"));
    let any = ["wasi:cli/exit".to_owned()];
    assert_eq!(cart.capabilities.as_ref().unwrap().refused(&any), any);
    assert_eq!(shop.capabilities.as_ref().unwrap().refused(&any).len(), 0);
    assert_eq!(cart.budgets.lost_fast_paths, Some(0));
    assert_eq!(cart.budgets.image_bytes, Some(2_000_000));
    assert!(cart.budgets.denies_new_capabilities());
}

/// The place and the message of the error in a text.
fn error(text: &str) -> (String, String) {
    let error = Project::from_toml(text).map(|_| ()).unwrap_err();
    let place = error.place().map(ToString::to_string);
    (place.unwrap_or_default(), error.to_string())
}

#[test]
fn each_error_says_what_and_where() {
    let component = "schema = 1\n[[component]]\nname = \"a\"\ninput = \"a.wasm\"\n";
    for (more, at, says) in [
        (
            "targets = [\"x86_64\",\n  \"x86_65\"]",
            "6:3",
            "did you mean `x86_64`",
        ),
        ("targets = \"x86_64\"", "5:11", "write a list in brackets"),
        (
            "profile = \"egde\"",
            "5:11",
            "write \"default\" or \"edge\"",
        ),
        ("optimize = 5", "5:12", "there is no level `5`"),
        ("optimize = \"2\"", "5:12", "there is no level `2`"),
        (
            "optimize = true",
            "5:12",
            "write 0, 1, 2, 3, 4, \"s\" or \"z\"",
        ),
        ("flatten = \"no\"", "5:11", "write true or false"),
        (
            "output = \"../out\"",
            "5:10",
            "not in the folder of this file",
        ),
        ("output = \"/out\"", "5:10", "the path is absolute"),
        (
            "policy = \"C:\\\\trust.toml\"",
            "5:10",
            "the path is absolute",
        ),
        (
            "version = \"1.2.3\"",
            "5:11",
            "`display-version` takes versions",
        ),
        ("version = -1", "5:11", "write a whole number from 0 to "),
        ("version = {}", "5:11", "one of `file`, `env` and `git-tag`"),
        (
            "version = { file = \"a\", env = \"B\" }",
            "5:11",
            "one of `file`, `env`",
        ),
        ("version = { env = \"$B\" }", "5:19", "without `$`"),
        (
            "version = { git-tag = \"v\" }",
            "5:23",
            "one `*` in the place",
        ),
        (
            "version = { git-tag = \"--x=*\" }",
            "5:23",
            "one `*` in the place",
        ),
        (
            "display-version = { env = \"B\", form = \"semver\" }",
            "5:19",
            "`form` belongs to",
        ),
        (
            "display-version = 1",
            "5:19",
            "write text in quotes, or where it",
        ),
        ("keep-modules = [-1]", "", "write a whole number, 0 or more"),
        (
            "budgets = { functions = 1.5 }",
            "5:25",
            "write a whole number, 0 or more",
        ),
        (
            "budgets = { new-capabilities = \"no\" }",
            "5:32",
            "write \"allow\" or \"deny\"",
        ),
        (
            "limits = { memory-mib = 1_099_511_627_777 }",
            "5:25",
            "is no size of a memory",
        ),
        ("limits = { memories = -1 }", "", "write a whole number"),
        (
            "budgets = { wire-bytes = \"1\" }",
            "5:26",
            "write a whole number, 0 or more",
        ),
        (
            "capabilities = [\"\"]",
            "5:17",
            "no import has an empty name",
        ),
        ("world = \"/wit\"", "5:9", "the path is absolute"),
        ("world = 1", "5:9", "write a world in quotes"),
        ("allow-imports = [1]", "", "write an import in quotes"),
        (
            "wit-world = \"w\"",
            "5:13",
            "a world in `wit`, which is missing",
        ),
        ("name = \"b\"", "", "this name is there twice"),
        (
            "targets = []\nfleet = \"f\"",
            "6:9",
            "`targets` cannot stand beside it",
        ),
        (
            "[[component]]\nname = \"a\"\ninput = \"b\"",
            "6:8",
            "two components have the name `a`",
        ),
        (
            "[[component]]\nname = \"../a\"\ninput = \"b\"",
            "6:8",
            "cannot name an application",
        ),
        (
            "[[component]]\nname = 1\ninput = \"b\"",
            "6:8",
            "write a name in quotes, or where it comes from",
        ),
        (
            "[[component]]\nname = { env = \"B\", form = \"semver\" }\ninput = \"b\"",
            "6:8",
            "`form` belongs to",
        ),
        ("[[component]]\nname = \"b\"", "", "`input` is missing"),
        ("x =", "", ""),
    ] {
        let (place, message) = error(&format!("{component}{more}"));
        assert!(message.contains(says), "{more}: {message}");
        assert!(at.is_empty() || place == at, "{more}: {place}: {message}");
    }
    for (text, says) in [
        ("", "does not state its schema: begin it with `schema = 1`"),
        ("schema = 2\nnew = 1", "schema is 2, and this edgec reads 1"),
        ("schema = 1", "the file has no component"),
        (
            "schema = 1\n[component]\nname = \"a\"",
            "as in `[[component]]`",
        ),
        ("schema = 1\nproject = 1", "write a table"),
    ] {
        let (_, message) = error(text);
        assert!(message.contains(says), "{text}: {message}");
    }
    let long = format!("{component}#{}", " ".repeat(1 << 20));
    assert!(error(&long).1.contains("is the limit"));
}

#[test]
fn an_unknown_name_leads_to_the_known_one() {
    let text = "schema = 1\n[project]\ntarget = [\"x86_64\"]\n";
    match Project::from_toml(text) {
        Err(ProjectError::Text(TextError::UnknownName {
            name,
            nearest,
            known,
            at,
            ..
        })) => {
            assert_eq!(
                (name.as_str(), nearest.as_deref()),
                ("target", Some("targets"))
            );
            assert!(known.len() > 10, "{known:?}");
            let at = at.unwrap();
            assert_eq!(
                (at.line, at.column, at.text.as_str()),
                (3, 1, "target = [\"x86_64\"]")
            );
        }
        other => panic!("{other:?}"),
    }
}
