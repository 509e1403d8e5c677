//! A build's use of a shared cache: one pack is fetched while the build works, and one is written
//! when the build is done.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use edgec_artifact::Sha256Digest;
use edgec_packager::SecretKeys;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::index::Refusal;
use crate::names::{self, Names};
use crate::options::{Options, SharedUse, Trouble, Written};
use crate::pack::{Found, MAX_PACK_LEN, NewPack, Pack};
use crate::store::{Put, Store, StoreError};

/// The longest object with the name of a pack, in bytes.
const MAX_NAME_LEN: u64 = 128;

/// Finds the names of a build's packs. It may read the inputs, so it runs beside the build.
type Naming = Box<dyn FnOnce() -> Names + Send>;

/// The shared cache of one build.
#[derive(Debug)]
pub struct SharedCache(Arc<Session>);

#[derive(Debug)]
struct Session {
    options: Options,
    state: Mutex<State>,
    /// The fetch has ended.
    ended: Condvar,
}

struct State {
    phase: Phase,
    naming: Option<Naming>,
    names: Option<Names>,
    cancel: Option<oneshot::Sender<()>>,
    trouble: Option<Trouble>,
    used: SharedUse,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
enum Phase {
    /// Nothing was asked yet.
    Idle,
    Fetching {
        since: Instant,
    },
    Arrived(Arc<Pack>),
    /// There is no pack, or none that counts.
    Absent,
}

impl SharedCache {
    /// A shared cache. Nothing is sent before the first question. `naming` runs in another thread.
    pub fn new(options: Options, naming: impl FnOnce() -> Names + Send + 'static) -> Self {
        Self(Arc::new(Session {
            options,
            state: Mutex::new(State {
                phase: Phase::Idle,
                naming: Some(Box::new(naming)),
                names: None,
                cancel: None,
                trouble: None,
                used: SharedUse::default(),
            }),
            ended: Condvar::new(),
        }))
    }

    /// The answer to a question of a kind. The first call begins to fetch the pack. Until the
    /// deadline, calls wait for it. After that, they only look whether it has arrived.
    pub fn recall(&self, kind: &str, key: &Sha256Digest) -> Option<Vec<u8>> {
        if self.0.options.trusted.is_empty() {
            return None;
        }
        let pack = self.pack()?;
        let found = pack.find(kind, key);
        let mut state = self.0.state();
        match found {
            Found::Answer(answer) => {
                state.used.hits += 1;
                Some(answer)
            }
            Found::Nothing => None,
            Found::Damaged => {
                state.note(Refusal::Damaged.into());
                None
            }
        }
    }

