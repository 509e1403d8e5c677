//! Passphrases and PINs: from a file, an environment variable, or the terminal.
//!
//! They never come from the command line, which every process of the machine can read. They are
//! overwritten when they are dropped, and have no `Debug`.

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::Command;

use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};
use crate::files::{self, Sensitive};
use crate::shield::shield;
use crate::signals;

/// A passphrase or a PIN.
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a secret may come from.
pub(crate) struct Source<'a> {
    /// The secret's name for people.
    pub(crate) what: &'static str,
    /// The option that names a file.
    pub(crate) option: &'static str,
    /// The option's value.
    pub(crate) file: Option<&'a Path>,
    /// The variable that holds the secret.
    pub(crate) variable: &'static str,
}

/// The variable that holds the passphrase of a private key.
pub(crate) const PASSPHRASE_VARIABLE: &str = "EDGEC_PASSPHRASE";
/// The variable that holds the PIN of a token.
pub(crate) const PIN_VARIABLE: &str = "EDGEC_PKCS11_PIN";

/// Hides a variable that holds a key from the processes that this one starts.
pub(crate) fn hide_variable(name: &str) {
    edgec_compiler::hide_variable(name);
}

/// Removes edgec's secrets from the environment of a program that the user named.
pub(crate) fn without_secrets(command: &mut Command) -> &mut Command {
    command
        .env_remove(PASSPHRASE_VARIABLE)
        .env_remove(PIN_VARIABLE);
    for name in edgec_compiler::hidden_variables() {
        command.env_remove(name);
    }
    command
}

/// The passphrase of a private key.
pub(crate) fn passphrase(file: Option<&Path>) -> Source<'_> {
    Source {
        what: "passphrase",
        option: "--passphrase-file",
        file,
        variable: PASSPHRASE_VARIABLE,
    }
}

/// The PIN of a PKCS#11 token.
pub(crate) fn pin(file: Option<&Path>) -> Source<'_> {
    Source {
        what: "PIN",
        option: "--pkcs11-pin-file",
        file,
        variable: PIN_VARIABLE,
    }
}

impl Source<'_> {
    /// An existing secret.
    pub(crate) fn find(&self, whose: &str) -> Result<Secret, Failure> {
        shield();
        match self.named()? {
            Some(secret) => Ok(secret),
            None => self.ask(&format!("{} of {whose}: ", self.what)),
        }
    }

    /// A new secret. It must be typed twice, because the terminal does not show it.
    pub(crate) fn choose(&self, whose: &str) -> Result<Secret, Failure> {
        shield();
        if let Some(secret) = self.named()? {
            return Ok(secret);
        }
        // The terminal shows nothing between the two prompts either, because people type ahead.
        let (first, second) = signals::on_silent_terminal(|| {
            let first = self.ask(&format!("new {} of {whose}: ", self.what))?;
            let second = self.ask(&format!("the same {} again: ", self.what))?;
            Ok::<_, Failure>((first, second))
        })?;
        if first.as_str() != second.as_str() {
            let message = format!("the two {}s differ; nothing was written", self.what);
            return Err(Failure::usage("passphrase", message));
        }
        Ok(first)
    }

    /// Refuses a file that cannot be read. Does not read it, because a pipe gives its content only
    /// once.
    pub(crate) fn refuse_unreadable(&self) -> Result<(), Failure> {
        let Some(path) = self.file.filter(|path| path.as_os_str() != files::STDIN) else {
            return Ok(());
        };
        if path.symlink_metadata().is_err() {
            return Err(self.no_file());
        }
        if let Some(failure) = files::unreadable(path) {
            return Err(failure);
        }
        // Opening a pipe would wait for its writer.
        if !path.is_file() {
            return Ok(());
        }
        let opened = std::fs::File::open(path);
        opened
            .map(drop)
            .map_err(|error| files::cannot("read", path, &error))
    }

    fn named(&self) -> Result<Option<Secret>, Failure> {
        if let Some(path) = self.file {
            // If the file does not exist, its name may be the secret itself.
            if path.as_os_str() != files::STDIN && path.symlink_metadata().is_err() {
                return Err(self.no_file());
            }
            let text = files::read_secret(path, Sensitive::Passphrase)?;
            return self.one_line(&text, &path.display()).map(Some);
        }
        // A secret that is not set up in a CI system is often an empty variable.
        let value = std::env::var_os(self.variable).filter(|value| !value.is_empty());
        let Some(value) = value else { return Ok(None) };
        let text = value.into_string().map_err(|_| {
            Failure::usage("passphrase", "the variable is not UTF-8").about(self.variable)
        })?;
        let text = Zeroizing::new(text);
        self.one_line(&text, &self.variable).map(Some)
    }

    fn no_file(&self) -> Failure {
        let message = format!(
            "there is no such file (its name is not shown: it may be the {})",
            self.what
        );
        let hint = format!(
            "{} takes the name of a file that holds the {}",
            self.option, self.what
        );
        Failure::new(Exit::Environment, "io", message)
            .about(self.option)
            .hint(hint)
    }

    /// A final line break comes from an editor. Any other line break is a mistake.
    fn one_line(&self, text: &str, from: &dyn std::fmt::Display) -> Result<Secret, Failure> {
        let line = text.strip_suffix('\n').unwrap_or(text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        let wrong = if line.is_empty() {
            "is empty"
        } else if line.contains(['\n', '\r']) {
            "has more than one line"
        } else {
            return Ok(Secret(Zeroizing::new(line.to_owned())));
        };
        Err(Failure::usage("passphrase", format!("the {} {wrong}", self.what)).about(from))
    }

    /// Asks on the terminal, which does not show the answer.
    fn ask(&self, prompt: &str) -> Result<Secret, Failure> {
        if !std::io::stdin().is_terminal() {
            let message = format!("a {} is needed, and there is no terminal to ask", self.what);
            return Err(Failure::usage("no-passphrase", message).hint(format!(
                "name a file that holds it with {}, or set {}",
                self.option, self.variable
            )));
        }
        let prompt = crate::render::safe(prompt);
        let typed = signals::on_silent_terminal(|| rpassword::prompt_password(prompt));
        let typed = typed.map_err(|error| {
            Failure::new(Exit::Environment, "terminal", error.to_string()).about("the terminal")
        })?;
        let typed = Zeroizing::new(typed);
        self.one_line(&typed, &"the terminal")
    }
}
