//! `edgec symbolize`: finds names for addresses and for the lines of a backtrace.

mod log;
mod names;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use edgec_artifact::{Artifact, VerityDigest, verity};
use edgec_compiler::{DebugInfo, Place};
use serde::Serialize;

use self::names::Names;
use crate::Outcome;
use crate::document;
use crate::failure::{Exit, Failure, code};
use crate::file_kind::{Wanted, explain};
use crate::files;
use crate::render::{self, Format, safe};

/// The maximum size of all names of addresses together, in bytes (8 MiB). They are printed as one
/// table or document, so all of them are in memory at once.
const MAX_NAMES_LEN: usize = 8 << 20;

/// Name the functions of addresses and backtraces, with a debug file
///
/// Without addresses, edgec reads a backtrace from standard input and prints it again with names:
/// in lines of Wasmtime (`<wasm function 7>`), and in lines with an address in the artifact
/// (`app.cwasm+0x1234`). The input may be a whole log, of at most 64 MiB; bytes that are not UTF-8
/// become U+FFFD.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The debug file, from `edgec build --debug-file`
    debug: PathBuf,
    /// Addresses: `0x1234` or `app.cwasm+0x1234` in the mapped file, `text+0x1234` in the code
    addresses: Vec<String>,
    /// The artifact that was running; edgec then refuses a debug file of another image, and
    /// addresses in other files
    #[arg(long, value_name = "FILE")]
    artifact: Option<PathBuf>,
    /// The format of the answers for addresses
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// The function at an address, or why it is unknown.
#[derive(Serialize)]
struct Row {
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let read: Vec<PathBuf> = [Some(arguments.debug.clone()), arguments.artifact.clone()]
        .into_iter()
        .flatten()
        .chain(arguments.addresses.is_empty().then(|| files::STDIN.into()))
        .collect();
    files::refuse_stdin_twice(&read)?;
    let file = files::read_artifact(&arguments.debug)?;
    let info = DebugInfo::read(&file).map_err(|error| {
        let failure = Failure::rejected("debug-file", &error).about(arguments.debug.display());
        explain(failure, &file, Wanted::DebugFile)
    })?;
    if let Some(artifact) = &arguments.artifact {
        check_build_id(&info, artifact)?;
    }
    let files = Files::new(&info, arguments.artifact.as_deref());
    if arguments.addresses.is_empty() && arguments.format == Format::Json {
        let message = "a backtrace is printed again as text; only addresses have a JSON document";
        return Err(Failure::usage("format", message).hint("name addresses, or leave --format out"));
    }
    if arguments.addresses.is_empty() {
        log::print(&info, &files, &files::read_log()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut names = Names::new(MAX_NAMES_LEN);
    // If one address is wrong, the others still get their answers.
    let rows = arguments.addresses.iter().map(|text| {
        let place = Address::parse(text, &files).and_then(|address| match address.place(&info) {
            Some(place) => names
                .place(&place)
                .ok_or_else(|| names.failure().about(text).hint("name fewer addresses")),
            None => Ok("not in a function".to_owned()),
        });
        let (place, error) = match place {
            Ok(place) => (Some(place), None),
            Err(failure) => (None, Some(failure)),
        };
        Row {
            address: safe(text),
            place,
            error,
        }
    });
    let rows: Vec<Row> = rows.collect();
    print(&rows, arguments.format);
    Ok(match rows.iter().any(|row| row.error.is_some()) {
        false => ExitCode::SUCCESS,
        true => code(Exit::Rejected),
    })
}

fn print(rows: &[Row], format: Format) {
    match format {
        Format::Json | Format::Sarif => {
            document::print_list(rows.iter().all(|row| row.error.is_none()), rows);
        }
        Format::Text => {
            let cells = |row: &Row| Some(vec![row.address.clone(), row.place.clone()?]);
            let cells: Vec<_> = rows.iter().filter_map(cells).collect();
            render::out!("{}", render::table(&cells));
        }
    }
    let wrong = rows.iter().filter_map(|row| row.error.as_ref());
    wrong.for_each(|failure| failure.tell(format));
}

/// Does not verify the artifact: it has crashed, so it has already run.
fn check_build_id(info: &DebugInfo<'_>, path: &Path) -> Result<(), Failure> {
    let file = files::read_artifact(path)?;
    let artifact = Artifact::decode(&file).map_err(|error| {
        let failure = Failure::rejected("layout", &error).about(path.display());
        explain(failure, &file, Wanted::Artifact)
    })?;
    let (found, known) = (
        verity::digest(artifact.image()),
        VerityDigest(info.build_id),
    );
    if found == known {
        return Ok(());
    }
    let message = format!("its image is {found}, and the debug file is that of {known}");
    Err(Failure::new(Exit::Rejected, "build-id", message)
        .about(path.display())
        .hint("use the debug file that was written beside this artifact"))
}

/// The names of the files that the debug file is about.
struct Files {
    /// The artifact that the user named, else every `.cwasm`.
    artifact: Option<String>,
    /// The image's name in a store.
    image: String,
}

impl Files {
    fn new(info: &DebugInfo<'_>, artifact: Option<&Path>) -> Self {
        let name = artifact.and_then(Path::file_name);
        Self {
            artifact: name.map(|name| name.to_string_lossy().into_owned()),
            image: format!("{}.elf", VerityDigest(info.build_id)),
        }
    }

    /// Whether a text ends with one of these names.
    fn end(&self, text: &str) -> bool {
        let ends = |name: &str| {
            let before = text.strip_suffix(name);
            before
                .is_some_and(|before| before.is_empty() || before.ends_with(['/', '(', ' ', '\t']))
        };
        ends(&self.image)
            || match &self.artifact {
                Some(name) => ends(name),
                None => text.ends_with(".cwasm"),
            }
    }
}

/// A place in a crash report or a profile.
#[derive(Clone, Copy)]
enum Address {
    /// Bytes from the start of the file.
    File(u64),
    /// Bytes from the start of the code.
    Text(u64),
}

impl Address {
    fn parse(text: &str, files: &Files) -> Result<Self, Failure> {
        let failed = |message| Failure::new(Exit::Rejected, "address", message).about(text);
        let (within, number) = text.rsplit_once('+').unwrap_or(("", text));
        let number = hexadecimal(number).ok_or_else(|| {
            failed("not an address")
                .hint("0x1234 or app.cwasm+0x1234 in the file, text+0x1234 in the code")
        })?;
        match within {
            "text" => Ok(Self::Text(number)),
            "" => Ok(Self::File(number)),
            file if files.end(file) => Ok(Self::File(number)),
            _ => Err(failed("a place in another file").hint(format!(
                "the debug file is about {}, which a store calls {}; an address alone, such as 0x1234, is in that file",
                files.artifact.as_deref().unwrap_or("a .cwasm"),
                files.image,
            ))),
        }
    }

    fn place<'i>(self, info: &'i DebugInfo<'_>) -> Option<Place<'i>> {
        match self {
            Self::File(offset) => info.at_image_offset(offset),
            Self::Text(offset) => info.at_text_offset(offset),
        }
    }
}

fn hexadecimal(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x")?;
    // `from_str_radix` would accept a sign.
    let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u64::from_str_radix(digits, 16).ok().filter(|_| plain)
}
