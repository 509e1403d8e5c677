//! A look at the reference of an application: whether a newer release is there.
//!
//! The first place that answers is enough most of the time. But a mirror that stands still looks
//! like a registry in which nothing is new. So now and then all places are asked, and at each look
//! when the timestamp of the newest release is about to end.

use std::time::Instant;

use edgec_store::verifier::{
    ReleaseRefusal, VerifiedRelease, VerifiedTimestamp, check_stamped, verify_release,
    verify_timestamp,
};
use edgec_verifier::{TrustPolicy, error_chain};

use super::{Follower, Missed, Seen, Shared};
use crate::machine::{ObserveError, Observed};
use crate::silent::Turn;
use crate::source::{Given, Offered, Trouble};
use crate::state::ReleaseId;

/// At every so many looks, all places are asked.
const THOROUGH: u32 = 10;

impl Follower {
    /// Looks at the places of the reference, one after the other, until one of them answers with
    /// something that holds.
    pub(super) fn look(&mut self, shared: &Shared, now: Instant) -> Result<(), Missed> {
        let looked = match self.asks_all(shared)? {
            true => self.all_places(shared, now),
            false => self.first_place(shared, now, |follower, place| {
                follower.look_at(shared, place, now)
            }),
        };
        let looked = match looked {
            Ok(()) => self.check_expiry(shared),
            Err(Missed::Trouble(trouble)) => Err(trouble),
            // Nothing was asked.
            Err(missed) => return Err(missed),
        };
        self.status.polls = self.status.polls.saturating_add(1);
        self.looks = (self.looks + 1) % THOROUGH;
        match looked {
            Ok(()) => {
                self.status.polled = shared.clock.now().ok();
                self.next_poll = now + Self::pause(shared, 0);
                Ok(())
            }
            Err(trouble) => {
                self.status.failures = self.status.failures.saturating_add(1);
                Err(trouble.into())
            }
        }
    }

    /// Whether this look asks all places.
    fn asks_all(&self, shared: &Shared) -> Result<bool, Trouble> {
        let rest = shared.poll.interval.get().saturating_mul(THOROUGH);
        let now = Self::now(shared)?;
        let ends = self.known.expires.is_some_and(|expires| {
            expires.seconds() <= now.seconds().saturating_add(rest.as_secs())
        });
        Ok(self.looks == 0 || ends)
    }

    /// Looks at all places. One that answers is enough.
    fn all_places(&mut self, shared: &Shared, now: Instant) -> Result<(), Missed> {
        let (mut is_done, mut missed) = (false, None);
        for place in self.places(shared, now) {
            match self.at_place(shared, now, &place, &mut |it, at| {
                it.look_at(shared, at, now)
            }) {
                Ok(()) => is_done = true,
                Err(next) => missed = Some(graver(missed, next)),
            }
        }
        match (is_done, missed) {
            (false, Some(missed)) => Err(missed),
            _ => Ok(()),
        }
    }

    /// The places of the reference. Those that failed lately come last.
    fn places(&self, shared: &Shared, now: Instant) -> Vec<String> {
        let places = self.config.places(&shared.mirrors);
        shared.silent.last(places, now)
    }

    /// Whether the newest timestamp has ended, and the policy demands one: then hosts stop the
    /// application, and no place has a newer one.
    fn check_expiry(&self, shared: &Shared) -> Result<(), Trouble> {
        let Some(expires) = self.known.expires.filter(|_| self.known.has_taken_newest()) else {
            return Ok(());
        };
        if Self::now(shared)? < expires {
            return Ok(());
        }
        match check_stamped(None, &(shared.policies)()?) {
            Ok(()) => Ok(()),
            Err(_) => Err(Trouble::refused(
                "sync-release",
                format!(
                    "the newest timestamp of the release ended at {expires}, and no place has a \
                     newer one: publish one (`edgec release stamp`), or programs stop"
                ),
            )),
        }
    }

