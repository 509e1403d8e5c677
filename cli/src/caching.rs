//! The build cache of the command line: which folder it is, and how large it may become.

use std::path::PathBuf;

use edgec_builder::cache::{self, Cache, CacheError, CacheUse};
use edgec_builder::{Tools, WorkerProgram};
use etcetera::BaseStrategy as _;
use serde::Serialize;

use crate::failure::Failure;
use crate::number::{MEBIBYTES, number};
use crate::render;

/// The variable with the cache's folder.
pub(crate) const CACHE_VARIABLE: &str = "EDGEC_CACHE";

/// The value of the variable that turns the cache off.
const OFF: &str = "off";

/// Where the cache is.
#[derive(clap::Args, Clone)]
pub(crate) struct CacheFolderArguments {
    /// The folder of the build cache, or `off` [default: `edgec/build` in the user's cache folder]
    #[arg(long, value_name = "DIR", env = CACHE_VARIABLE, hide_env_values = true, global = true)]
    cache: Option<PathBuf>,
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
    #[arg(long, value_name = "NAME")]
    cache_scope: Option<String>,
}

/// The cache of a build.
pub(crate) struct BuildCache {
    cache: Cache,
    folder: PathBuf,
    /// The most bytes that it may hold.
    most: u64,
    /// Whose functions may be used for each other.
    scope: String,
}

/// How much a build used the cache.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CacheReport {
    hits: u64,
    misses: u64,
    bytes_read: u64,
    bytes_written: u64,
}

impl CacheReport {
    /// A line for the summary. Nothing if no step was taken from the cache.
    pub(crate) fn line(&self) -> String {
        match self.hits {
            0 => String::new(),
            hits => format!(
                "{hits} of {} steps from the build cache\n",
                hits + self.misses
            ),
        }
    }
}

impl CacheFolderArguments {
    /// The folder. `None` if the cache is turned off.
    pub(crate) fn folder(&self) -> Result<Option<PathBuf>, Failure> {
        match &self.cache {
            Some(folder) if folder.as_os_str() == OFF => Ok(None),
            Some(folder) => Ok(Some(folder.clone())),
            None => {
                let home = etcetera::choose_base_strategy().map_err(|error| {
                    Failure::environment("no-home", &error)
                        .about("the build cache")
                        .hint("set HOME, name a folder with --cache, or turn it off: --no-cache")
                })?;
                Ok(Some(home.cache_dir().join("edgec").join("build")))
            }
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

    /// Opens the cache. A build does not need it: if it cannot be used, a warning says why.
    pub(crate) fn open(&self, program: &WorkerProgram) -> Option<BuildCache> {
        if self.no_cache {
            return None;
        }
        let opened = self.folder.folder().and_then(|folder| {
            let Some(folder) = folder else {
                return Ok(None);
            };
            let cache = Cache::open(&folder, program).map_err(|error| cache_failure(&error))?;
            Ok(Some(BuildCache {
                cache,
                folder,
                most: self.cache_size << 20,
                scope: self.scope(),
            }))
        });
        opened.unwrap_or_else(|failure| {
            failure.or_about("the build cache").print_warning();
            None
        })
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
        }
    }

    /// Removes what was used longest ago, if the build wrote something and the cache is too large.
    /// Everything else is done when this is called.
    pub(crate) fn tidy(&self) {
        let used = self.cache.used();
        if used.unwritten > 0 {
            let folder = render::path(&self.folder);
            eprintln!("warning: {folder}: the build cache cannot be written");
        }
        if used.bytes_written > 0
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
