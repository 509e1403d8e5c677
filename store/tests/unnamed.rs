//! Images in files without a name are verified like any other.
#![allow(missing_docs, reason = "a test")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first error"
)]
#![allow(clippy::indexing_slicing, reason = "a test")]

#[allow(dead_code, reason = "shared by several test programs")]
#[path = "support/publisher.rs"]
mod publisher;

use std::io::Write as _;

use edgec_files::Unnamed;
use edgec_store::verifier::artifact::Artifact;
use edgec_store::{UnixTime, verify_unnamed};
use publisher::{Keys, PLAIN, START, edition, expected, policy};

#[test]
fn an_image_is_verified_in_its_file() {
    let keys = Keys::new();
    let policy = policy(&keys, PLAIN, "");
    let edition = edition(&keys, 1, 1, 0);
    let artifact = Artifact::decode(&edition.artifacts[0].file).unwrap();
    let image = artifact.image();
    let (_, envelope) = artifact.into_envelope();
    let verified = |image: &[u8]| {
        let mut file = Unnamed::new_in(&std::env::temp_dir()).unwrap();
        file.write_all(image).unwrap();
        let now = UnixTime::from_seconds(START);
        verify_unnamed(&mut file, envelope, &policy, &expected(), now).unwrap()
    };
    assert_eq!(verified(image).unwrap().image.length, image.len() as u64);
    let mut other = image.to_vec();
    other[100] ^= 1;
    assert_eq!(verified(&other).unwrap_err().code(), "image-digest");
    assert!(verified(&image[1..]).is_err());
}
