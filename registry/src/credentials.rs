//! Who a host says it is at a registry. Secrets are never printed: these types have no text form.

pub(crate) mod docker_file;
mod helper;

use std::env;
use std::path::PathBuf;

use self::docker_file::DockerFile;
use crate::{Credentials, RegistryError};

/// What a host shows to a registry or its token service.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// A name and a password.
    Basic {
        /// The name.
        name: String,
        /// The password.
        password: String,
    },
    /// An identity token: the token service gives tokens for it.
    Identity(String),
    /// A token for the registry itself.
    Token(String),
}

/// The login for a repository. It is looked up each time that a registry asks: helpers renew what
/// they give.
pub(crate) fn find(
    credentials: &Credentials,
    registry: &str,
    repository: &str,
) -> Result<Option<Login>, RegistryError> {
    match credentials {
        Credentials::Anonymous => Ok(None),
        Credentials::Basic { name, password } => Ok(Some(Login::Basic {
            name: name.clone(),
            password: password.clone(),
        })),
        Credentials::File(path) => DockerFile::required(path)?.login(registry, repository),
        Credentials::Docker => {
            for path in files() {
                if let Some(file) = DockerFile::read(&path)?
                    && let Some(login) = file.login(registry, repository)?
                {
                    return Ok(Some(login));
                }
            }
            Ok(None)
        }
    }
}

/// The files of Docker and Podman, in the order in which they are asked.
fn files() -> Vec<PathBuf> {
    let folder = |name: &str| {
        let value = env::var_os(name).filter(|it| !it.is_empty());
        value.map(PathBuf::from)
    };
    let docker = folder("DOCKER_CONFIG").or_else(|| Some(env::home_dir()?.join(".docker")));
    let docker = docker.map(|it| it.join("config.json"));
    let podman = folder("XDG_RUNTIME_DIR").map(|it| it.join("containers").join("auth.json"));
    docker.into_iter().chain(podman).collect()
}

#[cfg(test)]
mod tests;
