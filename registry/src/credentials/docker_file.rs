//! The file in which Docker and Podman keep the logins for registries, or the names of the helpers
//! that know them.
//!
//! Source: `docker login` (docs.docker.com, "Credential stores", "Credential helpers");
//! `containers-auth.json(5)`.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use edgec_files::{OpenError, open_regular, read_bounded};
use serde::Deserialize;

use super::{Login, helper};
use crate::RegistryError;

/// The maximum length of such a file, in bytes.
const MAX_FILE_LEN: u64 = 1 << 20;
/// The key of Docker Hub, which is an address that no longer answers.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// The logins of one file.
pub(crate) struct DockerFile {
    path: String,
    content: Content,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Content {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl DockerFile {
    /// The file at a path. `None` if there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, RegistryError> {
        let name = path.display().to_string();
        let failed = |reason: String| failed(&name, reason);
        let (file, length) = match open_regular(path, MAX_FILE_LEN) {
            Ok(opened) => opened,
            Err(OpenError::Io(error))
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(failed(error.to_string())),
        };
        let bytes = read_bounded(file, MAX_FILE_LEN, length);
        let bytes = bytes.map_err(|error| failed(error.to_string()))?;
        Self::parse(name, &bytes).map(Some)
    }

    /// The file at `path`, which has these bytes.
    pub(crate) fn parse(path: String, bytes: &[u8]) -> Result<Self, RegistryError> {
        // The parser's own message may show a part of a secret.
        let content = serde_json::from_slice(bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let reason = format!("line {line}, column {column} is not as Docker writes it");
            failed(&path, reason)
        })?;
        Ok(Self { path, content })
    }

    /// The file at a path that a user named.
    pub(super) fn required(path: &Path) -> Result<Self, RegistryError> {
        let absent = || {
            failed(
                &path.display().to_string(),
                "there is no such file".to_owned(),
            )
        };
        Self::read(path)?.ok_or_else(absent)
    }

    /// The login for a repository: of the helper for its registry, else of the helper for all, else
    /// from the file itself.
    pub(super) fn login(
        &self,
        registry: &str,
        repository: &str,
    ) -> Result<Option<Login>, RegistryError> {
        let keys = keys(registry, repository);
        let own = keys.iter().find_map(|it| self.content.cred_helpers.get(it));
        if let Some(name) = own {
            return helper::login(name, server(registry));
        }
        if let Some(name) = self
            .content
            .creds_store
            .as_deref()
            .filter(|it| !it.is_empty())
            && let Some(login) = helper::login(name, server(registry))?
        {
            return Ok(Some(login));
        }
        self.own(registry, repository)
    }

    /// The login for a repository in the file itself.
    pub(crate) fn own(
        &self,
        registry: &str,
        repository: &str,
    ) -> Result<Option<Login>, RegistryError> {
        let keys = keys(registry, repository);
        let entry = keys.iter().find_map(|it| self.content.auths.get(it));
        let login = entry.map(Entry::login).transpose();
        let login = login.map_err(|what| failed(&self.path, format!("`{registry}`: {what}")))?;
        Ok(login.flatten())
    }
}

impl Entry {
    /// What the entry holds. An entry without anything only says that a helper has it.
    fn login(&self) -> Result<Option<Login>, &'static str> {
        let text = |it: &Option<String>| it.clone().filter(|it| !it.is_empty());
        if let Some(token) = text(&self.registrytoken) {
            return Ok(Some(Login::Token(token)));
        }
        if let Some(token) = text(&self.identitytoken) {
            return Ok(Some(Login::Identity(token)));
        }
        if let Some(auth) = text(&self.auth) {
            let decoded = STANDARD.decode(auth.trim());
            let decoded = decoded.ok().and_then(|it| String::from_utf8(it).ok());
            let decoded = decoded.ok_or("`auth` is not base64")?;
            let (name, password) = decoded.split_once(':').ok_or("`auth` has no colon")?;
            return Ok(Some(Login::Basic {
                name: name.to_owned(),
                password: password.trim_end_matches('\0').to_owned(),
            }));
        }
        Ok(match (text(&self.username), text(&self.password)) {
            (Some(name), Some(password)) => Some(Login::Basic { name, password }),
            _ => None,
        })
    }
}

/// What helpers know a registry as.
fn server(registry: &str) -> &str {
    match registry {
        "docker.io" | "index.docker.io" => DOCKER_HUB,
        registry => registry,
    }
}

/// The keys under which a login may be, the most particular first.
fn keys(registry: &str, repository: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut path = Some(repository).filter(|it| !it.is_empty());
    while let Some(it) = path {
        keys.push(format!("{registry}/{it}"));
        path = it.rsplit_once('/').map(|(above, _)| above);
    }
    keys.extend([registry.to_owned(), server(registry).to_owned()]);
    for version in ["", "/", "/v1/", "/v2/", "/v1", "/v2"] {
        keys.push(format!("https://{registry}{version}"));
        keys.push(format!("http://{registry}{version}"));
    }
    keys
}

fn failed(from: &str, reason: String) -> RegistryError {
    RegistryError::Credentials {
        from: format!("`{from}`"),
        reason,
    }
}
