//! The shared cache of a build: which it is, whose answers count there, and who signs what the
//! build adds.
//!
//! The public keys are read first. The private key is read when everything else is done, so this
//! process does not hold it while it works on untrusted programs.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use edgec_artifact::{Sha256Digest, SignerKeys};
use edgec_builder::cache::{Cache, SharedAnswers};
use edgec_shared_cache::{
    Address, AddressError, Names, Options, SCHEMES, SharedCache, StoreError, Trouble, is_namespace,
    name_of, survey, verify,
};
use zeroize::Zeroizing;

use super::asked::{Inputs, Use};
use super::{SharedArguments, SharedReport, Surveyed};
use crate::failure::{Exit, Failure, chain};
use crate::files::{self, STDIN};
use crate::shield::shield;
use crate::{keys, render};

/// The variables with the user and the password for a cache whose URL has none.
const USER_VARIABLE: &str = "EDGEC_CACHE_USER";
const PASSWORD_VARIABLE: &str = "EDGEC_CACHE_PASSWORD";
/// How long `edgec cache` waits for each request.
const SURVEY_TIMEOUT: Duration = Duration::from_secs(60);

/// The shared cache of a build.
pub(crate) struct Shared {
    answers: Arc<Answers>,
    /// Its address, without secrets.
    shown: String,
    /// The key that signs what the build adds, if it adds something.
    key: Option<PathBuf>,
}

#[derive(Debug)]
struct Answers(SharedCache);

impl SharedAnswers for Answers {
    fn recall(&self, kind: &str, key: &Sha256Digest) -> Option<Vec<u8>> {
        self.0.recall(kind, key)
    }
}

impl SharedArguments {
    /// The name of the builds whose answers count.
    pub(crate) fn checked_namespace(&self) -> Result<&str, Failure> {
        match is_namespace(&self.cache_namespace) {
            true => Ok(&self.cache_namespace),
            false => Err(Failure::usage(
                "cache-namespace",
                "a namespace has 1 to 64 lower-case letters, digits, `-`, `_` and `.`, and does \
                 not begin with `.`",
            )
            .about("--cache-namespace")
            .hint("name it as the kind of builds: build, release")),
        }
    }

    fn trusted(&self) -> Result<Vec<SignerKeys>, Failure> {
        let keys = self.cache_trust.iter().map(|path| keys::read_public(path));
        keys.map(|key| Ok(key?.0)).collect()
    }
}

/// A shared cache that was named, and is not asked yet.
pub(super) struct Named {
    address: Address,
    trusted: Vec<SignerKeys>,
}

/// Finds everything that is wrong with the arguments of a shared cache.
pub(super) fn named(url: &str, asked: &Use<'_>) -> Result<Named, Failure> {
    let address = address(url)?;
    let trusted = asked.arguments.trusted()?;
    if trusted.is_empty() && asked.key.is_none() {
        let message = "no key says whose answers count, and anyone may have written them";
        return Err(Failure::usage("cache-trust", message)
            .about(&address)
            .hint("name the public keys of its writers with --cache-trust"));
    }
    if let Some(key) = asked.key {
        keys::look(key, None)?;
    }
    Ok(Named { address, trusted })
}

impl Named {
    /// Puts the shared cache behind the folder of this machine.
    pub(super) fn behind(self, cache: &Cache, asked: Use<'_>) -> Shared {
        let shown = render::safe(&self.address.to_string());
        let namespace = asked.arguments.cache_namespace.clone();
        let identity = cache.identity();
        let mut options = Options::new(self.address, namespace, identity);
        options.trusted = self.trusted;
        options.deadline = asked.deadline;
        options.write_deadline = asked.write_deadline;
        let naming = naming(asked.inputs, asked.scope.to_owned(), identity);
        let answers = Arc::new(Answers(SharedCache::new(options, naming)));
        cache.share(answers.clone());
        Shared {
            answers,
            shown,
            key: asked.key.map(Path::to_owned),
        }
    }
}

/// How the packs of a build are named. The path of an input is no part of a name.
fn naming(
    inputs: Inputs,
    scope: String,
    identity: Sha256Digest,
) -> impl FnOnce() -> Names + Send + 'static {
    move || {
        let identity = identity.to_string();
        let texts: Vec<&str> = inputs.settings.iter().map(String::as_str).collect();
        let digests: Option<Vec<String>> = inputs.files.iter().map(|it| digest(it)).collect();
        let exact = digests.map(|digests| {
            let digests = digests.iter().map(String::as_str);
            name_of(
                ["exact", &identity]
                    .into_iter()
                    .chain(texts.clone())
                    .chain(digests),
            )
        });
        let applications = inputs.applications.iter().map(String::as_str);
        let line = ["line", &identity, &scope].into_iter().chain(applications);
        Names::new(exact, name_of(line.chain(texts)))
    }
}

