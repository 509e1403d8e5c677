//! Whom a host trusts, from its arguments. Root keys must have signed the policy, and the host
//! refuses a policy that is older than one that it has seen. A host without one of these must say
//! so: without roots, every user who can write the policy's file decides what runs.

use std::error::Error;

use edgec_loader::PublicKey;
use edgec_loader::store::PolicyFile;

/// The options, for a usage line.
pub(crate) const OPTIONS: &str = "(--root KEY... | --no-root) (--state FILE | --no-state)";

/// The options at the start of the arguments, and the other arguments.
pub(crate) struct Trust<'a> {
    roots: Vec<PublicKey>,
    state: Option<&'a str>,
    pub(crate) rest: &'a [String],
}

/// Reads the options.
pub(crate) fn read(mut rest: &[String]) -> Result<Trust<'_>, Box<dyn Error>> {
    let (mut roots, mut state) = (Vec::new(), None);
    let (mut no_root, mut no_state) = (false, false);
    loop {
        rest = match rest {
            [option, file, rest @ ..] if option == "--root" => {
                let pem = std::fs::read_to_string(file);
                let pem = pem.map_err(|error| format!("`{file}`: {error}"))?;
                roots.push(PublicKey::from_pem(&pem)?);
                rest
            }
            [option, file, rest @ ..] if option == "--state" => {
                state = Some(file.as_str());
                rest
            }
            [option, rest @ ..] if option == "--no-root" => {
                no_root = true;
                rest
            }
            [option, rest @ ..] if option == "--no-state" => {
                no_state = true;
                rest
            }
            _ => break,
        };
    }
    if roots.is_empty() != no_root || state.is_none() != no_state {
        return Err(format!("say whom to trust: {OPTIONS}").into());
    }
    Ok(Trust { roots, state, rest })
}

impl Trust<'_> {
    /// The policy in `file`. It is read again each time that the host asks for it.
    pub(crate) fn policy(self, file: &str) -> PolicyFile {
        let policy = PolicyFile::new(file).signed_by(self.roots);
        match self.state {
            Some(state) => policy.remembered_in(state),
            None => policy,
        }
    }
}
