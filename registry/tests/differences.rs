//! What a push and a pull do with differences between images.
#![allow(missing_docs, reason = "a test")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first error"
)]
#![allow(clippy::indexing_slicing, reason = "a test")]

#[allow(dead_code, reason = "shared by several test programs")]
#[path = "../../store/tests/support/publisher.rs"]
mod publisher;
#[allow(dead_code, reason = "shared by several test programs")]
#[path = "support/shop.rs"]
mod shop;

use edgec_registry::{
    AdmitOptions, Fetched, PushArtifact, PushBase, PushError, Pushed, Unseen, Way, media,
};
use edgec_store::{EngineProfile, HostProfile, TrustPolicy};
use publisher::{Edition, Host, Keys, PLAIN, edition, policy};
use serde_json::{Value, json};
use shop::{BOTH, Shop};

/// A shop with version 1 under a tag, a host that has it, and version 2.
struct Scene {
    shop: Shop,
    host: Host,
    policy: TrustPolicy,
    first: Edition,
    second: Edition,
}

impl Scene {
    fn new() -> Self {
        let (keys, shop, host) = (Keys::new(), Shop::new(), Host::new());
        let policy = policy(&keys, PLAIN, "");
        let scene = Self {
            first: edition(&keys, 1, 1, 0),
            second: edition(&keys, 2, 2, 0),
            shop,
            host,
            policy,
        };
        scene.push("now", &scene.first);
        assert_eq!(scene.pull("now").way, Way::Whole);
        scene
    }

    fn push(&self, tag: &str, edition: &Edition) -> Pushed {
        self.shop.push(&self.shop.push_of(tag, edition)).unwrap()
    }

    fn pull(&self, tag: &str) -> Fetched {
        self.pull_with(tag, &AdmitOptions::default())
    }

    /// How the image came. It is then the one that loads take.
    fn pull_with(&self, tag: &str, options: &AdmitOptions) -> Fetched {
        let offer = self.shop.open(tag).unwrap();
        let admitted = offer.admit(
            &self.host.store,
            &self.policy,
            &publisher::expected(),
            &HostProfile::from_toml(BOTH).unwrap(),
            EngineProfile::Default,
            options,
            &Unseen,
        );
        let admitted = admitted.unwrap();
        assert_eq!(self.host.load(&self.policy).unwrap().len(), 1);
        admitted.fetched.last().unwrap().clone()
    }

    /// A mirror changes the last layer of every native manifest of a tag: its difference.
    fn change(&self, tag: &str, change: impl Fn(&mut Value)) {
        let entries = self.shop.under(tag)["manifests"].as_array().unwrap().len();
        for at in 0..entries {
            self.shop.change_entry(tag, at, |manifest| {
                let layer = manifest["layers"]
                    .as_array_mut()
                    .unwrap()
                    .last_mut()
                    .unwrap();
                if layer["mediaType"] == media::DIFFERENCE {
                    change(layer);
                }
            });
        }
    }

    /// Pulls version 2 after a mirror has changed its differences. It comes whole. Returns why no
    /// difference was used.
    fn fails(&self, change: impl Fn(&mut Value)) -> Vec<String> {
        self.push("now", &self.second);
        self.change("now", change);
        let fetched = self.pull("now");
        assert_eq!(fetched.way, Way::Whole);
        fetched.failed
    }
}

/// The bytes of another layer.
fn other(shop: &Shop, layer: &mut Value, bytes: &[u8]) {
    let (digest, size) = shop.put(bytes);
    layer["digest"] = digest.into();
    layer["size"] = size.into();
}

#[test]
fn a_host_with_the_version_before_fetches_a_difference() {
    let scene = Scene::new();
    let pushed = scene.push("now", &scene.second);
    for (native, base) in pushed.natives.iter().zip(&scene.first.artifacts) {
        let [difference] = &native.differences[..] else {
            panic!("{:?}", native.differences)
        };
        assert!(difference.bytes * 5 < native.compressed * 3);
        let bases = scene.first.artifacts.iter().map(|it| it.image);
        assert!(
            bases.into_iter().any(|it| it == difference.base),
            "{base:?}",
            base = base.image
        );
    }
    let fetched = scene.pull("now");
    let Way::Difference { base } = fetched.way else {
        panic!("{fetched:?}")
    };
    let native = pushed
        .natives
        .iter()
        .find(|it| it.differences[0].base == base);
    assert_eq!(fetched.bytes, native.unwrap().differences[0].bytes);
    assert!(fetched.failed.is_empty());
}

#[test]
fn a_host_without_the_base_and_a_host_that_wants_none_fetch_the_whole() {
    let mut scene = Scene::new();
    scene.push("now", &scene.second);
    let mut none = AdmitOptions::default();
    none.differences = false;
    let fetched = scene.pull_with("now", &none);
    assert_eq!((fetched.way, fetched.failed), (Way::Whole, Vec::new()));
    scene.host = Host::new();
    let fetched = scene.pull("now");
    assert_eq!((fetched.way, fetched.failed), (Way::Whole, Vec::new()));
}

#[test]
fn a_second_push_gives_the_same_digests() {
    let scene = Scene::new();
    let pushed = scene.push("now", &scene.second);
    let again = scene.push("now", &scene.second);
    assert_eq!(again.digest, pushed.digest);
    assert_eq!(again.natives[0].differences, pushed.natives[0].differences);
}