/// The digest of an input, if it is a file that can be read twice.
fn digest(path: &Path) -> Option<String> {
    let is_file = path.as_os_str() != STDIN && path.metadata().is_ok_and(|it| it.is_file());
    let file = is_file.then(|| File::open(path).ok()).flatten()?;
    let (digest, _) = Sha256Digest::of_stream(&file).ok()?;
    Some(digest.to_string())
}

impl Shared {
    /// How much the build has used it.
    pub(crate) fn report(&self) -> SharedReport {
        let used = self.answers.0.used();
        SharedReport {
            hits: used.hits,
            bytes_read: used.bytes_read,
        }
    }

    /// Writes the answers of the build, if it found out something itself, and says what went
    /// wrong: one thing at most.
    pub(crate) fn finish(&self, cache: &Cache) {
        cache.settle();
        let shared = &self.answers.0;
        let mut warning = None;
        if let Some(key) = &self.key
            && cache.used().bytes_written > 0
            && shared.is_writable()
        {
            shield();
            match keys::read(key, None) {
                Ok(key) => drop(shared.write(&key, cache.answers_of_build())),
                Err(failure) => warning = Some(failure),
            }
        }
        let trouble = shared.trouble().map(|trouble| trouble_of(&trouble));
        let warning = trouble.or(warning);
        if let Some(warning) = warning {
            warning.or_about_safe(&self.shown).print_warning();
        }
    }
}

fn trouble_of(trouble: &Trouble) -> Failure {
    let failure = Failure::new(Exit::Environment, trouble.code(), chain(trouble));
    failure.hint(match trouble {
        Trouble::Late { .. } => {
            "the artifacts are the same; --cache-deadline says how long to wait"
        }
        Trouble::WrittenLate { .. } => {
            "the artifacts are written; --cache-write-deadline says how long to wait"
        }
        Trouble::Refused(_) => {
            "the build has done this work itself; find out who can write to the shared cache"
        }
        _ => "the artifacts are the same; build without it: --cache names a folder alone",
    })
}

/// The shared cache that a text names.
fn address(url: &str) -> Result<Address, Failure> {
    let address = Address::parse(url).map_err(|error| address_failure(&error))?;
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let password = variable(PASSWORD_VARIABLE).map(Zeroizing::new);
    Ok(address.with_login(variable(USER_VARIABLE), password))
}

fn address_failure(error: &AddressError) -> Failure {
    let failure = Failure::usage(error.code(), chain(error)).about("--cache");
    match error {
        AddressError::Scheme { .. } => failure.hint(format!("it begins with one of: {}", {
            let schemes = SCHEMES.map(|scheme| format!("{scheme}://"));
            schemes.join(", ")
        })),
        AddressError::Login { .. } => failure.hint(
            "its clients take their secrets from the environment: AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY, or those of the runner",
        ),
        _ => failure.hint("docs/cache.md has the form of each URL"),
    }
}

fn store_failure(error: &StoreError, address: &Address) -> Failure {
    let failure = Failure::environment("cache-store", error).about(address);
    match error {
        StoreError::NoList => failure.hint("its server's own tools show what it holds"),
        _ => failure.hint("is the server there, and does it know the user?"),
    }
}

/// What a shared cache holds, for `edgec cache stats`.
pub(crate) fn stats(url: &str, arguments: &SharedArguments) -> Result<(String, u64, u64), Failure> {
    let address = address(url)?;
    let namespace = arguments.checked_namespace()?;
    let found = survey(&address, namespace, SURVEY_TIMEOUT);
    let found = found.map_err(|error| store_failure(&error, &address))?;
    Ok((address.to_string(), found.packs, found.bytes))
}

/// Reads every pack of a shared cache, for `edgec cache verify`.
pub(crate) fn check(url: &str, arguments: &SharedArguments) -> Result<Surveyed, Failure> {
    let address = address(url)?;
    let namespace = arguments.checked_namespace()?;
    let trusted = arguments.trusted()?;
    if trusted.is_empty() {
        return Err(
            Failure::usage("cache-trust", "no key says whose answers count")
                .about(&address)
                .hint("name the public keys of its writers with --cache-trust"),
        );
    }
    let found = verify(&address, namespace, &trusted, SURVEY_TIMEOUT);
    let found = found.map_err(|error| store_failure(&error, &address))?;
    Ok(Surveyed {
        whole: found.whole,
        damaged: found.damaged,
        refused: found.refused,
    })
}

/// The files that a build reads for its shared cache.
pub(super) fn files_read(arguments: &SharedArguments, key: Option<&Path>) -> Vec<PathBuf> {
    let keys = key.into_iter().map(Path::to_owned);
    let is_file = |path: &PathBuf| {
        !path
            .as_os_str()
            .as_encoded_bytes()
            .starts_with(files::VARIABLE_PREFIX.as_bytes())
    };
    keys.chain(arguments.cache_trust.iter().cloned())
        .filter(is_file)
        .collect()
}
