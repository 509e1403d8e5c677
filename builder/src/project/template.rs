//! The first `edgec.toml` of a folder, with comments.

use super::read::SCHEMA;

/// What a folder has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The programs that it has, or that its toolchains make.
    pub programs: Vec<FoundProgram>,
    /// A file with a private key, relative to the folder.
    pub key: Option<String>,
    /// A trust policy.
    pub policy: Option<String>,
    /// A list of hosts.
    pub fleet: Option<String>,
}

/// A program of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FoundProgram {
    /// The application's name.
    pub name: String,
    /// Its path from the folder.
    pub input: String,
    /// Which file told of it, and what makes it.
    pub because: String,
}

impl FoundProgram {
    /// A program of this name in this file.
    pub fn new(name: &str, input: &str, because: &str) -> Self {
        Self {
            name: name.to_owned(),
            input: input.to_owned(),
            because: because.to_owned(),
        }
    }
}

/// The text of an `edgec.toml` for a folder. [`Project::from_toml`](super::Project::from_toml)
/// reads it.
pub fn template(found: &Found) -> String {
    let mut text = format!(
        "# What `edgec build` builds in this folder. docs/project.md describes every name.\n\
         schema = {SCHEMA}\n\n[project]\n# The folder for the artifacts: NAME.TARGET.cwasm.\n\
         output = \"dist\"\n"
    );
    match &found.fleet {
        Some(fleet) => {
            text.push_str("# The targets are those that these hosts need (docs/targets.md).\n");
            text.push_str(&format!("fleet = {}\n", quoted(fleet)));
        }
        None => {
            text.push_str("# The CPUs to compile for: `edgec targets` lists them.\n");
            text.push_str("targets = [\"x86_64\", \"aarch64\"]\n");
        }
    }
    match &found.key {
        Some(key) => {
            text.push_str("# The key that signs. In CI, write `env:NAME` or set EDGEC_KEY.\n");
            text.push_str(&format!("key = {}\n", quoted(key)));
        }
        None => {
            text.push_str(
                "# The key that signs: a file, or `env:NAME` for a variable's content.\n",
            );
            text.push_str("# Without it, EDGEC_KEY names it, else a development key signs.\n");
            text.push_str("# key = \"env:RELEASE_KEY\"\n");
        }
    }
    if let Some(policy) = &found.policy {
        text.push_str("# A build fails if this policy refuses an artifact (docs/policy.md).\n");
        text.push_str(&format!("# policy = {}\n", quoted(policy)));
    }
    text.push_str("# A number that grows with each release, or where it comes from.\n");
    text.push_str("# version = { git-tag = \"v*\" }\n");
    for program in &found.programs {
        text.push_str(&format!(
            "\n# {}\n[[component]]\nname = {}\ninput = {}\n",
            one_line(&program.because),
            quoted(&program.name),
            quoted(&program.input)
        ));
    }
    if found.programs.is_empty() {
        text.push_str("\n# No program was found here: name yours.\n");
        text.push_str("[[component]]\nname = \"app\"\ninput = \"app.wasm\"\n");
    }
    text.push_str(
        "# A build that exceeds one of these fails, and says what grew.\n\
         # budgets = { image-bytes = 2_000_000, functions = 5_000, lost-fast-paths = 0 }\n\
         # The imports that the program may have.\n\
         # capabilities = [\"wasi:cli/*\", \"wasi:io/*\", \"wasi:http/*\"]\n",
    );
    text
}

/// A text as a TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A text for a comment.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::super::{Project, TextFrom};
    use super::*;

    #[test]
    fn what_is_written_is_a_project() {
        let empty = Project::from_toml(&template(&Found::default())).unwrap();
        assert_eq!(empty.components.len(), 1);

        let found = Found {
            programs: vec![
                FoundProgram::new("shop", "a \"b\"\\c.wasm", "a file\nof this folder"),
                FoundProgram::new("cart", "cart.wat", "a file of this folder"),
            ],
            key: Some("release.pem".to_owned()),
            policy: Some("edgec-trust.toml".to_owned()),
            fleet: Some("fleet.toml".to_owned()),
        };
        let project = Project::from_toml(&template(&found)).unwrap();
        let names = project.components.iter().map(|it| it.name.clone());
        let here = ["shop", "cart"].map(|name| TextFrom::Here(name.to_owned()));
        assert_eq!(names.collect::<Vec<_>>(), here);
        let first = project.components.first().unwrap();
        assert_eq!(first.input, "a \"b\"\\c.wasm");
        assert_eq!(first.key.as_deref(), Some("release.pem"));
    }

    /// The lines that are comments in a new file are right as well.
    #[test]
    fn what_is_a_comment_would_be_read() {
        let text = template(&Found::default());
        let is_value = |line: &&str| line.contains(" = ");
        let uncommented = text.lines().map(|line| {
            let line_of_value = line.strip_prefix("# ").filter(is_value);
            line_of_value.unwrap_or(line).to_owned() + "\n"
        });
        let project = Project::from_toml(&uncommented.collect::<String>()).unwrap();
        let component = project.components.first().unwrap();
        assert_eq!(component.budgets.lost_fast_paths, Some(0));
        assert!(component.version.is_some() && component.capabilities.is_some());
        assert_eq!(component.key.as_deref(), Some("env:RELEASE_KEY"));
    }
}