    /// Does something with the first place that it succeeds with.
    pub(super) fn first_place<T>(
        &mut self,
        shared: &Shared,
        now: Instant,
        mut work: impl FnMut(&mut Self, &str) -> Result<T, Trouble>,
    ) -> Result<T, Missed> {
        let mut missed = None;
        for place in self.places(shared, now) {
            match self.at_place(shared, now, &place, &mut work) {
                Ok(done) => return Ok(done),
                Err(next) => missed = Some(graver(missed, next)),
            }
        }
        Err(missed.unwrap_or_else(|| no_place().into()))
    }

    /// Does something with a place, if that may be asked now.
    fn at_place<T>(
        &mut self,
        shared: &Shared,
        now: Instant,
        place: &str,
        work: &mut dyn FnMut(&mut Self, &str) -> Result<T, Trouble>,
    ) -> Result<T, Missed> {
        let _trial = match shared.silent.turn(place, now) {
            Turn::Ask(trial) => trial,
            Turn::Silent(trouble, until) => return Err(Missed::Silent(trouble, until)),
            Turn::Busy => return Err(Missed::Busy(place.to_owned())),
        };
        match work(self, place) {
            Ok(done) => {
                shared.silent.answered(place);
                Ok(done)
            }
            Err(trouble) => {
                let trouble = trouble.at(place);
                shared
                    .silent
                    .failed(place, &trouble, now.max(Instant::now()));
                // If another place answers, nothing else tells about this one.
                let has_others = self.config.places(&shared.mirrors).len() > 1;
                if has_others && shared.silent.is_news(place, &trouble) {
                    let text = format!("{}; the other places are asked", trouble.message);
                    self.warn(shared, &text);
                }
                Err(trouble.into())
            }
        }
    }

    fn look_at(&mut self, shared: &Shared, place: &str, now: Instant) -> Result<(), Trouble> {
        let Some(offer) = shared.source.open(place, self.known.index)? else {
            return Ok(());
        };
        let policy = (shared.policies)()?;
        self.take_notice(shared, &*offer, &policy)?;
        self.seen = self.known.wanted().map(|_| Seen {
            place: place.to_owned(),
            offer,
            at: now,
        });
        Ok(())
    }

    /// Verifies the release of an offer, and takes notice of it.
    pub(super) fn take_notice(
        &mut self,
        shared: &Shared,
        offer: &dyn Offered,
        policy: &TrustPolicy,
    ) -> Result<(), Trouble> {
        let given = statements(offer)?;
        let (release, stamp) = self.verified(shared, &given, policy)?;
        let id = ReleaseId::of(&release.release, release.digest);
        let issued = stamp.as_ref().map(|it| it.timestamp.issued);
        let before = self.known.clone();
        self.follow_reset(policy);
        let observed = self.known.observe(id, issued, Self::now(shared)?);
        let observed = observed.map_err(observe_trouble)?;
        let is_new = observed == Observed::New;
        match observed {
            Observed::New => {
                let (version, serial) = (id.version, id.serial);
                let wave = self.wave(&shared.host);
                let text = format!("release {serial} (version {version}) is there; wave {wave}");
                self.info(shared, &text);
            }
            // Loads need newer timestamps about the newest release that the store has taken.
            Observed::Same if self.known.has_taken_newest() => {
                if let Some(timestamp) = &given.timestamp {
                    let expected = &self.expected;
                    shared
                        .shelf
                        .refresh(&given.release, timestamp, policy, expected)?;
                }
            }
            Observed::Same => {}
        }
        let is_newest = self.known.newest.is_some_and(|it| it.release == id);
        if let Some(stamp) = stamp.as_ref().filter(|_| is_newest) {
            let expires = stamp.timestamp.expires;
            // A mirror can repeat an older timestamp of the same release.
            let known = self.known.expires.filter(|_| !is_new);
            self.known.expires = Some(known.map_or(expires, |it| it.max(expires)));
        } else if is_new {
            self.known.expires = None;
        }
        // Only now: what was refused is looked at again.
        self.known.index = Some(offer.digest());
        self.keep(shared, &before)
    }

