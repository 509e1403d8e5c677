//! POSIX access control lists: which other users can write to a folder because of its list.
//!
//! If a file has such a list, the group bits of its mode are the list's mask. The users and groups
//! in the list can do no more than these bits allow. So the list matters only if these bits may be
//! set.
//!
//! Source: `acl(5)`; for the bytes, `posix_acl_xattr.h` of Linux.

use std::io;
use std::path::Path;

use rustix::io::Errno;

/// The attribute that holds the list.
const ATTRIBUTE: &str = "system.posix_acl_access";
/// The maximum length of an attribute, in bytes (`xattr(7)`).
const MAX_LEN: usize = 1 << 16;
/// The version of the list's bytes, which comes before its entries.
const VERSION: u32 = 2;

/// A named user.
const USER: u16 = 0x02;
/// A named group.
const GROUP: u16 = 0x08;
/// The mask: the most that named users and groups may do.
const MASK: u16 = 0x10;
/// The right to write.
const WRITE: u16 = 0x02;

/// One entry of a list.
struct Entry {
    tag: u16,
    rights: u16,
    /// The number of the user or group.
    id: u32,
}

/// The first user or group in a folder's list that may write, apart from this user and root.
pub(crate) fn other_writer(folder: &Path) -> io::Result<Option<String>> {
    let mut list = vec![0_u8; MAX_LEN];
    let len = match rustix::fs::lgetxattr(folder, ATTRIBUTE, list.as_mut_slice()) {
        Ok(len) => len,
        // There is no list, or the file system or kernel does not support lists.
        Err(Errno::NODATA | Errno::NOTSUP | Errno::NOSYS) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let entries = list.get(..len).and_then(entries);
    let entries = entries.ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "its access control list is not understood",
        )
    })?;
    let user = rustix::process::geteuid().as_raw();
    Ok(writer(&entries, &[0, user]))
}

/// The entries in the attribute's bytes.
fn entries(list: &[u8]) -> Option<Vec<Entry>> {
    let (version, entries) = list.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*version) != VERSION {
        return None;
    }
    let entry = |bytes: &[u8]| match bytes {
        &[t0, t1, r0, r1, i0, i1, i2, i3] => Some(Entry {
            tag: u16::from_le_bytes([t0, t1]),
            rights: u16::from_le_bytes([r0, r1]),
            id: u32::from_le_bytes([i0, i1, i2, i3]),
        }),
        _ => None,
    };
    entries.chunks(8).map(entry).collect()
}

/// The first user or group that may write, apart from these users. The file's own group has no
/// number in the list.
fn writer(entries: &[Entry], trusted: &[u32]) -> Option<String> {
    let mask = entries.iter().find(|entry| entry.tag == MASK);
    let mask = mask.map_or(u16::MAX, |entry| entry.rights);
    let mut writers = entries
        .iter()
        .filter(|entry| entry.rights & mask & WRITE != 0);
    writers.find_map(|entry| match entry.tag {
        USER if !trusted.contains(&entry.id) => Some(format!("user {}", entry.id)),
        GROUP => Some(format!("group {}", entry.id)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of a list with these entries: tag, rights, number.
    fn bytes(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut bytes = VERSION.to_le_bytes().to_vec();
        for (tag, rights, id) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(rights.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }

    fn found(named: (u16, u16, u32), mask: u16) -> Option<String> {
        let none = u32::MAX;
        // The owner, a named user or group, the folder's group, the mask, all others.
        let list = [
            (0x01, 7, none),
            named,
            (0x04, 7, none),
            (MASK, mask, none),
            (0x20, 0, none),
        ];
        writer(&entries(&bytes(&list)).unwrap(), &[0, 1001])
    }

    #[test]
    fn a_user_or_a_group_that_is_named_and_may_write_is_found() {
        assert_eq!(found((USER, 7, 1002), 7).unwrap(), "user 1002");
        assert_eq!(found((USER, 2, 1002), 2).unwrap(), "user 1002");
        assert_eq!(found((GROUP, 7, 50), 7).unwrap(), "group 50");
        // The mask takes the right away, or the entry does not give it.
        assert_eq!(found((USER, 7, 1002), 5), None);
        assert_eq!(found((GROUP, 5, 50), 7), None);
        for trusted in [0, 1001] {
            assert_eq!(found((USER, 7, trusted), 7), None);
        }
        // A group may have the same number as a trusted user.
        assert_eq!(found((GROUP, 7, 0), 7).unwrap(), "group 0");
    }

    #[test]
    fn bytes_that_are_no_list_are_not_taken_for_one() {
        let whole = bytes(&[(USER, 7, 1002)]);
        assert!(entries(&whole).is_some());
        for len in [0, 3, 5, 11] {
            assert!(entries(whole.get(..len).unwrap()).is_none(), "{len}");
        }
        let other = [&[1, 0, 0, 0], whole.get(4..).unwrap()].concat();
        assert!(entries(&other).is_none());
    }
}
