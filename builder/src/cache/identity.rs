//! Which program answers: the workers are processes of the program `edgec` itself.
//!
//! A linker writes a digest of everything that it linked into the program, its *build id*. It lies
//! in the first page of the file. The SHA-256 of the whole program takes 50 ms, which is as long as
//! a small build. It is the identity of a program without a build id, or with a short one.
//!
//! Source: ld(1), `--build-id`: "sha1" is the style of GNU ld and of lld, 20 bytes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use edgec_artifact::Sha256Digest;
use object::LittleEndian as LE;
use object::elf::{FileHeader64, NT_GNU_BUILD_ID};
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use sha2::{Digest as _, Sha256};

/// Says what is hashed.
const DOMAIN: &[u8] = b"edgec build cache: program, 1\0";
/// How much of a program is read to find its build id, in bytes.
const HEAD_LEN: usize = 4096;
/// The shortest build id that names one program, in bytes: a digest of 160 bits.
const MIN_ID_LEN: usize = 20;

/// What stands for a program in keys. `None` if its build id does not name it.
pub(super) fn of_build_id(program: &Path) -> io::Result<Option<Sha256Digest>> {
    let file = File::open(program)?;
    let length = file.metadata()?.len();
    let mut head = vec![0; HEAD_LEN.min(usize::try_from(length).unwrap_or(HEAD_LEN))];
    file.read_exact_at(&mut head, 0)?;
    Ok(build_id(&head).map(|id| {
        let mut hash = Sha256::new();
        hash.update(DOMAIN);
        hash.update(length.to_le_bytes());
        hash.update(id);
        Sha256Digest(hash.finalize().into())
    }))
}

/// The build id of the program that begins with these bytes.
fn build_id(head: &[u8]) -> Option<&[u8]> {
    let header = FileHeader64::<LE>::parse(head).ok()?;
    for segment in header.program_headers(LE, head).ok()? {
        let Ok(Some(mut notes)) = segment.notes(LE, head) else {
            continue;
        };
        while let Ok(Some(note)) = notes.next() {
            let is_id = note.name() == b"GNU" && note.n_type(LE) == NT_GNU_BUILD_ID;
            if is_id && note.desc().len() >= MIN_ID_LEN {
                return Some(note.desc());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use object::elf::{ELFCLASS64, ELFDATA2LSB, ELFMAG, PT_NOTE, ProgramHeader64};
    use object::pod::{bytes_of, bytes_of_mut};
    use object::{U16, U32, U64};

    use super::*;

    /// The head of a program with a note: its name, its type, and its content.
    fn program(name: &[u8; 4], kind: u32, content: &[u8]) -> Vec<u8> {
        let mut header = [0; size_of::<FileHeader64<LE>>()];
        header[..4].copy_from_slice(&ELFMAG);
        header[4] = ELFCLASS64;
        header[5] = ELFDATA2LSB;
        // The version.
        header[6] = 1;
        header[20] = 1;
        let (fields, _) = object::pod::from_bytes::<FileHeader64<LE>>(&header).unwrap();
        let mut fields = *fields;
        fields.e_phoff = U64::new(LE, 64);
        fields.e_phentsize = U16::new(LE, 56);
        fields.e_phnum = U16::new(LE, 1);
        let lengths = [4, u32::try_from(content.len()).unwrap(), kind]
            .map(u32::to_le_bytes)
            .concat();
        let note = [&lengths, &name[..], content].concat();
        let mut bytes = [0; size_of::<ProgramHeader64<LE>>()];
        let (segment, _) = object::pod::from_bytes_mut::<ProgramHeader64<LE>>(&mut bytes).unwrap();
        segment.p_type = U32::new(LE, PT_NOTE);
        segment.p_offset = U64::new(LE, 120);
        segment.p_filesz = U64::new(LE, note.len() as u64);
        segment.p_align = U64::new(LE, 4);
        let segment = bytes_of_mut(segment).to_vec();
        [bytes_of(&fields), &segment, &note].concat()
    }

    #[test]
    fn a_build_id_counts_if_it_is_a_whole_digest() {
        let id = [7; 20];
        let head = program(b"GNU\0", NT_GNU_BUILD_ID, &id);
        assert_eq!(build_id(&head), Some(&id[..]));
        for end in 0..head.len() {
            assert_eq!(build_id(&head[..end]), None, "{end}");
        }
        assert_eq!(
            build_id(&program(b"GNU\0", NT_GNU_BUILD_ID, &id[..16])),
            None
        );
        assert_eq!(build_id(&program(b"GNU\0", NT_GNU_BUILD_ID + 1, &id)), None);
        assert_eq!(build_id(&program(b"LNX\0", NT_GNU_BUILD_ID, &id)), None);
        assert_eq!(build_id(b"a script"), None);
    }
}
