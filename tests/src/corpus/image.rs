//! Rows 13, 16, 18 and 22, about the image: a signer's statements about an image must be true, and
//! the engine must have written the image.

use edgec_artifact::Manifest;

use crate::corpus::{Case, Forge};

pub(super) fn cases(forge: &Forge) -> Vec<Case> {
    let mut cases = strange_images(forge);
    cases.extend(contradictions(forge));
    cases
}

fn strange_images(forge: &Forge) -> Vec<Case> {
    let case = |row, name, change: &dyn Fn(&mut Vec<u8>), says| {
        let file = forge.with_image(|image| change(image));
        Case::new(row, name, file, "contradiction").saying(says)
    };
    let (text, code) = forge.section(".text");
    let (info, _) = forge.section(".wasmtime.info");
    let (_, strings) = forge.section(".shstrtab");
    let (engine_header, engine) = forge.section(".wasmtime.engine");
    let name = forge.image[info..info + 4].to_vec();
    let table = u64::from_le_bytes(forge.image[40..48].try_into().unwrap());
    let table = usize::try_from(table).unwrap();
    let text_name = forge.image[text..text + 4].try_into().unwrap();
    let letter = strings + usize::try_from(u32::from_le_bytes(text_name)).unwrap() + 1;
    let put = |image: &mut Vec<u8>, at: usize, bytes: &[u8]| {
        image[at..at + bytes.len()].copy_from_slice(bytes);
    };
    let find = |image: &[u8], name: &[u8]| {
        let mut windows = image.windows(name.len());
        windows.rposition(|window| window == name).unwrap()
    };
    vec![
        case(
            18,
            "no image",
            &|image| image.clear(),
            "malformed ELF image: file header",
        ),
        case(
            18,
            "the image's beginning",
            &|image| image.truncate(100),
            "malformed ELF image",
        ),
        case(
            18,
            "another operating system",
            &|image| image[7] = 0,
            "EI_OSABI",
        ),
        case(
            18,
            "another ABI version",
            &|image| image[8] = 1,
            "EI_ABIVERSION",
        ),
        case(18, "another machine", &|image| image[18] = 3, "e_machine"),
        case(18, "neither kind", &|image| image[48] = 0, "e_flags"),
        case(18, "both kinds", &|image| image[48] = 3, "e_flags"),
        case(18, "a further flag", &|image| image[48] = 6, "e_flags"),
        case(
            18,
            "program headers",
            &|image| image[32] = 1,
            "program headers",
        ),
        case(
            18,
            "a count of sections that stands elsewhere",
            &|image| {
                image[table + 32] = image[60];
                image[60] = 0;
            },
            "section table, which is extended",
        ),
        case(
            18,
            "a section table that is not aligned",
            &|image| image[40] ^= 1,
            "section table",
        ),
        case(
            18,
            "names in a section of code",
            &|image| image[62] = 1,
            "section names",
        ),
        // The engine finds sections by name, and uses some that other tools skip.
        case(
            13,
            "a section of type SHT_NULL",
            &|image| image[info + 4] = 0,
            "section of type SHT_NULL",
        ),
        case(
            13,
            "a first section that is not empty",
            &|image| image[table + 24] = 1,
            "first section, which is not empty",
        ),
        case(
            18,
            "code that does not begin with a page",
            &|image| image[text + 25] ^= 1,
            "code, which does not begin and end at a page boundary",
        ),
        case(
            18,
            "code that does not end with a page",
            &|image| image[text + 32] ^= 1,
            "code, which does not begin and end at a page boundary",
        ),
        case(
            12,
            "a byte behind the last section",
            &|image| image.push(1),
            "unclaimed bytes",
        ),
        case(
            12,
            "a byte between sections",
            &|image| image[code - 1] = 1,
            "unclaimed bytes",
        ),
        case(
            18,
            "code that can be written",
            &|image| image[text + 8] |= 1,
            "the access flags of section `.text` are wrong",
        ),
        case(
            18,
            "no table of traps",
            &|image| {
                let name = find(image, b".wasmtime.traps");
                put(image, name, b".debug_me.traps");
            },
            "no section `.wasmtime.traps`",
        ),
        case(
            18,
            "an empty table of traps",
            &|image| {
                let (header, at) = forge.section(".wasmtime.traps");
                let length =
                    u64::from_le_bytes(image[header + 32..header + 40].try_into().unwrap());
                image[at..at + usize::try_from(length).unwrap()].fill(0);
                put(image, header + 32, &[0; 8]);
            },
            "no section `.wasmtime.traps`",
        ),
        case(
            18,
            "no description of the engine",
            &|image| {
                let name = find(image, b".wasmtime.engine");
                put(image, name, b".debug_me.engine");
            },
            "no section `.wasmtime.engine`",
        ),
        case(
            18,
            "code that is not marked as such",
            &|image| image[text + 8] &= !4,
            "the access flags of section `.text` are wrong",
        ),
        case(
            18,
            "data that are marked as code",
            &|image| image[info + 8] |= 4,
            "the access flags of section `.wasmtime.info` are wrong",
        ),
        case(
            18,
            "relocations",
            &|image| image[text + 4] = 4,
            "section `.text` holds relocations",
        ),
        case(
            18,
            "code without bytes",
            &|image| image[text + 4] = 8,
            "section without bytes",
        ),
        case(
            13,
            "two sections of one name",
            &|image| put(image, engine_header, &name),
            "two sections are called `.wasmtime.info`",
        ),
        case(
            13,
            "an unknown section",
            &|image| image[letter] = b'T',
            "unexpected section `.Text`",
        ),
        case(
            16,
            "sections that overlap",
            &|image| image.copy_within(text + 24..text + 32, info + 24),
            "regions overlap",
        ),
        case(
            16,
            "a section that is too long",
            &|image| image[text + 38] = 0xff,
            "section data",
        ),
        case(
            16,
            "a section at 2^64 - 8",
            &|image| put(image, text + 24, &(u64::MAX - 7).to_le_bytes()),
            "section data",
        ),
        case(
            16,
            "a section table at 2^64 - 8",
            &|image| put(image, 40, &(u64::MAX - 7).to_le_bytes()),
            "section table",
        ),
        case(
            16,
            "65,535 sections",
            &|image| put(image, 60, &[0xff, 0xff]),
            "section",
        ),
        case(
            22,
            "engine settings of another form",
            &|image| image[engine] = 1,
            "engine section",
        ),
        case(
            22,
            "another engine version",
            &|image| image[engine + 2] = b'9',
            "engine.version",
        ),
        case(
            22,
            "a version that is longer than its section",
            &|image| image[engine + 1] = 0xff,
            "engine section",
        ),
        case(
            22,
            "no engine settings",
            &|image| put(image, engine_header + 32, &[0; 8]),
            "engine section",
        ),
    ]
}

