//! The build cache of the command line: which folder it is, how large it may become, and which
//! shared cache is behind it.

mod asked;
mod places;
#[cfg(feature = "shared-cache")]
mod shared;
#[cfg(not(feature = "shared-cache"))]
#[path = "caching/unshared.rs"]
mod shared;

use std::path::{Path, PathBuf};
use std::time::Duration;

use edgec_builder::cache::{self, Cache, CacheError, CacheUse, DEFAULT_NAMESPACE};
use edgec_builder::{Tools, WorkerProgram};
use etcetera::BaseStrategy as _;
use serde::Serialize;

pub(crate) use self::asked::Inputs;
use self::asked::Use;
pub(crate) use self::places::is_url;
use self::places::{Places, places};
use self::shared::Shared;
pub(crate) use self::shared::{check, stats};
use crate::failure::Failure;
use crate::number::{MEBIBYTES, SECONDS, number};
use crate::render;

/// The variable with the cache's folder, or with the URL of a shared cache.
pub(crate) const CACHE_VARIABLE: &str = "EDGEC_CACHE";
/// The variable with the URL of a shared cache, beside a folder.
const CACHE_URL_VARIABLE: &str = "EDGEC_CACHE_URL";
/// The variable with the key that signs what a build adds to a shared cache.
pub(crate) const CACHE_KEY_VARIABLE: &str = "EDGEC_CACHE_KEY";

/// The value of the variable that turns the cache off.
const OFF: &str = "off";

/// Where the cache is.
#[derive(clap::Args, Clone)]
pub(crate) struct CacheFolderArguments {
    /// The folder of the build cache, or `off` [default: `edgec/build` in the user's cache folder];
    /// also the URL of a shared cache behind it: `redis://`, `s3://`, `webdav://`, `ghac://`
    /// (docs/cache.md)
    #[arg(long, value_name = "DIR|URL", env = CACHE_VARIABLE, hide_env_values = true, global = true)]
    cache: Vec<PathBuf>,
}

/// Whose answers in a shared cache count.
#[derive(clap::Args, Clone)]
pub(crate) struct SharedArguments {
    /// A public key whose answers in a shared cache count; repeatable, or several with commas
    #[arg(
        long,
        value_name = "PUBLIC_KEY",
        value_delimiter = ',',
        env = "EDGEC_CACHE_TRUST",
        hide_env_values = true
    )]
    cache_trust: Vec<PathBuf>,
    /// The kind of builds: answers of another kind do not count, so release builds have their own
    #[arg(long, value_name = "NAME", default_value = DEFAULT_NAMESPACE, env = "EDGEC_CACHE_NAMESPACE", hide_env_values = true)]
    cache_namespace: String,
}

/// Reads a switch in a variable. edgec does not guess whether a build may write to a shared cache,
/// so another text is an error. CI systems give a variable without a value the empty text.
fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "" | "0" | "n" | "no" | "f" | "false" | "off" => Ok(false),
        "1" | "y" | "yes" | "t" | "true" | "on" => Ok(true),
        _ => Err("write `true` or `false`".to_owned()),
    }
}