#[test]
fn bases_are_named_by_file_or_by_reference() {
    let scene = Scene::new();
    let mut push = scene.shop.push_of("v2", &scene.second);
    push.differences = false;
    let alone = scene.shop.push(&push).unwrap();
    assert!(alone.natives.iter().all(|it| it.differences.is_empty()));
    push.bases = vec![PushBase::Reference(scene.shop.reference("now"))];
    let by_reference = scene.shop.push(&push).unwrap();
    assert!(
        by_reference
            .natives
            .iter()
            .all(|it| it.differences.len() == 1)
    );
    let file = |at: usize| {
        let file = scene.first.artifacts[at].file.clone();
        PushBase::Artifact(PushArtifact::new("old.cwasm", file))
    };
    // The same image is compared once.
    push.bases.extend([file(0), file(1)]);
    let by_both = scene.shop.push(&push).unwrap();
    assert_eq!(by_both.natives[0].differences.len(), 2);
    assert!(matches!(scene.pull("v2").way, Way::Difference { .. }));
}

#[test]
fn what_is_no_base_is_an_error() {
    let scene = Scene::new();
    let mut push = scene.shop.push_of("v2", &scene.second);
    push.bases = vec![PushBase::Reference(scene.shop.reference("absent"))];
    let error = scene.shop.push(&push).unwrap_err();
    assert!(matches!(error, PushError::Base { .. }), "{error}");
    assert!(
        error.to_string().contains("absent` cannot be a base"),
        "{error}"
    );
    push.bases = vec![PushBase::Artifact(PushArtifact::new("a.cwasm", vec![1, 2]))];
    let error = scene.shop.push(&push).unwrap_err();
    assert!(matches!(error, PushError::Artifact { .. }), "{error}");
}

#[test]
fn bytes_that_are_no_difference_give_way_to_the_whole() {
    let scene = Scene::new();
    let failed = scene.fails(|layer| other(&scene.shop, layer, b"no difference"));
    assert_eq!(failed.len(), 1);
    assert!(
        failed[0].contains("this is not a difference between images"),
        "{failed:?}"
    );
}

#[test]
fn a_difference_that_makes_other_bytes_gives_way_to_the_whole() {
    let scene = Scene::new();
    let failed = scene.fails(|layer| {
        // One changed byte of the image is another one.
        let mut bytes = scene.shop.blob(layer["digest"].as_str().unwrap());
        let at = bytes.len() - 6;
        bytes[at] ^= 1;
        other(&scene.shop, layer, &bytes);
    });
    assert_eq!(failed.len(), 1, "{failed:?}");
}

#[test]
fn a_difference_that_is_cut_off_or_lost_gives_way_to_the_whole() {
    let scene = Scene::new();
    let failed = scene.fails(|layer| {
        let mut bytes = scene.shop.blob(layer["digest"].as_str().unwrap());
        bytes.pop();
        other(&scene.shop, layer, &bytes);
    });
    assert!(
        failed[0].contains("cannot read the difference"),
        "{failed:?}"
    );
    let scene = Scene::new();
    let digest = format!("sha256:{}", "a".repeat(64));
    let failed = scene.fails(|layer| layer["digest"] = json!(digest));
    assert_eq!(failed.len(), 1, "{failed:?}");
}

#[test]
fn a_difference_that_takes_too_much_memory_gives_way_to_the_whole() {
    let scene = Scene::new();
    scene.push("now", &scene.second);
    let mut small = AdmitOptions::default();
    small.difference_memory = 1 << 20;
    let fetched = scene.pull_with("now", &small);
    assert_eq!(fetched.way, Way::Whole);
    let said = "the difference needs 14680064 bytes of memory, and 1048576 are allowed";
    assert!(fetched.failed[0].contains(said), "{:?}", fetched.failed);
}

/// Not even tried: nothing is fetched in vain.
#[test]
fn differences_that_cannot_help_are_not_fetched() {
    for annotation in [media::DIFFERENCE_BASE, media::DIFFERENCE_BASE_LENGTH] {
        for value in [json!("7"), json!("../../etc/passwd")] {
            let scene = Scene::new();
            let failed = scene.fails(|layer| layer["annotations"][annotation] = value.clone());
            assert!(failed.is_empty(), "{failed:?}");
        }
    }
    let scene = Scene::new();
    let failed = scene.fails(|layer| layer["size"] = json!(1 << 20));
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn at_most_two_differences_are_tried() {
    let scene = Scene::new();
    scene.push("now", &scene.second);
    let entries = scene.shop.under("now")["manifests"]
        .as_array()
        .unwrap()
        .len();
    for at in 0..entries {
        scene.shop.change_entry("now", at, |manifest| {
            let layers = manifest["layers"].as_array_mut().unwrap();
            if let Some(mut last) = layers.last().cloned()
                && last["mediaType"] == media::DIFFERENCE
            {
                layers.pop();
                other(&scene.shop, &mut last, b"no difference");
                layers.extend(std::iter::repeat_n(last, 9));
            }
        });
    }
    assert_eq!(scene.pull("now").failed.len(), 2);
}

/// What a tag names may be a bomb: making a difference takes eight times the memory of its base.
#[test]
fn a_base_that_is_much_longer_than_the_image_is_left_out() {
    let scene = Scene::new();
    // The new image itself, so that a difference would be worth it.
    let mut base = scene.second.artifacts[0].file.clone();
    base.resize(5 * base.len(), 0);
    let bomb = zstd::stream::encode_all(&base[..], 1).unwrap();
    for tag in ["now", "other"] {
        scene.push(tag, &scene.first);
        for at in [0, 1] {
            scene.shop.change_entry(tag, at, |manifest| {
                other(&scene.shop, &mut manifest["layers"][0], &bomb);
            });
        }
    }
    let mut push = scene.shop.push_of("now", &scene.second);
    push.bases = vec![PushBase::Reference(scene.shop.reference("other"))];
    let pushed = scene.shop.push(&push).unwrap();
    assert!(pushed.natives.iter().all(|it| it.differences.is_empty()));
    assert_eq!(scene.pull("now").way, Way::Whole);
}
