//! Shows the progress of a long build.
//!
//! On a terminal, it is one changing line, which is removed before anything else is printed.
//! Elsewhere, and if `CI` is set or `TERM` is `dumb`, it is one plain line every ten seconds, so
//! that a log shows what the build is doing. All of it goes to standard error.

use std::borrow::Cow;
use std::io::IsTerminal as _;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use edgec_builder::Step;
use edgec_targets::Target;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::render::{safe, size};
use crate::terminal::is_plain;

/// How often a plain line is printed.
const INTERVAL: Duration = Duration::from_secs(10);

/// Shows the steps of each input, one input after another.
pub(crate) struct Progress {
    way: Way,
    state: Mutex<State>,
}

/// How the progress is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Hidden,
    Terminal,
    Plain,
}

#[derive(Default)]
struct State {
    name: String,
    /// How many steps the input takes.
    steps: usize,
    /// The current step, from 1.
    step: usize,
    /// The targets that were started, in order. Each is a step.
    targets: Vec<&'static str>,
    display: Option<Display>,
}

/// What is shown from the first step of an input to its last.
enum Display {
    Terminal(ProgressBar),
    Plain(Ticker),
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        Self {
            way: match (quiet, is_terminal()) {
                (true, _) => Way::Hidden,
                (false, true) => Way::Terminal,
                (false, false) => Way::Plain,
            },
            state: Mutex::default(),
        }
    }

    /// Begins the next input, which takes `steps` steps.
    pub(crate) fn begin(&self, name: &str, steps: usize) {
        self.clear();
        let mut state = self.state();
        state.name = safe(name);
        state.steps = steps;
    }

    /// Begins the last step of an input, after steps of other inputs.
    pub(crate) fn last(&self, name: &str, steps: usize, what: &str) {
        self.begin(name, steps);
        let mut state = self.state();
        state.step = steps;
        self.show(&mut state, what);
    }

    /// Removes the line, so that something else can be printed. The next step shows it again.
    pub(crate) fn clear(&self) {
        let mut state = self.state();
        match state.display.take() {
            Some(Display::Terminal(bar)) => bar.finish_and_clear(),
            Some(Display::Plain(ticker)) => drop(ticker),
            None => {}
        }
        state.step = 0;
        state.targets.clear();
    }

    fn show(&self, state: &mut State, what: &str) {
        let State {
            name, step, steps, ..
        } = state;
        let text = format!("{name}: [{step}/{steps}] {what}");
        match (self.way, &mut state.display) {
            (Way::Hidden, _) => {}
            (_, Some(Display::Terminal(bar))) => bar.set_message(text),
            (_, Some(Display::Plain(ticker))) => ticker.set(text),
            (Way::Terminal, display) => *display = Some(Display::Terminal(bar(text))),
            (Way::Plain, display) => *display = Ticker::new(text).map(Display::Plain),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A poisoned lock does no harm: its state only decides what is shown.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl edgec_builder::Progress for Progress {
    fn step(&self, step: Step<'_>) {
        let what: Cow<'_, str> = match step {
            Step::Validating => "validating".into(),
            Step::Initializing(function) => format!("calling {}", safe(function)).into(),
            Step::Optimizing => "optimizing".into(),
            Step::Packaging => "packaging".into(),
            _ => "working".into(),
        };
        let mut state = self.state();
        state.step += 1;
        self.show(&mut state, &what);
    }

    fn optimizing(&self, module: usize, length: usize) {
        let length = size(length as u64);
        let what = format!("optimizing core module {module} ({length})");
        self.show(&mut self.state(), &what);
    }

    fn compiling(&self, targets: &[&'static Target]) {
        let mut state = self.state();
        let state = &mut *state;
        let ids: Vec<&'static str> = targets.iter().map(|target| target.id).collect();
        for id in ids.iter().copied() {
            if !state.targets.contains(&id) {
                state.targets.push(id);
                state.step += 1;
            }
        }
        self.show(state, &format!("compiling for {}", ids.join(", ")));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Whether standard error is a terminal that can move its cursor, with a person who watches it.
fn is_terminal() -> bool {
    std::io::stderr().is_terminal() && !is_plain()
}

fn bar(text: String) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.set_draw_target(ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.set_message(text);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// A thread that prints the current step every ten seconds.
struct Ticker {
    text: Arc<Mutex<String>>,
    /// Dropping it ends the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// `None` if no thread can be started: the build goes on without it.
    fn new(text: String) -> Option<Self> {
        let text = Arc::new(Mutex::new(text));
        let (stop, stopped) = channel::<()>();
        let shown = Arc::clone(&text);
        let begin = Instant::now();
        let tick = move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(INTERVAL) {
                let text = shown.lock().unwrap_or_else(PoisonError::into_inner);
                eprintln!("{} ({} s)", *text, begin.elapsed().as_secs());
            }
        };
        let thread = std::thread::Builder::new().spawn(tick).ok()?;
        Some(Self {
            text,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    fn set(&mut self, text: String) {
        *self.text.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        // Wait until the thread has finished its line, before anything else is printed.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