/// How a build uses the cache.
#[derive(clap::Args)]
pub(crate) struct CacheArguments {
    #[command(flatten)]
    folder: CacheFolderArguments,
    /// Neither read nor write the build cache
    #[arg(long)]
    no_cache: bool,
    /// The most that the build cache may hold, in MiB; the build removes what was used longest ago
    /// when everything else is done
    #[arg(long, value_name = "MIB", default_value = "5120", value_parser = number(0..=1 << 30, MEBIBYTES))]
    cache_size: u64,
    /// The project: builds of an application use the compiled functions of earlier builds in the
    /// same project [default: the path of the current folder]
    #[arg(
        long,
        value_name = "NAME",
        env = "EDGEC_CACHE_SCOPE",
        hide_env_values = true
    )]
    cache_scope: Option<String>,
    #[command(flatten)]
    shared: SharedArguments,
    /// Also write to the shared cache, for builds whose programs are trusted: not for pull requests
    #[arg(
        long,
        env = "EDGEC_CACHE_WRITE",
        hide_env_values = true,
        value_parser = switch
    )]
    cache_write: bool,
    /// The private key that signs what is written to the shared cache: a file, or `env:NAME`
    #[arg(long, value_name = "FILE", env = CACHE_KEY_VARIABLE, hide_env_values = true)]
    cache_key: Option<PathBuf>,
    /// Seconds that the build waits for the shared cache, in sum
    #[arg(long, value_name = "SECONDS", default_value = "2", env = "EDGEC_CACHE_DEADLINE", hide_env_values = true, value_parser = number(0..=3600, SECONDS))]
    cache_deadline: u64,
    /// Seconds that writing to the shared cache may take, when everything else is done
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = number(0..=3600, SECONDS))]
    cache_write_deadline: u64,
}

/// The cache of a build.
pub(crate) struct BuildCache {
    cache: Cache,
    folder: PathBuf,
    /// The most bytes that it may hold.
    most: u64,
    /// Whose functions may be used for each other.
    scope: String,
    shared: Option<Shared>,
}

/// How much a build used a shared cache.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SharedReport {
    hits: u64,
    bytes_read: u64,
}

/// What a check of a shared cache found.
#[derive(Serialize)]
pub(crate) struct Surveyed {
    pub(crate) whole: u64,
    pub(crate) damaged: u64,
    pub(crate) refused: u64,
}

/// What `edgec cache` looks after.
pub(crate) enum Kept {
    Folder(PathBuf),
    /// The URL of a shared cache, as it was written.
    Shared(String),
}

/// How much a build used the cache.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CacheReport {
    hits: u64,
    misses: u64,
    bytes_read: u64,
    bytes_written: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    shared: Option<SharedReport>,
}

impl CacheReport {
    /// A line for the summary. Nothing if no step was taken from the cache.
    pub(crate) fn line(&self) -> String {
        let shared = match &self.shared {
            Some(shared) if shared.hits > 0 => format!(", {} of them shared", shared.hits),
            _ => String::new(),
        };
        match self.hits {
            0 => String::new(),
            hits => format!(
                "{hits} of {} steps from the build cache{shared}\n",
                hits + self.misses
            ),
        }
    }
}

impl CacheFolderArguments {
    /// The folder, or a shared cache that is named alone. `None` if the cache is turned off.
    pub(crate) fn kept(&self) -> Result<Option<Kept>, Failure> {
        match places(&self.cache)? {
            Places::Named {
                folder: None,
                url: Some(url),
            } if !self.cache.is_empty() => Ok(Some(Kept::Shared(url))),
            _ => Ok(self.folder()?.map(Kept::Folder)),
        }
    }

    /// The folder. `None` if the cache is turned off.
    pub(crate) fn folder(&self) -> Result<Option<PathBuf>, Failure> {
        match places(&self.cache)? {
            Places::Off => Ok(None),
            Places::Named {
                folder: Some(folder),
                ..
            } => Ok(Some(folder)),
            Places::Named { folder: None, .. } => {
                let home = etcetera::choose_base_strategy().map_err(|error| {
                    Failure::environment("no-home", &error)
                        .about("the build cache")
                        .hint("set HOME, name a folder with --cache, or turn it off: --no-cache")
                })?;
                Ok(Some(home.cache_dir().join("edgec").join("build")))
            }
        }
    }

    /// The shared cache behind the folder, as it was named.
    fn url(&self) -> Result<Option<String>, Failure> {
        match places(&self.cache)? {
            Places::Off => Ok(None),
            Places::Named { url, .. } => Ok(url),
        }
    }
}

