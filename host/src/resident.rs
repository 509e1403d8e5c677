//! Measures which pages large programs write, and keeps them resident in the slots of the pools.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use edgec_loader::ResidentPages;
use edgec_loader::wasmtime::Engine;
use edgec_loader::wasmtime::component::Component;

use crate::HostError;
use crate::config::LogLevel;
use crate::host::Host;

/// The time between two looks while something changes. A look costs some 50 µs for each slot.
const SHORTEST: Duration = Duration::from_millis(50);
/// The time between two looks when all is as before.
const LONGEST: Duration = Duration::from_secs(2);
/// After so many looks without a change, looks become rare. Not all requests write the same pages.
const QUIET: u32 = 20;

/// Looks at the slots as long as the host lives, in a thread of its own.
pub(crate) fn keep(host: &Arc<Host>) -> Result<(), HostError> {
    let host = Arc::downgrade(host);
    let work = move || {
        let (mut seen, mut quiet, mut pools) = (0, 0, BTreeMap::new());
        loop {
            std::thread::sleep(pause(quiet));
            let Some(host) = host.upgrade() else {
                return;
            };
            // Without instances, no page was written.
            let made = host.telemetry().instances();
            if made == seen {
                continue;
            }
            seen = made;
            // Instances that several requests use do not end soon.
            let instance = host.finished().next();
            let looked = look(&host, &mut pools);
            drop(instance);
            match looked {
                Ok(true) => quiet = 0,
                Ok(false) => quiet = quiet.saturating_add(1),
                Err(error) => {
                    let what = format!("pages of slots stay as the engine leaves them: {error}");
                    host.telemetry().log(LogLevel::Warn, None, what);
                    return;
                }
            }
        }
    };
    let thread = std::thread::Builder::new().name("resident".to_owned());
    let what = "no thread can be started";
    let started = thread.spawn(work);
    started.map_err(|source| HostError::System { what, source })?;
    Ok(())
}

/// The time to the next look after so many without a change.
fn pause(quiet: u32) -> Duration {
    let doublings = quiet.saturating_sub(QUIET).min(16);
    SHORTEST.saturating_mul(1 << doublings).min(LONGEST)
}

/// Looks once at all pools. Returns whether anything has changed.
fn look(host: &Host, pools: &mut BTreeMap<usize, ResidentPages>) -> std::io::Result<bool> {
    let mut changed = false;
    let all = host.pools().all();
    pools.retain(|number, _| all.iter().any(|pool| pool.number == *number));
    for pool in &all {
        let (share, components) = (pool.share, components(host, &pool.engine));
        if share.slot == 0 || components.is_empty() {
            continue;
        }
        let known = match pools.entry(pool.number) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(ResidentPages::new(share.slot, share.all)?),
        };
        let settled = known.settle(&components)?;
        changed |= settled.changed || settled.added > 0;
    }
    Ok(changed)
}

/// The programs that have instances in a pool.
fn components(host: &Host, engine: &Engine) -> Vec<Component> {
    let deployed = host
        .applications()
        .into_iter()
        .filter_map(|it| it.version());
    let components = deployed.map(|it| it.program().component().clone());
    components
        .filter(|it| Engine::same(it.engine(), engine))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_become_rare_when_nothing_changes() {
        assert_eq!(pause(0), SHORTEST);
        assert_eq!(pause(QUIET), SHORTEST);
        assert_eq!(pause(QUIET + 1), SHORTEST * 2);
        assert_eq!(pause(u32::MAX), LONGEST);
    }
}
