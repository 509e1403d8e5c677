//! Files: read with a bound, written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The longest input that is read, in bytes (1 GiB).
const MAX_LEN: u64 = 1 << 30;

/// The longest private key file that is read, in bytes.
const MAX_SECRET_LEN: u64 = 64 * 1024;

/// The name that means standard input.
pub(crate) const STDIN: &str = "-";

/// Reads a file, or standard input for `-`.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = if path.as_os_str() == STDIN {
        read_bounded(io::stdin().lock())
    } else {
        fs::metadata(path)
            .and_then(|metadata| match metadata.is_dir() {
                true => Err(io::ErrorKind::IsADirectory.into()),
                false => File::open(path),
            })
            .and_then(read_bounded)
    };
    bytes.map_err(|error| cannot("read", path, &error))
}

/// Reads a text file.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    let text = String::from_utf8(read(path)?);
    text.map_err(|error| Failure::rejected("not-text", &error.utf8_error()).about(path.display()))
}

/// Reads a private key's file, and refuses one that others may read or change.
pub(crate) fn read_secret(path: &Path) -> Result<String, Failure> {
    let open = || {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let mut text = String::new();
        (&mut file).take(MAX_SECRET_LEN).read_to_string(&mut text)?;
        Ok((metadata, text))
    };
    let (metadata, text) = open().map_err(|error| cannot("read", path, &error))?;
    refuse_if_shared(path, &metadata)?;
    Ok(text)
}

/// Judged by the open file, not by its name. A pipe has no mode to speak of.
#[cfg(unix)]
fn refuse_if_shared(path: &Path, metadata: &fs::Metadata) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o7777;
    if metadata.is_file() && mode & 0o077 != 0 {
        let message = format!("others may read or change this private key (mode {mode:04o})");
        return Err(Failure::usage("key-permissions", message)
            .about(path.display())
            .hint(format!("chmod 600 {}", path.display())));
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_if_shared(_: &Path, _: &fs::Metadata) -> Result<(), Failure> {
    Ok(())
}

fn read_bounded(source: impl io::Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(MAX_LEN + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_LEN {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// Who may read a file that is written.
#[derive(Clone, Copy)]
pub(crate) enum Access {
    /// As the process's umask says.
    Public,
    /// The owner only.
    Private,
}

/// Writes a file under a temporary name beside its own and renames it: a reader sees the
/// old file or the new one, and a failure leaves the old one.
pub(crate) fn write(path: &Path, bytes: &[u8], access: Access) -> Result<(), Failure> {
    stage(path, bytes, access)?.commit()
}

/// A file that is complete on disk and has not replaced its predecessor yet.
pub(crate) struct Staged {
    path: PathBuf,
    file: tempfile::NamedTempFile,
}

/// Writes the new file beside the old one.
pub(crate) fn stage(path: &Path, bytes: &[u8], access: Access) -> Result<Staged, Failure> {
    let stage = || {
        match fs::metadata(path) {
            Ok(old) if !old.is_file() => return Err(io::Error::other("not a regular file")),
            _ => {}
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(".edgec-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = match access {
                Access::Public => 0o666,
                Access::Private => 0o600,
            };
            builder.permissions(fs::Permissions::from_mode(mode));
        }
        #[cfg(not(unix))]
        let _ = access;
        let mut file = builder.tempfile_in(folder(path))?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        Ok(file)
    };
    match stage() {
        Ok(file) => Ok(Staged {
            path: path.to_owned(),
            file,
        }),
        Err(error) => Err(cannot("write", path, &error)),
    }
}

impl Staged {
    /// Puts the new file in the old one's place.
    pub(crate) fn commit(self) -> Result<(), Failure> {
        let folder = folder(&self.path).to_owned();
        let renamed = self.file.persist(&self.path).map_err(|error| error.error);
        renamed
            .and_then(|_| sync(&folder))
            .map_err(|error| cannot("write", &self.path, &error))
    }

    /// Puts the new file in place unless there is one already; `false` then.
    pub(crate) fn commit_if_absent(self) -> Result<bool, Failure> {
        let folder = folder(&self.path).to_owned();
        match self.file.persist_noclobber(&self.path) {
            Ok(_) => match sync(&folder) {
                Ok(()) => Ok(true),
                Err(error) => Err(cannot("write", &self.path, &error)),
            },
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(cannot("write", &self.path, &error.error)),
        }
    }
}

/// The folder that a path's last component lies in.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(unix)]
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Makes a folder and those above it.
pub(crate) fn create_folder(path: &Path) -> Result<(), Failure> {
    if path.as_os_str().is_empty() {
        return Ok(());
    }
    fs::create_dir_all(path).map_err(|error| cannot("create", path, &error))
}

fn cannot(verb: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::environment(
        "io",
        &io::Error::new(error.kind(), format!("cannot {verb}: {error}")),
    )
    .about(path.display())
}
