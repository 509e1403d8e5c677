//! `[policy]`: the trust policy that a program follows.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// `[policy]`: the trust policy (`docs/policy.md`). A program reads it again while it runs.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct PolicyConfig {
    /// The file.
    pub file: PathBuf,
    /// Public keys, each of which must have signed the policy.
    #[serde(default)]
    pub roots: Vec<PathBuf>,
    /// The file that remembers the newest policy, so that an older one is refused after a restart.
    pub state: Option<PathBuf>,
}

impl PolicyConfig {
    /// The policy in this file.
    #[must_use]
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self {
            file: file.into(),
            roots: Vec::new(),
            state: None,
        }
    }

    /// Takes relative paths as paths in this folder.
    pub fn in_folder(&mut self, folder: &Path) {
        let files = [&mut self.file].into_iter().chain(&mut self.roots);
        for path in files.chain(&mut self.state) {
            *path = folder.join(&*path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_are_in_the_folder_of_the_file() {
        let text = "file = \"trust.toml\"\nroots = [\"/keys/root.pem\", \"b.pem\"]\nstate = \"s\"";
        let mut policy: PolicyConfig = toml::from_str(text).unwrap();
        policy.in_folder(Path::new("/etc/edgec"));
        assert_eq!(policy.file, Path::new("/etc/edgec/trust.toml"));
        let roots = [Path::new("/keys/root.pem"), Path::new("/etc/edgec/b.pem")];
        assert_eq!(policy.roots, roots);
        assert_eq!(policy.state.as_deref(), Some(Path::new("/etc/edgec/s")));
        let same = PolicyConfig::new("/etc/edgec/trust.toml");
        assert_eq!((same.file, same.state), (policy.file, None));
    }
}
