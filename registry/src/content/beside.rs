//! Which layers beside an image are read, and how much of them. A user of a registry could
//! list hundreds of long ones, and all of them are kept in memory until the artifact is judged.

use std::collections::BTreeSet;

use super::attached::AttachedKind;
use super::decode::MalformedManifest;
use super::manifest::Manifest;
use crate::Descriptor;

/// The greatest length of all files beside one image, in bytes (64 MiB), without the debug file.
pub(crate) const MAX_SUM: u64 = 64 << 20;

impl AttachedKind {
    /// How many files of this kind one image may have. Each kind of a bill of materials counts.
    pub(crate) fn most(self) -> usize {
        match self {
            Self::Debug => 1,
            _ => 16,
        }
    }
}

/// The layers of these kinds, each digest once.
///
/// # Errors
///
/// [`MalformedManifest`], if they are more, or longer, than edgec reads.
pub(crate) fn layers(
    manifest: &Manifest,
    is_wanted: impl Fn(AttachedKind) -> bool,
) -> Result<Vec<(AttachedKind, &Descriptor)>, MalformedManifest> {
    let mut found = Vec::new();
    for kind in AttachedKind::ALL.into_iter().filter(|it| is_wanted(*it)) {
        let mut seen = BTreeSet::new();
        let layers = manifest.layers_of(kind.media_type());
        found.extend(
            layers
                .filter(|it| seen.insert(&it.digest))
                .map(|it| (kind, it)),
        );
    }
    within_limits(found.iter().map(|(kind, layer)| (*kind, layer.size)))?;
    Ok(found)
}

/// Refuses more files beside one image than edgec reads, or longer ones. Takes the kind and the
/// length of each.
pub(crate) fn within_limits(
    files: impl Iterator<Item = (AttachedKind, u64)> + Clone,
) -> Result<(), MalformedManifest> {
    for kind in AttachedKind::ALL {
        let (count, most) = (files.clone().filter(|it| it.0 == kind).count(), kind.most());
        if count > most {
            return Err(MalformedManifest::TooMany {
                what: kind.layers(),
                count,
                most,
            });
        }
    }
    let lengths = files.filter(|it| it.0 != AttachedKind::Debug);
    let sum = lengths.fold(0, |sum: u64, it| sum.saturating_add(it.1));
    match sum > MAX_SUM {
        true => Err(MalformedManifest::Part {
            what: format!(
                "the files beside the image have {sum} bytes, and {MAX_SUM} is the limit"
            ),
        }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_lengths_is_limited() {
        let half = MAX_SUM / 2;
        let two = [(AttachedKind::Spdx, half), (AttachedKind::CycloneDx, half)];
        assert_eq!(within_limits(two.into_iter()), Ok(()));
        let debug = [(AttachedKind::Debug, u64::MAX)];
        assert_eq!(within_limits(two.into_iter().chain(debug)), Ok(()));
        for more in [1, u64::MAX] {
            let three = two.into_iter().chain([(AttachedKind::Rebuild, more)]);
            let error = within_limits(three).err();
            assert!(matches!(error, Some(MalformedManifest::Part { .. })));
        }
    }

    #[test]
    fn the_number_of_each_kind_is_limited() {
        for kind in AttachedKind::ALL {
            let files = |count| std::iter::repeat_n((kind, 1), count);
            assert_eq!(within_limits(files(kind.most())), Ok(()));
            let error = within_limits(files(kind.most() + 1)).err();
            assert!(matches!(error, Some(MalformedManifest::TooMany { .. })));
        }
    }
}
