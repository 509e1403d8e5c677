//! The queue of the applications, and the threads that work on it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::follower::{Follower, Shared, Step};
use crate::report::Level;
use crate::silent::Silent;
use crate::source::Trouble;
use crate::status::Phase;
use crate::stop::Stop;

/// The longest sleep of a thread that has nothing to do.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// The sleep of a thread while another one works, whose application may come next.
const SHORT_SLEEP: Duration = Duration::from_millis(50);
/// How long an application waits whose step has panicked.
const AFTER_PANIC: Duration = Duration::from_secs(60);

/// An application, and when there is something to do.
pub(super) struct Task {
    pub(super) follower: Follower,
    pub(super) due: Instant,
    pub(super) last: Option<Step>,
    /// Whether its next step asks no registry: it checks a release, or goes back.
    pub(super) is_local: bool,
}

/// Which steps a thread takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    All,
    /// Those that ask no registry.
    Local,
}

pub(super) struct Queue {
    pub(super) all: Mutex<State>,
}

pub(super) struct State {
    pub(super) waiting: Vec<Task>,
    pub(super) running: usize,
    pub(super) ended: Vec<(Follower, Option<Step>)>,
    /// Applications that could not ask a place, because another one finds out whether that answers.
    pub(super) held: Vec<(String, Task)>,
}

impl State {
    /// Lets applications go on whose places may be asked again.
    fn release(&mut self, silent: &Silent, now: Instant) {
        let all = std::mem::take(&mut self.held);
        let (held, mut free): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|(place, _)| silent.is_busy(place));
        self.held = held;
        for (_, task) in &mut free {
            task.due = now;
        }
        self.waiting.extend(free.into_iter().map(|(_, task)| task));
    }
}

/// What a worker does next.
enum Turn {
    Work(Box<Task>),
    Sleep(Duration),
    End,
}

impl Queue {
    pub(super) fn work(
        &self,
        takes: Takes,
        shared: &Shared,
        stop: &Stop,
        ends: &impl Fn(&Step, Instant) -> bool,
    ) {
        while !stop.is_told() {
            match self.next(takes, Instant::now()) {
                Turn::End => return,
                Turn::Sleep(time) => {
                    stop.wait(time);
                }
                Turn::Work(mut task) => {
                    let now = Instant::now();
                    let step = stepped(&mut task.follower, shared, now);
                    let mut state = self.lock();
                    state.running = state.running.saturating_sub(1);
                    if let Some(place) = step.is_held_by {
                        state.held.push((place, *task));
                    } else if ends(&step, now) {
                        state.ended.push((task.follower, Some(step)));
                    } else {
                        task.due = step.due;
                        task.is_local = task.follower.is_local(step.due);
                        task.last = Some(step);
                        state.waiting.push(*task);
                    }
                    // Also after a step that is held: what held it may have ended meanwhile.
                    state.release(&shared.silent, now);
                }
            }
        }
    }

    /// The application that waits for the longest time.
    fn next(&self, takes: Takes, now: Instant) -> Turn {
        let mut state = self.lock();
        let waiting = state.waiting.iter().enumerate();
        let first = waiting
            .filter(|(_, task)| takes == Takes::All || task.is_local)
            .min_by_key(|(_, task)| task.due);
        match first.map(|(at, task)| (at, task.due)) {
            Some((at, due)) if due <= now => {
                state.running = state.running.saturating_add(1);
                Turn::Work(Box::new(state.waiting.swap_remove(at)))
            }
            // One that another worker has may be due sooner.
            _ if state.running > 0 => Turn::Sleep(SHORT_SLEEP),
            Some((_, due)) => {
                let time = due.saturating_duration_since(now);
                Turn::Sleep(time.min(LONGEST_SLEEP))
            }
            // Nothing is local until another worker has taken a step.
            None => match state.waiting.iter().map(|task| task.due).min() {
                Some(due) => {
                    let time = due.saturating_duration_since(now);
                    Turn::Sleep(time.clamp(SHORT_SLEEP, LONGEST_SLEEP))
                }
                None => Turn::End,
            },
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A step. A panic in it is a fault of this program, and must not stop other applications.
fn stepped(follower: &mut Follower, shared: &Shared, now: Instant) -> Step {
    let work = std::panic::AssertUnwindSafe(|| follower.step(shared, now));
    std::panic::catch_unwind(work).unwrap_or_else(|_| {
        let text = "a step panicked: this is a fault of edgec; please report it";
        let trouble = Trouble::environment("internal", text);
        shared
            .report
            .line(Level::Error, Some(follower.label()), text);
        Step {
            due: now + AFTER_PANIC,
            phase: Phase::Starting,
            waits: false,
            is_held_by: None,
            trouble: Some(trouble),
        }
    })
}
