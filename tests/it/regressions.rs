//! The fuzzer's findings do not come back: every file in `fuzz/seeds` and `fuzz/regressions` is
//! given to its target again, without a fuzzer.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use edgec_artifact::Statement;
use edgec_fuzz::{SIGNED, TARGETS, judge};
use edgec_tests::repository;

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn names(folder: &str) -> BTreeSet<String> {
    files(&repository().join("fuzz").join(folder))
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

#[test]
fn seeds_and_regressions_break_no_law() {
    for (name, target) in TARGETS {
        for folder in ["seeds", "regressions"] {
            for file in files(&repository().join("fuzz").join(folder).join(name)) {
                // Shown only if the target panics.
                println!("{}", file.display());
                target(&std::fs::read(&file).unwrap());
            }
        }
    }
}

#[test]
fn every_target_is_a_program_with_seeds() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("targets"), targets);
    assert_eq!(names("seeds"), targets);
    assert!(names("regressions").is_subset(&targets));
}

/// The seeds belong to this version of the format and of the engine. Otherwise most of them would
/// be refused early. `tests/examples/seeds.rs` makes them again.
#[test]
fn the_seeds_get_past_the_door() {
    judge(SIGNED).unwrap();
    for file in files(&repository().join("fuzz/seeds/signed")) {
        let bytes = std::fs::read(&file).unwrap();
        let (length, rest) = bytes.split_first_chunk::<2>().unwrap();
        let (payload, image) = rest.split_at(u16::from_le_bytes(*length).into());
        let manifest = Statement::decode(payload).unwrap().manifest;
        assert_eq!(manifest.image.length, image.len() as u64);
        edgec_artifact::elf::ElfImage::parse(image).unwrap();
    }
    for folder in ["component", "reencode"] {
        for file in files(&repository().join("fuzz/seeds").join(folder)) {
            edgec_compiler::validate(std::fs::read(&file).unwrap()).unwrap();
        }
    }
}
