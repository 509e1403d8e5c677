//! New files take their places together, or the old ones come back.

use super::*;

fn new_file(folder: &Path) -> NamedTempFile {
    let file = NamedTempFile::new_in(folder).unwrap();
    fs::write(file.path(), "new").unwrap();
    file
}

fn names(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[test]
fn the_old_file_comes_back_or_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "old").unwrap();
    let placed = Placed::put(new_file(folder.path()), &path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    placed.undo().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(names(folder.path()), 1);

    drop(Placed::put(new_file(folder.path()), &path).unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    assert_eq!(names(folder.path()), 1);
}

#[test]
fn all_take_their_places_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    fs::write(&one, "old").unwrap();
    fs::create_dir(&other).unwrap();
    let aside = |path: &Path| {
        write_aside(path, b"new", NewMode::AsBefore, Durability::Rebuildable).unwrap()
    };
    let error = put_all(vec![aside(&one), aside(&other)]).unwrap_err();
    assert_eq!(error.path, other);
    assert!(error.changed.is_empty(), "{:?}", error.changed);
    assert_eq!(fs::read_to_string(&one).unwrap(), "old");
    assert_eq!(names(folder.path()), 2);

    fs::remove_dir(&other).unwrap();
    put_all(vec![aside(&one), aside(&other)]).unwrap();
    for path in [&one, &other] {
        assert_eq!(fs::read_to_string(path).unwrap(), "new");
    }
    assert!(!aside(&one).put_if_absent().unwrap());
    assert_eq!(names(folder.path()), 2);
}

#[cfg(unix)]
#[test]
fn a_new_file_has_the_old_ones_mode_or_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mode = || path.metadata().unwrap().permissions().mode() & 0o777;
    for (new, expected) in [(NewMode::OwnerOnly, 0o600), (NewMode::AsBefore, 0o600)] {
        put_all(vec![
            write_aside(&path, b"", new, Durability::OnDisk).unwrap(),
        ])
        .unwrap();
        assert_eq!(mode(), expected, "{new:?}");
    }
}

#[test]
fn where_there_was_none_there_is_none_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let placed = Placed::put(new_file(folder.path()), &path).unwrap();
    placed.undo().unwrap();
    assert_eq!(names(folder.path()), 0);
}

/// The way for file systems that cannot exchange two files.
#[test]
fn a_second_name_keeps_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "old").unwrap();
    let file = new_file(folder.path());
    let kept = second_name(&path, file.path()).unwrap();
    put(file, &path).unwrap();
    assert_eq!(fs::read_to_string(&kept).unwrap(), "old");
    let placed = Placed {
        path: path.clone(),
        old: Old::Kept(kept),
    };
    placed.undo().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(names(folder.path()), 1);
}

/// A file that cannot be put back is reported, and no other file is put in its place.
#[test]
fn what_does_not_come_back_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let undone = |old| {
        Placed {
            path: path.clone(),
            old,
        }
        .undo()
        .unwrap_err()
    };
    assert!(undone(Old::Gone).contains("the old file is gone"));
    assert!(undone(Old::Absent).contains("cannot be removed again"));
}