impl CacheArguments {
    /// The project whose functions a build may use.
    fn scope(&self) -> String {
        let folder = || std::env::current_dir().unwrap_or_default();
        let named = self.cache_scope.clone();
        named.unwrap_or_else(|| folder().to_string_lossy().into_owned())
    }

    /// The files that are read, which no output may overwrite.
    pub(crate) fn reads(&self) -> Vec<PathBuf> {
        shared::files_read(&self.shared, self.cache_key.as_deref())
    }

    /// Opens the cache. A build does not need its folder: if it cannot be used, a warning says why.
    /// A shared cache that is named wrongly is an error. Whether it is there shows later.
    pub(crate) fn open(
        &self,
        program: &WorkerProgram,
        inputs: Inputs,
    ) -> Result<Option<BuildCache>, Failure> {
        if self.no_cache {
            return Ok(None);
        }
        let namespace = self.shared.checked_namespace()?;
        let scope = self.scope();
        let asked = Use {
            arguments: &self.shared,
            deadline: Duration::from_secs(self.cache_deadline),
            write_deadline: Duration::from_secs(self.cache_write_deadline),
            key: self.writing_key()?,
            scope: &scope,
            inputs,
        };
        let url = self.folder.url()?;
        let named = url.map(|url| shared::named(&url, &asked)).transpose()?;
        let opened = self.folder.folder().and_then(|folder| {
            let Some(folder) = folder else {
                return Ok(None);
            };
            let cache = Cache::open(&folder, program, namespace);
            let cache = cache.map_err(|error| cache_failure(&error))?;
            Ok(Some((cache, folder)))
        });
        let opened = opened.unwrap_or_else(|failure| {
            failure.or_about("the build cache").print_warning();
            None
        });
        Ok(opened.map(|(cache, folder)| BuildCache {
            shared: named.map(|named| named.behind(&cache, asked)),
            cache,
            folder,
            most: self.cache_size << 20,
            scope: scope.clone(),
        }))
    }

    /// The key that signs what is written to a shared cache. `None` if nothing is written.
    fn writing_key(&self) -> Result<Option<&Path>, Failure> {
        match (self.cache_write, &self.cache_key) {
            (false, _) => Ok(None),
            (true, Some(key)) => Ok(Some(key)),
            (true, None) => {
                let message = "--cache-write needs a key that signs what is written";
                Err(Failure::usage("cache-key", message)
                    .about("the shared cache")
                    .hint("name one with --cache-key; `edgec keygen -o cache.pem` makes one"))
            }
        }
    }
}

impl BuildCache {
    /// Makes the steps of a build use the cache.
    pub(crate) fn serve(&self, tools: &mut Tools) {
        tools.keep_answers(&self.cache, &self.scope);
    }

    /// How much it was used.
    pub(crate) fn report(&self) -> CacheReport {
        let used: CacheUse = self.cache.used();
        CacheReport {
            hits: used.hits,
            misses: used.misses,
            bytes_read: used.bytes_read,
            bytes_written: used.bytes_written,
            shared: self.shared.as_ref().map(Shared::report),
        }
    }

    /// Writes to the shared cache, if the build does. Removes what was used longest ago, if the
    /// build wrote something and the cache is too large. Everything else is done when this is
    /// called.
    pub(crate) fn tidy(&self) {
        if let Some(shared) = &self.shared {
            shared.finish(&self.cache);
        }
        let used = self.cache.used();
        if used.unwritten > 0 {
            let folder = render::path(&self.folder);
            eprintln!("warning: {folder}: the build cache cannot be written");
        }
        if (used.bytes_written > 0 || self.shared.is_some())
            && let Err(error) = cache::prune(&self.folder, self.most)
        {
            cache_failure(&error).print_warning();
        }
    }
}

/// The failure of a cache.
pub(crate) fn cache_failure(error: &CacheError) -> Failure {
    Failure::environment(error.code(), error)
        .hint("name another folder with --cache, or build without a cache: --no-cache")
}