    /// The pack, as soon as it is there.
    fn pack(&self) -> Option<Arc<Pack>> {
        let mut state = self.0.state();
        loop {
            let since = match &state.phase {
                Phase::Idle => {
                    self.begin(&mut state);
                    continue;
                }
                Phase::Arrived(pack) => return Some(pack.clone()),
                Phase::Absent => return None,
                Phase::Fetching { since } => *since,
            };
            let deadline = self.0.options.deadline;
            let left = deadline.saturating_sub(since.elapsed());
            if left.is_zero() {
                state.note(Trouble::Late { deadline });
                return None;
            }
            let waited = self.0.ended.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn begin(&self, state: &mut State) {
        let (cancel, cancelled) = oneshot::channel();
        let session = self.0.clone();
        let naming = state.naming.take();
        let fetch = move || session.fetch(naming, cancelled);
        let started = thread::Builder::new().name("shared-cache".to_owned());
        state.phase = match started.spawn(fetch) {
            Ok(_) => Phase::Fetching {
                since: Instant::now(),
            },
            Err(error) => {
                let reason = error.to_string();
                state.note(StoreError::Unusable { reason }.into());
                Phase::Absent
            }
        };
        state.cancel = Some(cancel);
    }

    /// Whether writing the build's answers makes sense: the store has done nothing wrong so far.
    pub fn is_writable(&self) -> bool {
        let state = self.0.state();
        let is_reached = !matches!(state.phase, Phase::Fetching { .. });
        let is_well = !matches!(
            state.trouble,
            Some(Trouble::Late { .. } | Trouble::Store(_))
        );
        is_reached && is_well
    }

    /// Writes the answers of the build as one pack, signed by `key`. Call it when everything else
    /// is done: it waits for the store, at most until its own deadline.
    pub fn write(
        &self,
        key: &SecretKeys,
        answers: impl IntoIterator<Item = (String, Sha256Digest, Vec<u8>)>,
    ) -> Option<Written> {
        match self.0.write(key, answers) {
            Ok(Some(written)) => {
                self.0.state().used.bytes_written = written.bytes;
                Some(written)
            }
            Ok(None) => None,
            Err(trouble) => {
                self.0.state().note(trouble);
                None
            }
        }
    }

    /// How much the build has used it so far.
    pub fn used(&self) -> SharedUse {
        self.0.state().used
    }

    /// The first thing that went wrong, if it was not taken yet. Ends a fetch that still runs.
    pub fn trouble(&self) -> Option<Trouble> {
        let mut state = self.0.state();
        state.cancel = None;
        state.trouble.take()
    }
}

impl State {
    /// Only the first trouble is told: the others follow from it, or say the same.
    fn note(&mut self, trouble: Trouble) {
        self.trouble.get_or_insert(trouble);
    }
}

impl Session {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches the pack, in a thread of its own.
    fn fetch(&self, naming: Option<Naming>, cancelled: oneshot::Receiver<()>) {
        let names = naming.map(|naming| naming());
        self.state().names = names;
        let found = match names {
            Some(names) => self.found(names, cancelled),
            None => Ok(None),
        };
        let mut state = self.state();
        state.phase = match found {
            Ok(Some((pack, length))) => {
                state.used.bytes_read = length;
                Phase::Arrived(Arc::new(pack))
            }
            Ok(None) => Phase::Absent,
            Err(trouble) => {
                state.note(trouble);
                Phase::Absent
            }
        };
        self.ended.notify_all();
    }

    fn found(
        &self,
        names: Names,
        cancelled: oneshot::Receiver<()>,
    ) -> Result<Option<(Pack, u64)>, Trouble> {
        let runtime = runtime()?;
        // A request may take as long as the whole build: only questions have a deadline.
        let found = runtime.block_on(async {
            let store = self.options.open()?;
            tokio::select! {
                _ = cancelled => Ok(None),
                found = self.search(&store, names) => found,
            }
        });
        // Does not wait for the resolution of a name.
        runtime.shutdown_background();
        found
    }

    /// The pack of exactly these inputs, else the newest of the line, and its length in bytes.
    async fn search(&self, store: &Store, names: Names) -> Result<Option<(Pack, u64)>, Trouble> {
        if let Some(exact) = names.exact
            && let Some(found) = self.get(store, &exact).await?
        {
            return Ok(Some(found));
        }
        let line = names::line(&self.options.namespace, &names.line);
        let Some(newest) = store.get(&line, MAX_NAME_LEN).await? else {
            return Ok(None);
        };
        let newest = std::str::from_utf8(&newest).ok();
        let newest: Option<Sha256Digest> = newest.and_then(|text| text.parse().ok());
        match newest.ok_or(Refusal::Damaged)? {
            newest if Some(newest) == names.exact => Ok(None),
            newest => self.get(store, &newest).await,
        }
    }

    async fn get(
        &self,
        store: &Store,
        name: &Sha256Digest,
    ) -> Result<Option<(Pack, u64)>, Trouble> {
        let Options {
            namespace,
            edgec,
            trusted,
            ..
        } = &self.options;
        let path = names::pack(namespace, name);
        let Some(bytes) = store.get(&path, MAX_PACK_LEN).await? else {
            return Ok(None);
        };
        let length = bytes.len() as u64;
        let pack = Pack::read(bytes, trusted, namespace, Some(edgec))?;
        Ok(Some((pack, length)))
    }

    fn write(
        &self,
        key: &SecretKeys,
        answers: impl IntoIterator<Item = (String, Sha256Digest, Vec<u8>)>,
    ) -> Result<Option<Written>, Trouble> {
        let Options {
            namespace, edgec, ..
        } = &self.options;
        let mut pack = NewPack::new(namespace, *edgec);
        for (kind, key, answer) in answers {
            pack.add(&kind, key, &answer);
        }
        if pack.is_empty() {
            return Ok(None);
        }
        // If nothing was read, the names are not known yet.
        let naming = self.state().naming.take();
        let names = self.state().names;
        let Some(names) = names.or_else(|| naming.map(|naming| naming())) else {
            return Ok(None);
        };
        let own = pack.name();
        let parts = pack.sign(key)?;
        let bytes = parts.iter().map(|part| part.len() as u64).sum();
        let name = names.exact.unwrap_or(own);
        let deadline = self.options.write_deadline;
        let runtime = runtime()?;
        let written = runtime.block_on(async {
            let store = self.options.open()?;
            let put = async {
                let put = store.put(&names::pack(namespace, &name), parts).await?;
                let line = names::line(namespace, &names.line);
                store.put(&line, vec![name.to_string().into()]).await?;
                Ok::<Put, Trouble>(put)
            };
            let put = tokio::time::timeout(deadline, put).await;
            put.map_err(|_| Trouble::WrittenLate { deadline })?
        });
        runtime.shutdown_background();
        Ok(match written? {
            Put::Written => Some(Written { bytes }),
            Put::Kept => None,
        })
    }
}

/// A runtime in the thread that calls.
pub(crate) fn runtime() -> Result<Runtime, StoreError> {
    let built = Builder::new_current_thread().enable_all().build();
    built.map_err(|error| StoreError::Unusable {
        reason: error.to_string(),
    })
}