    fn verified(
        &self,
        shared: &Shared,
        given: &Given,
        policy: &TrustPolicy,
    ) -> Result<(VerifiedRelease, Option<VerifiedTimestamp>), Trouble> {
        let now = Self::now(shared)?;
        let refused = |error: ReleaseRefusal| {
            let hint = match &error {
                ReleaseRefusal::Statement { .. } => {
                    "; if that key is right, give it the role in the trust policy (docs/policy.md)"
                }
                _ => "",
            };
            let error = error_chain(&error);
            Trouble::refused(
                "sync-release",
                format!("the release is refused: {error}{hint}"),
            )
        };
        let release = verify_release(&given.release, policy, now).map_err(refused)?;
        release.check_expected(&self.expected).map_err(refused)?;
        if self.config.channel.is_none() && release.release.channel.is_some() {
            let channel = release.release.channel.as_deref().unwrap_or_default();
            return Err(Trouble::refused(
                "sync-release",
                format!(
                    "the release is of the channel `{channel}`, and this host follows `{}` without \
                     a channel: write `channel` in FLEET.toml, or name another reference",
                    self.config.name
                ),
            ));
        }
        let stamp = given.timestamp.as_ref();
        let stamp = stamp.map(|bytes| verify_timestamp(bytes, &release, policy, now));
        let stamp = match stamp.transpose() {
            // As in `edgec pull`: a timestamp may be old if no rule demands one.
            Err(ReleaseRefusal::Stale { .. }) if check_stamped(None, policy).is_ok() => None,
            stamp => stamp.map_err(refused)?,
        };
        check_stamped(stamp.as_ref(), policy).map_err(refused)?;
        Ok((release, stamp))
    }

    /// Forgets what was seen, if a root has set the numbers of the application again.
    pub(super) fn follow_reset(&mut self, policy: &TrustPolicy) {
        let channel = self.config.channel.as_deref();
        let Some(reset) = policy.floor_reset(&self.config.name, channel) else {
            return;
        };
        if self
            .known
            .reset
            .is_none_or(|followed| reset.number > followed)
        {
            let newest = self.known.newest.as_ref();
            if newest.is_some_and(|newest| newest.release.serial > reset.serial) {
                self.known.newest = None;
            }
            self.known.reset = Some(reset.number);
        }
    }
}

/// What counts of two places: that one may be asked soon, then what failed now, then what failed
/// lately. Of equals, the later one.
fn graver(before: Option<Missed>, next: Missed) -> Missed {
    let rank = |it: &Missed| match it {
        Missed::Silent(..) => 0,
        Missed::Trouble(_) => 1,
        Missed::Busy(_) => 2,
    };
    match before {
        Some(before) if rank(&before) > rank(&next) => before,
        _ => next,
    }
}

fn no_place() -> Trouble {
    Trouble::environment("sync-config", "the reference names no place")
}

/// The release and the timestamp of an offer.
fn statements(offer: &dyn Offered) -> Result<Given, Trouble> {
    offer.statements()?.ok_or_else(|| {
        Trouble::refused(
            "sync-no-release",
            "it has no signed release, and `edgec sync` follows nothing else: push the artifacts \
             with `--release` (`edgec release make` makes one)",
        )
    })
}

fn observe_trouble(error: ObserveError) -> Trouble {
    match error {
        ObserveError::Older { .. } => {
            let hint = "the place is out of date, or the release was withdrawn: to go back on all \
                        hosts, publish the old version as a release with a higher serial";
            Trouble::refused("sync-older", format!("{error}; {hint}"))
        }
        ObserveError::SameSerial { .. } => {
            let hint = "make the release again with a higher --serial";
            Trouble::refused("serial-taken", format!("{error}; {hint}"))
        }
    }
}
