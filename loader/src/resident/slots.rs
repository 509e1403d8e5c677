//! The slots of a pool, as the kernel sees them: mappings of an image, with the pages beside it.
//!
//! Sources: `proc_pid_maps(5)` and the kernel's `Documentation/admin-guide/mm/pagemap.rst`.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use wasmtime::component::Component;

use super::ranges::Ranges;

/// A page's entry in `/proc/self/pagemap` says that it is in memory.
const PRESENT: u64 = 1 << 63;
/// It belongs to a file, or is shared memory.
const OF_FILE: u64 = 1 << 61;
/// It is mapped once. So it is not the page of zeros, which the kernel maps wherever a page was
/// read and never written.
const EXCLUSIVE: u64 = 1 << 56;
/// Bytes of a page's entry.
const ENTRY: usize = 8;
/// Slots with more pages are left alone: 1 GiB, if a page has 4 KiB.
const MOST_PAGES: usize = 1 << 18;

/// A file as the kernel names it in a list of mappings: device, and number of the file.
pub(super) type FileId = (String, u64);

/// A memory of a program: its image is in this file, at this offset.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Memory {
    pub(super) file: FileId,
    pub(super) offset: u64,
}

/// One line of `/proc/self/maps`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mapping {
    addresses: Range<usize>,
    /// Private, and can be read and written.
    private: bool,
    offset: u64,
    /// `None`: no file.
    file: Option<FileId>,
}

/// A slot that holds an instance of a program, or held one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) memory: Memory,
    /// From its first page to the last that its program can reach.
    pub(super) addresses: Range<usize>,
}

/// All mappings of this process.
pub(super) struct Mappings(Vec<Mapping>);

impl Mappings {
    pub(super) fn read() -> io::Result<Self> {
        let text = std::fs::read("/proc/self/maps")?;
        // A path may be anything; nothing here looks at it.
        Ok(Self::of(&String::from_utf8_lossy(&text)))
    }

    fn of(text: &str) -> Self {
        Self(text.lines().filter_map(Mapping::of).collect())
    }

    /// The file from which a component is mapped. `None`: it was not mapped from one.
    pub(super) fn file_of(&self, component: &Component) -> Option<&FileId> {
        let place = component.image_range().start.addr();
        let mapping = self.0.iter().find(|it| it.addresses.contains(&place))?;
        mapping.file.as_ref()
    }

    /// The slots with images of these files. A memory begins before its image, if the program's
    /// data do not begin at its first page, and goes on behind it.
    pub(super) fn slots(&self, is_wanted: impl Fn(&FileId) -> bool) -> Vec<Slot> {
        let mut slots = Vec::new();
        let joined = |a: &Mapping, b: &Mapping| {
            a.private && b.private && a.addresses.end == b.addresses.start
        };
        for run in self.0.chunk_by(joined) {
            let mut images = run.iter().filter(|it| it.private).filter_map(|it| {
                let file = it.file.clone().filter(|file| is_wanted(file))?;
                let offset = it.offset;
                Some(Memory { file, offset })
            });
            let ends = run.first().zip(run.last());
            if let (Some(memory), Some((first, last))) = (images.next(), ends) {
                let addresses = first.addresses.start..last.addresses.end;
                slots.push(Slot { memory, addresses });
            }
        }
        slots
    }
}

impl Mapping {
    fn of(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let addresses =
            usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?;
        let private = words.next()? == "rw-p";
        let offset = u64::from_str_radix(words.next()?, 16).ok()?;
        let device = words.next()?.to_owned();
        let number: u64 = words.next()?.parse().ok()?;
        Some(Self {
            addresses,
            private,
            offset,
            file: (number != 0).then_some((device, number)),
        })
    }
}

/// What the kernel knows of each page of this process.
#[derive(Debug)]
pub(super) struct PageMap {
    file: File,
    page: usize,
}

impl PageMap {
    pub(super) fn open() -> io::Result<Self> {
        let file = File::open("/proc/self/pagemap")?;
        let page = rustix::param::page_size();
        Ok(Self { file, page })
    }

    /// Bytes of a page.
    pub(super) fn page(&self) -> usize {
        self.page
    }

    /// The pages of a slot that were written, or were made resident as if they were.
    pub(super) fn written(&self, slot: &Slot) -> io::Result<Ranges> {
        let pages = (slot.addresses.len() / self.page).min(MOST_PAGES);
        let mut entries = vec![0; pages * ENTRY];
        let first = (slot.addresses.start / self.page) as u64;
        self.file
            .read_exact_at(&mut entries, first * ENTRY as u64)?;
        let (entries, _) = entries.as_chunks::<ENTRY>();
        Ok(Ranges::of(entries.iter().map(|entry| {
            let entry = u64::from_ne_bytes(*entry);
            entry & (PRESENT | OF_FILE | EXCLUSIVE) == PRESENT | EXCLUSIVE
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
7000000000-7000010000 r-xp 00000000 fe:00 42                             /store/a b\n\
7100000000-7100010000 rw-p 00000000 00:00 0 \n\
7100010000-7100020000 rw-p 00300000 fe:00 42                             /store/a b\n\
7100020000-7100030000 rw-p 00000000 00:00 0 \n\
7100030000-7200000000 ---p 00000000 00:00 0 \n\
7200000000-7200010000 rw-p 00300000 fe:00 43                             /store/c\n\
7300000000-7300010000 rw-s 00000000 fe:00 42                             /store/a b\n\
7ffc000000-7ffc010000 rw-p 00000000 00:00 0                              [stack]\n";

    #[test]
    fn a_slot_is_an_image_and_what_is_beside_it() {
        let mappings = Mappings::of(MAPS);
        let wanted = ("fe:00".to_owned(), 42);
        let slots = mappings.slots(|file| *file == wanted);
        let memory = Memory {
            file: wanted,
            offset: 0x30_0000,
        };
        let addresses = 0x71_0000_0000..0x71_0003_0000;
        assert_eq!(slots, [Slot { memory, addresses }]);
        assert!(mappings.slots(|_| false).is_empty());
    }

    #[test]
    fn what_is_no_mapping_is_left_out() {
        for line in [
            "",
            "7000-x r-xp 0 fe:00 1",
            "7000-8000 rw-p 0 fe:00",
            "7000 rw-p",
        ] {
            assert_eq!(Mapping::of(line), None, "{line}");
        }
    }

    #[test]
    fn the_kernel_says_which_pages_were_written() {
        let map = PageMap::open().unwrap();
        let page = map.page();
        let memory = untouched(4 * page);
        let start = memory.as_ptr().addr();
        // The second page is only read.
        let read = std::hint::black_box(memory[page]);
        memory[2 * page] = read + 1;
        let slot = Slot {
            memory: Memory {
                file: (String::new(), 1),
                offset: 0,
            },
            addresses: start..start + 4 * page,
        };
        let written = map.written(&slot).unwrap();
        assert_eq!(written, Ranges::of([false, false, true, false]));
    }

    /// Memory that was never touched, for the rest of the test's process.
    #[expect(
        unsafe_code,
        reason = "only the kernel gives pages that were never touched"
    )]
    fn untouched(len: usize) -> &'static mut [u8] {
        use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the mapping is new, is never unmapped, and nothing else refers to it. Its bytes
        // are zeros.
        unsafe {
            let place = mmap_anonymous(std::ptr::null_mut(), len, protection, MapFlags::PRIVATE);
            std::slice::from_raw_parts_mut(place.unwrap().cast(), len)
        }
    }
}