/// Row 18, and those attacks of rows 21 and 22 that a signature cannot hide.
fn contradictions(forge: &Forge) -> Vec<Case> {
    let case = |row, name, says, change: &dyn Fn(&mut Manifest)| {
        let file = forge.with_manifest(|manifest| change(manifest));
        Case::new(row, name, file, "contradiction").saying(says)
    };
    let here = forge.manifest.target.id.clone();
    let arch = std::env::consts::ARCH;
    let other = edgec_targets::all().find(|target| target.arch.name() != arch);
    let sibling =
        edgec_targets::all().find(|target| target.arch.name() == arch && target.id != here);
    let (other, sibling) = (other.unwrap(), sibling.unwrap());
    let describe = |manifest: &mut Manifest, target: &edgec_targets::Target| {
        manifest.target.id = target.id.to_owned();
        manifest.target.triple = target.triple().to_owned();
        manifest.target.level = target.level.to_owned();
        manifest.target.cpu_features = target.features.iter().map(|f| f.name.into()).collect();
        manifest.target.cpu_features.sort();
    };
    let unknown = "is not the target that this edgec knows";
    vec![
        case(
            21,
            "a manifest for the other CPU family",
            "target.triple",
            &|manifest| {
                describe(manifest, other);
            },
        ),
        case(
            21,
            "a component that would be a module",
            "kind is `module`",
            &|manifest| {
                manifest.kind = edgec_artifact::ProgramKind::Module;
            },
        ),
        case(
            18,
            "another engine version",
            "engine.version",
            &|manifest| {
                manifest.engine.version = "49.0.0".to_owned();
            },
        ),
        case(
            18,
            "an older engine version",
            "engine.version",
            &|manifest| {
                manifest.engine.version = "47.0.2".to_owned();
            },
        ),
        case(18, "another engine", "engine.name", &|manifest| {
            manifest.engine.name = "other".to_owned();
        }),
        case(18, "another target's name", unknown, &|manifest| {
            manifest.target.id = other.id.to_owned();
        }),
        case(18, "no target's name", unknown, &|manifest| {
            manifest.target.id = "quantum".to_owned();
        }),
        case(18, "a CPU feature more", unknown, &|manifest| {
            manifest.target.cpu_features.push("zzz".to_owned());
        }),
        case(18, "no CPU features", "", &|manifest| {
            if manifest.target.cpu_features.is_empty() {
                manifest.target.cpu_features.push("zzz".to_owned());
            } else {
                manifest.target.cpu_features.clear();
            }
        }),
        case(
            22,
            "another level of the family",
            "target.cpuFeatures",
            &|manifest| {
                describe(manifest, sibling);
            },
        ),
    ]
}
