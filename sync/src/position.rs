//! The position of a host in its fleet, and the wave that follows from it.
//!
//! A position is a number from 0 up to 1: the first 53 bits of SHA-256 over salt, host, application
//! and, unless positions are fixed, the serial of the release. Every host computes the position of
//! every other one without asking it. With the serial, other hosts come first with each release, so
//! it is not always the same users who try it.

use edgec_artifact::Sha256Digest;

use crate::config::RolloutConfig;

/// How many bits of the digest a position has: as many as a 64-bit float can hold.
const BITS: u32 = 53;

/// The position of a host for a release, from 0 up to (and without) 1.
#[must_use]
pub fn position(rollout: &RolloutConfig, host: &str, label: &str, serial: u64) -> f64 {
    let serial = match rollout.fixed {
        true => String::new(),
        false => serial.to_string(),
    };
    // No part can contain a zero byte except the salt, which comes last.
    let text = format!("edgec sync 1\0{host}\0{label}\0{serial}\0{}", rollout.salt);
    let digest = Sha256Digest::of(text.as_bytes());
    let first = digest.0.iter().take(8);
    let number = first.fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    #[expect(
        clippy::cast_precision_loss,
        reason = "53 bits fit into a float without a loss"
    )]
    let position = (number >> (64 - BITS)) as f64 / (1u64 << BITS) as f64;
    position
}

/// The wave of a host for a release, from 0: the first that names the host, else the first whose
/// share covers its position. Without waves, all hosts are in wave 0.
#[must_use]
pub fn wave(rollout: &RolloutConfig, host: &str, label: &str, serial: u64) -> usize {
    let waves = &rollout.waves;
    let named = waves
        .iter()
        .position(|wave| wave.hosts.iter().any(|named| named == host));
    let at = position(rollout, host, label, serial);
    named
        .or_else(|| waves.iter().position(|wave| at < wave.share.get()))
        .unwrap_or(waves.len().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Share, WaveConfig};

    fn rollout(shares: &[f64]) -> RolloutConfig {
        let wave = |share: &f64| WaveConfig {
            share: Share::new(*share).unwrap(),
            hosts: Vec::new(),
            pause: crate::config::Period::secs(1),
        };
        RolloutConfig {
            salt: "acme".to_owned(),
            waves: shares.iter().map(wave).collect(),
            ..RolloutConfig::default()
        }
    }

    #[test]
    fn hosts_are_spread_evenly() {
        let rollout = rollout(&[0.02, 0.25, 1.0]);
        let mut sizes = [0usize; 3];
        for number in 0..10_000 {
            let host = format!("pop-{number}");
            let at = position(&rollout, &host, "shop", 7);
            assert!((0.0..1.0).contains(&at), "{at}");
            sizes[wave(&rollout, &host, "shop", 7)] += 1;
        }
        // Of 10,000 hosts: 200, 2300 and 7500, within four standard deviations.
        assert!(sizes[0].abs_diff(200) < 57, "{sizes:?}");
        assert!(sizes[1].abs_diff(2300) < 169, "{sizes:?}");
        assert!(sizes[2].abs_diff(7500) < 174, "{sizes:?}");
    }

    #[test]
    fn another_release_begins_with_other_hosts_unless_positions_are_fixed() {
        let mut rollout = rollout(&[0.5, 1.0]);
        let differ = |rollout: &RolloutConfig| {
            let hosts = (0..200).map(|number| format!("pop-{number}"));
            hosts
                .filter(|host| wave(rollout, host, "shop", 1) != wave(rollout, host, "shop", 2))
                .count()
        };
        assert!((60..140).contains(&differ(&rollout)));
        rollout.fixed = true;
        assert_eq!(differ(&rollout), 0);
        let before = wave(&rollout, "pop-1", "shop", 1);
        rollout.salt = (0..)
            .map(|number| format!("salt {number}"))
            .find(|salt| {
                rollout.salt.clone_from(salt);
                wave(&rollout, "pop-1", "shop", 1) != before
            })
            .unwrap();
    }

    #[test]
    fn a_wave_can_name_its_hosts() {
        let mut rollout = rollout(&[0.0, 1.0]);
        rollout.waves[0].hosts.push("canary".to_owned());
        assert_eq!(wave(&rollout, "canary", "shop", 1), 0);
        assert_eq!(wave(&rollout, "pop-1", "shop", 1), 1);
        rollout.waves.clear();
        assert_eq!(wave(&rollout, "pop-1", "shop", 1), 0);
    }

    /// Hosts of a fleet may run different versions of edgec.
    #[test]
    fn the_position_is_the_same_in_every_version() {
        let mut rollout = rollout(&[1.0]);
        let at = position(&rollout, "pop-1", "shop@stable", 3);
        assert_eq!(at, 0.3025853193111314);
        rollout.fixed = true;
        let at = position(&rollout, "pop-1", "shop@stable", 3);
        assert_eq!(at, 0.5654258697366715);
    }
}
