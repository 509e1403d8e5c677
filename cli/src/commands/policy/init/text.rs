//! The text of a strict policy.

use std::collections::BTreeSet;
use std::path::Path;

use edgec_artifact::{Manifest, SignerKeys};
use edgec_verifier::{ENGINE_VERSION, Role, UnixTime};

use super::Arguments;
use crate::failure::Failure;
use crate::keys;

/// A `[[key]]` of the policy.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) keys: SignerKeys,
    pub(super) roles: Vec<Role>,
}

impl Entry {
    pub(super) fn read(path: &Path, role: Role) -> Result<Self, Failure> {
        let (keys, encoding) = keys::read_public(path)?;
        keys::refuse_raw_secret(path, encoding)?;
        Ok(Self {
            name: signer_name(path),
            keys,
            roles: vec![role],
        })
    }

    /// Its text, under a name that no other entry has.
    fn text(&self, name: &str) -> String {
        let roles: Vec<String> = self.roles.iter().map(|role| quoted(role.name())).collect();
        // A key without roles has the role `artifact`.
        let roles = match self.roles.as_slice() {
            [Role::Artifact] => String::new(),
            _ => format!("roles = [{}]\n", roles.join(", ")),
        };
        format!(
            "\n[[key]]\nname = {}\n{roles}pem = \"\"\"\n{}\"\"\"\n",
            quoted(name),
            self.keys.to_pem()
        )
    }
}

/// The signer's name in the policy: its file's, without the endings.
fn signer_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.split('.').next().unwrap_or_default();
    match name.is_empty() || name.chars().any(char::is_control) {
        true => "signer".to_owned(),
        false => name.to_owned(),
    }
}

/// The imports of all artifacts.
pub(super) fn imports(manifests: &[Manifest]) -> BTreeSet<&String> {
    let all = manifests.iter();
    all.flat_map(|it| &it.capabilities.imports).collect()
}

/// The whole text.
pub(super) fn policy_text(
    arguments: &Arguments,
    signers: &[Entry],
    manifests: &[Manifest],
    expires: UnixTime,
) -> String {
    let list = |values: BTreeSet<&str>| {
        let quoted: Vec<String> = values.into_iter().map(quoted).collect();
        format!("[{}]", quoted.join(", "))
    };
    let has = |role: Role| signers.iter().filter(|it| it.roles.contains(&role)).count();
    let mut text = format!(
        "name = {}\n\
         version = 1                   # raise it with each edition (`--trust-state` refuses older ones)\n\
         expires = {expires}\n\
         threshold = {}                 # signers that must have signed every artifact\n\
         minimum-load-mode = {}   # what a host must do against later changes\n",
        quoted(&arguments.name),
        has(Role::Artifact),
        quoted(&arguments.load_mode.to_string()),
    );
    for (role, says) in [
        (Role::Release, "an artifact must belong to a signed release"),
        (Role::Timestamp, "the release must be the newest"),
    ] {
        if has(role) > 0 {
            text += &format!("{:<30}# {says}\n", format!("{} = 1", role.name()));
        }
    }
    let mut names = BTreeSet::new();
    for (number, signer) in signers.iter().enumerate() {
        text += &match names.insert(&signer.name) {
            true => signer.text(&signer.name),
            false => signer.text(&format!("{} {}", signer.name, number + 1)),
        };
    }
    let applications = manifests.iter().map(|it| it.name.as_str()).collect();
    text += &format!("\n[allow]\napplications = {}\n", list(applications));
    // An artifact without a channel has the channel "".
    let channels: BTreeSet<&str> = manifests
        .iter()
        .filter_map(|it| it.channel.as_deref())
        .collect();
    if !channels.is_empty() && manifests.iter().all(|it| it.channel.is_some()) {
        text += &format!("channels = {}\n", list(channels));
    }
    let targets: BTreeSet<&str> = manifests.iter().map(|it| it.target.id.as_str()).collect();
    if !targets.is_empty() {
        let profiles = manifests.iter().map(|it| it.engine.profile.as_str());
        text += &format!("targets = {}\n", list(targets));
        text += &format!("profiles = {}\n", list(profiles.collect()));
    }
    text += "imports = [";
    for import in imports(manifests) {
        text += &format!("\n    {},", quoted(import));
    }
    text += match imports(manifests).is_empty() {
        true => "]                # nothing: a program can only compute\n",
        false => "\n]\n",
    };
    let versions: BTreeSet<(&str, u64)> = manifests
        .iter()
        .filter(|it| it.version > 0)
        .map(|it| (it.name.as_str(), it.version))
        .collect();
    if !versions.is_empty() {
        text += "\n[minimum-version]\n";
        let names: BTreeSet<&str> = versions.iter().map(|(name, _)| *name).collect();
        for name in names {
            // The lowest of the versions at hand.
            let lowest = versions.iter().find(|(it, _)| *it == name);
            text += &format!("{} = {}\n", quoted(name), lowest.map_or(0, |(_, it)| *it));
        }
    }
    text + &format!(
        "\n[compiler]\nminimum = \"{ENGINE_VERSION}\"\nadvisories = true             # no code \
         with a known fault of the engine\naudit = true                  # the code itself is \
         read\n\n[builder]\nminimum = \"{}\"\n\n[validity]\nexpiry-required = true        # \
         artifacts say how long they may run (`edgec build --expires`)\n",
        env!("CARGO_PKG_VERSION")
    )
}

