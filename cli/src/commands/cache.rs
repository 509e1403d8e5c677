//! `edgec cache`: what the build cache holds, and how it stays small and whole.

mod recompile;

use std::path::Path;
use std::process::ExitCode;

use edgec_builder::cache::{self, CacheStats};
use serde::Serialize;

use self::recompile::Recompiled;

use crate::Outcome;
use crate::caching::{self, CacheFolderArguments, Kept, SharedArguments, cache_failure};
use crate::document;
use crate::failure::{Exit, Failure, code};
use crate::number::{COUNT, MEBIBYTES, number};
use crate::render::{self, Format};
use crate::workers::LimitArguments;

/// Look after the build cache, in which `build` keeps what it may need again
///
/// Removing it, or a part of it, is always safe (docs/cache.md).
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    folder: CacheFolderArguments,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Print what the cache holds
    Stats(OfKind),
    /// Remove what was used longest ago
    Prune(Prune),
    /// Read every entry, and remove those that are damaged, or that differ from what edgec makes
    Verify(Verify),
}

#[derive(clap::Args)]
struct OfKind {
    #[command(flatten)]
    shared: SharedArguments,
    /// The format of the answer
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(clap::Args)]
struct Prune {
    /// How much may be left, in MiB; 0 removes everything
    #[arg(long, value_name = "MIB", default_value = "0", value_parser = number(0..=1 << 30, MEBIBYTES))]
    to: u64,
    /// The format of the answer
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(clap::Args)]
struct Verify {
    /// Also compile this many of the native images again, chosen at random, and compare the images
    /// and their functions with what is kept
    #[arg(long, value_name = "NUMBER", value_parser = number(1..=u64::MAX, COUNT))]
    recompile: Option<u64>,
    #[command(flatten)]
    limits: LimitArguments,
    #[command(flatten)]
    shared: SharedArguments,
    /// The format of the answer
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    folder: String,
    entries: u64,
    bytes: u64,
    kinds: Vec<Kind>,
}

#[derive(Serialize)]
struct Kind {
    kind: String,
    entries: u64,
    bytes: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pruned {
    removed_entries: u64,
    removed_bytes: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Verified {
    whole: u64,
    damaged: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    recompiled: Option<Recompiled>,
}

#[derive(Serialize)]
struct SharedStats {
    url: String,
    packs: u64,
    bytes: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let kept = arguments.folder.kept()?;
    let kept = kept.ok_or_else(|| Failure::usage("cache-off", "the build cache is off"))?;
    let folder = match kept {
        Kept::Folder(folder) => folder,
        Kept::Shared(url) => return of_shared(&url, &arguments.command),
    };
    match &arguments.command {
        Command::Stats(formatted) => {
            let stats = cache::stats(&folder).map_err(|error| cache_failure(&error))?;
            let stats = reported(&folder, stats);
            document::answer(true, &stats, formatted.format, text);
            Ok(ExitCode::SUCCESS)
        }
        Command::Prune(prune) => {
            let pruned = cache::prune(&folder, prune.to << 20);
            let pruned = pruned.map_err(|error| cache_failure(&error))?;
            let pruned = Pruned {
                removed_entries: pruned.entries,
                removed_bytes: pruned.bytes,
                bytes: pruned.left,
            };
            document::answer(true, &pruned, prune.format, |pruned| {
                format!(
                    "removed {} ({} bytes); {} bytes are left\n",
                    entries(pruned.removed_entries),
                    pruned.removed_bytes,
                    pruned.bytes
                )
            });
            Ok(ExitCode::SUCCESS)
        }
        Command::Verify(arguments) => verify(&folder, arguments),
    }
}

/// The same for a shared cache.
fn of_shared(url: &str, command: &Command) -> Outcome {
    match command {
        Command::Stats(asked) => {
            let (url, packs, bytes) = caching::stats(url, &asked.shared)?;
            let stats = SharedStats { url, packs, bytes };
            document::answer(true, &stats, asked.format, |stats| {
                let SharedStats { url, packs, bytes } = stats;
                format!("{}: {packs} packs, {bytes} bytes\n", render::safe(url))
            });
            Ok(ExitCode::SUCCESS)
        }
        Command::Prune(_) => {
            let message = "edgec removes nothing from a shared cache";
            Err(Failure::usage("cache-shared", message)
                .hint("its server does: maxmemory of Redis, or a lifecycle rule of S3"))
        }
        Command::Verify(asked) if asked.recompile.is_some() => {
            let message = "a shared cache does not keep what its images were made of";
            Err(Failure::usage("cache-shared", message)
                .hint("compile the images of a folder again: `edgec cache verify --recompile`"))
        }
        Command::Verify(asked) => {
            let found = caching::check(url, &asked.shared)?;
            let is_whole = found.damaged == 0 && found.refused == 0;
            document::answer(is_whole, &found, asked.format, |found| {
                format!(
                    "{} whole, {} damaged; {} packs do not count\n",
                    entries(found.whole),
                    found.damaged,
                    found.refused
                )
            });
            Ok(match is_whole {
                true => ExitCode::SUCCESS,
                false => code(Exit::Rejected),
            })
        }
    }
}

fn verify(folder: &Path, arguments: &Verify) -> Outcome {
    let verified = cache::verify(folder).map_err(|error| cache_failure(&error))?;
    // What is damaged is removed now, so it is not compiled again.
    let recompiled = arguments.recompile.map(|most| {
        let namespace = arguments.shared.checked_namespace()?;
        recompile::run(folder, &arguments.limits, namespace, most)
    });
    let verified = Verified {
        whole: verified.whole,
        damaged: verified.damaged,
        recompiled: recompiled.transpose()?,
    };
    let differs = verified
        .recompiled
        .as_ref()
        .is_some_and(Recompiled::differs);
    let is_right = verified.damaged == 0 && !differs;
    document::answer(is_right, &verified, arguments.format, |verified| {
        let whole = entries(verified.whole);
        let damaged = verified.damaged;
        let mut text = format!("{whole} whole, {damaged} damaged and removed\n");
        text.extend(verified.recompiled.as_ref().map(Recompiled::text));
        text
    });
    Ok(match is_right {
        true => ExitCode::SUCCESS,
        false => code(Exit::Rejected),
    })
}

fn reported(folder: &Path, stats: CacheStats) -> Stats {
    let kinds = stats
        .kinds
        .into_iter()
        .map(|(kind, (entries, bytes))| Kind {
            kind,
            entries,
            bytes,
        });
    Stats {
        folder: render::path(folder),
        entries: stats.entries,
        bytes: stats.bytes,
        kinds: kinds.collect(),
    }
}

fn text(stats: &Stats) -> String {
    let head = ["STEP", "ENTRIES", "BYTES"].map(str::to_owned);
    let rows = stats.kinds.iter().map(|kind| {
        let numbers = [kind.entries.to_string(), kind.bytes.to_string()];
        [vec![render::safe(&kind.kind)], numbers.to_vec()].concat()
    });
    let rows: Vec<_> = std::iter::once(head.to_vec()).chain(rows).collect();
    format!(
        "{}: {}, {} bytes\n{}",
        stats.folder,
        entries(stats.entries),
        stats.bytes,
        render::table(&rows)
    )
}

fn entries(number: u64) -> String {
    match number {
        1 => "1 entry".to_owned(),
        _ => format!("{number} entries"),
    }
}
