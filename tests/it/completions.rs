//! The completions that shells read, and the manual pages: both know every verb and option.

use std::collections::BTreeSet;

use edgec_tests::Sandbox;
use edgec_tests::help::{Place, verbs};

/// Shells whose scripts edgec writes, with a line of each script.
const SHELLS: &[(&str, &str)] = &[
    ("bash", "complete -F _edgec"),
    ("elvish", "set edit:completion:arg-completer[edgec]"),
    ("fish", "complete -c edgec"),
    ("powershell", "Register-ArgumentCompleter"),
    ("zsh", "#compdef edgec"),
];

#[test]
fn each_shell_has_a_script_with_every_verb() {
    let sandbox = Sandbox::empty();
    let verbs = verbs(&sandbox);
    for (shell, line) in SHELLS {
        let script = sandbox.ok(&["completions", shell]);
        assert!(script.contains(line), "{shell}");
        for verb in &verbs {
            for name in &verb.path {
                assert!(script.contains(name), "{shell}: {name}");
            }
        }
    }
    let stderr = sandbox.fails(2, &["completions", "tcsh"]);
    assert!(stderr.contains("possible values: bash"), "{stderr}");
}

/// What bash offers after these words. The last word is incomplete.
fn completed(sandbox: &Sandbox, words: &[&str]) -> BTreeSet<String> {
    const OFFER: &str = r#"
        source ./edgec.bash
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        _edgec edgec "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}""#;
    let arguments = [&["-c", OFFER, "bash", "edgec"][..], words].concat();
    let offered = sandbox.tool("bash", &arguments);
    let offered = String::from_utf8(offered).unwrap();
    offered.lines().map(str::to_owned).collect()
}

#[test]
fn bash_accepts_its_script_and_completes_with_it() {
    let sandbox = Sandbox::empty();
    let script = sandbox.ok(&["completions", "bash"]);
    sandbox.write("edgec.bash", script);
    sandbox.tool("bash", &["-n", "edgec.bash"]);
    let of = |words: &[&str]| completed(&sandbox, words);
    assert_eq!(of(&["bui"]), BTreeSet::from(["build".to_owned()]));
    assert_eq!(of(&["store", "ver"]), BTreeSet::from(["verify".to_owned()]));
    assert_eq!(
        of(&["build", "--passphrase"]),
        BTreeSet::from(["--passphrase-file".to_owned()])
    );
}

#[test]
fn every_verb_has_a_manual_page_with_its_options() {
    let sandbox = Sandbox::empty();
    assert_eq!(sandbox.ok(&["man", "share/man1"]), "");
    let mut pages = BTreeSet::new();
    for verb in verbs(&sandbox) {
        let words = [&["edgec".to_owned()][..], &verb.path].concat();
        let name = format!("share/man1/{}.1", words.join("-"));
        let page = String::from_utf8(sandbox.read(&name)).unwrap();
        assert!(page.contains(&format!("\n.TH {} 1 \"\" ", words.join("-"))));
        for (place, _) in &verb.places {
            if let Place::Long(option) = place {
                let option = option.replace('-', r"\-");
                assert!(page.contains(&option), "{name}: {option}");
            }
        }
        pages.insert(name);
    }
    let files: BTreeSet<String> = sandbox.files().into_iter().collect();
    assert_eq!(files, pages);
}

#[test]
fn a_page_replaces_only_a_page() {
    let sandbox = Sandbox::empty();
    sandbox.ok(&["man", "pages"]);
    let before = sandbox.read("pages/edgec.1");
    sandbox.write("pages/edgec.1", "");
    sandbox.ok(&["man", "pages"]);
    assert_eq!(sandbox.read("pages/edgec.1"), before);
    // Nothing is written if one of the pages cannot be.
    sandbox.write("pages/edgec.1", "");
    sandbox.write("pages/edgec-verify.1", "Some words.\n");
    let stderr = sandbox.fails(2, &["man", "pages"]);
    let says = "error[output]: pages/edgec-verify.1: a file of another kind is there";
    assert!(stderr.starts_with(says), "{stderr}");
    assert_eq!(sandbox.read("pages/edgec.1"), b"");
    sandbox.write("file", "x");
    let stderr = sandbox.fails(2, &["man", "file"]);
    assert!(stderr.starts_with("error[output]: file: "), "{stderr}");
    let stderr = sandbox.fails(2, &["man", "-"]);
    assert!(stderr.starts_with("error[output]: "), "{stderr}");
}
