//! Debug files with any names, which no build writes.

/// A debug file in edgec's form (`docs/debugging.md`), with the names of modules by number, and of
/// functions. Each function has one byte of code.
pub fn debug_file(modules: &[(u32, &str)], functions: &[String]) -> Vec<u8> {
    const SECTIONS: [(&str, u32, u64); 6] = [
        (".note.gnu.build-id", 7, 4),
        (".text", 8, 1),
        (".wasmtime.addrmap", 1, 1),
        (".symtab", 2, 8),
        (".strtab", 3, 1),
        (".shstrtab", 3, 1),
    ];
    const TEXT_AT: u64 = 4096;
    let (mut strings, mut symbols): (Vec<u8>, Vec<u8>) = (vec![0], vec![0; 24]);
    let mut symbol = |name: &str, kind: u8, section: u16, at: u64, size: u64| {
        symbols.extend(u32::try_from(strings.len()).unwrap().to_le_bytes());
        symbols.extend([kind, 0]);
        symbols.extend(section.to_le_bytes());
        symbols.extend(at.to_le_bytes());
        symbols.extend(size.to_le_bytes());
        strings.extend(name.as_bytes());
        strings.push(0);
    };
    for (number, name) in modules {
        symbol(&format!("wasm[{number}]::{name}"), 4, 0xfff1, 0, 0);
    }
    for (name, at) in functions.iter().zip(TEXT_AT..) {
        symbol(name, 2, 2, at, 1);
    }
    let count = u32::try_from(symbols.len() / 24).unwrap();
    let note = [
        &[4_u8, 0, 0, 0, 32, 0, 0, 0, 3, 0, 0, 0][..],
        b"GNU\0",
        &[7; 32],
    ]
    .concat();
    let mut names: Vec<u8> = vec![0];
    let mut name_places = Vec::new();
    for (name, ..) in SECTIONS {
        name_places.push(u32::try_from(names.len()).unwrap());
        names.extend(name.as_bytes());
        names.push(0);
    }
    let contents: [&[u8]; 6] = [&note, &[], &[], &symbols, &strings, &names];
    let (mut file, mut table): (Vec<u8>, Vec<u8>) = (vec![0; 64], vec![0; 64]);
    for (((name, kind, align), content), place) in
        SECTIONS.into_iter().zip(contents).zip(name_places)
    {
        file.resize(
            file.len().next_multiple_of(usize::try_from(align).unwrap()),
            0,
        );
        let is_text = name == ".text";
        let (flags, address, size) = match is_text {
            true => (6, TEXT_AT, functions.len() as u64),
            false => (0, 0, content.len() as u64),
        };
        let (link, info, entry) = match name {
            ".symtab" => (5, count, 24),
            _ => (0, 0, 0),
        };
        table.extend(place.to_le_bytes());
        table.extend(kind.to_le_bytes());
        for field in [flags, address, file.len() as u64, size] {
            table.extend(field.to_le_bytes());
        }
        table.extend(u32::to_le_bytes(link));
        table.extend(u32::to_le_bytes(info));
        for field in [align, entry] {
            table.extend(field.to_le_bytes());
        }
        file.extend(content);
    }
    file.resize(file.len().next_multiple_of(8), 0);
    let mut header = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    header.extend(3_u16.to_le_bytes());
    header.extend(62_u16.to_le_bytes());
    header.extend(1_u32.to_le_bytes());
    for field in [0, 0, file.len() as u64] {
        header.extend(field.to_le_bytes());
    }
    header.extend([0; 4]);
    for field in [64_u16, 0, 0, 64, 7, 6] {
        header.extend(field.to_le_bytes());
    }
    file[..64].copy_from_slice(&header);
    file.extend(table);
    file
}

/// A mangled Rust name that stands for a million bytes: a tuple of two of the tuples before it, and
/// so on.
pub fn growing_name() -> String {
    const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut name = "_RIC1aTuuE".to_owned();
    let mut last = 4;
    for _ in 0..20 {
        // Places are counted from the end of `_R`, and 1 is written as `0_`.
        let (mut digits, mut rest) = (Vec::new(), last - 1);
        loop {
            digits.insert(0, char::from(DIGITS[rest % 62]));
            rest /= 62;
            if rest == 0 {
                break;
            }
        }
        let place: String = digits.into_iter().chain(['_']).collect();
        last = name.len() - 2;
        name.push_str(&format!("TB{place}B{place}E"));
    }
    name + "E"
}