/// A basic string of TOML. JSON writes it alike, except for U+007F, which only TOML escapes.
fn quoted(text: &str) -> String {
    let text = serde_json::to_string(text).unwrap_or_default();
    text.replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use edgec_verifier::{LoadMode, TrustPolicy};

    use super::*;
    use crate::render::Format;

    #[test]
    fn control_characters_are_escaped() {
        let all: String = (1..0x100u32).filter_map(char::from_u32).collect();
        assert!(!quoted(&all).chars().any(|it| it.is_ascii_control()));
        assert_eq!(quoted("\u{7f}\n\""), r#""\u007f\n\"""#);
    }

    #[test]
    fn a_name_of_a_file_becomes_that_of_a_signer() {
        for (path, name) in [
            ("keys/release.pub.pem", "release"),
            ("-", "-"),
            (".pem", "signer"),
        ] {
            assert_eq!(signer_name(Path::new(path)), name);
        }
    }

    #[test]
    fn a_strict_policy_leaves_nothing_off() {
        let entry = |name: &str, key: &str, roles: &[Role]| Entry {
            name: name.to_owned(),
            keys: SignerKeys::from_text(key).unwrap().0,
            roles: roles.to_vec(),
        };
        let key = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
        let other = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        let arguments = Arguments {
            artifacts: Vec::new(),
            key: Vec::new(),
            release_key: None,
            timestamp_key: None,
            name: "fleet \"x\"".to_owned(),
            days: 90,
            load_mode: LoadMode::TrustedStore,
            output: PathBuf::from("edgec-trust.toml"),
            format: Format::Text,
        };
        let expires = UnixTime::from_seconds(4_000_000_000);
        let policy = |entries: &[Entry]| {
            let text = policy_text(&arguments, entries, &[], expires);
            TrustPolicy::from_toml(&text).unwrap()
        };
        let alone = policy(&[entry("a", key, &[Role::Artifact])]);
        let off: Vec<&str> = alone.left_off().iter().map(|it| it.name).collect();
        assert_eq!(off, ["release", "freshness"]);
        let policy = policy(&[
            entry("a", key, &[Role::Artifact, Role::Release]),
            entry("a", other, &[Role::Timestamp]),
        ]);
        assert_eq!(policy.left_off(), []);
        assert_eq!(policy.warnings(UnixTime::EPOCH), Vec::<String>::new());
        assert_eq!(policy.name(), Some("fleet \"x\""));
    }
}
