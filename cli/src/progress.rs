//! Shows the progress of a long build.
//!
//! On a terminal, it is one changing line, which is removed before anything else is printed.
//! Elsewhere, and if `CI` is set or `TERM` is `dumb`, it is one plain line every ten seconds, so
//! that a log shows what the build is doing. All of it goes to standard error. If several inputs
//! are built at a time, the line has a part for each.

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

/// The maximum number of inputs that the line shows. A longer line would not fit on a terminal.
const MOST_SHOWN: usize = 2;

/// Shows the steps of all inputs.
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
    /// How many inputs there are. 0 or 1 is not shown.
    inputs: usize,
    /// How many of them have ended.
    ended: usize,
    /// The inputs that are worked on, in the order of their begin.
    running: Vec<Input>,
    /// How many have begun.
    begun: usize,
    display: Option<Display>,
}

/// An input that is worked on.
struct Input {
    /// How many began before it.
    number: usize,
    name: String,
    /// How many steps the input takes. 0: that is not known.
    steps: usize,
    /// The current step, from 1. 0 before the first one.
    step: usize,
    /// The targets that were started, in order. Each is a step.
    targets: Vec<&'static str>,
    what: String,
}

/// What is shown from the first step of an input to the end of the last one.
enum Display {
    Terminal(ProgressBar),
    Plain(Ticker),
}

/// The steps of one input. The input ends when this is dropped.
pub(crate) struct Steps<'p> {
    progress: &'p Progress,
    number: usize,
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

    /// Says how many inputs will begin from now on.
    pub(crate) fn expect(&self, inputs: usize) {
        let mut state = self.state();
        state.inputs = inputs;
        state.ended = 0;
    }

    /// Begins an input, which takes `steps` steps.
    pub(crate) fn begin(&self, name: &str, steps: usize) -> Steps<'_> {
        let mut state = self.state();
        let number = state.begun;
        state.begun += 1;
        state.running.push(Input {
            number,
            name: safe(name),
            steps,
            step: 0,
            targets: Vec::new(),
            what: String::new(),
        });
        Steps {
            progress: self,
            number,
        }
    }

    fn show(&self, state: &mut State) {
        let text = state.text();
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

impl State {
    /// The line: how many inputs have ended, and what is done for the others.
    fn text(&self) -> String {
        let running = self.running.iter().filter(|input| input.step > 0);
        let shown = running.clone().take(MOST_SHOWN).map(|input| {
            let Input {
                name,
                steps,
                step,
                what,
                ..
            } = input;
            match steps {
                0 => format!("{name}: {what}"),
                _ => format!("{name}: [{step}/{steps}] {what}"),
            }
        });
        let mut parts: Vec<String> = shown.collect();
        if let more @ 1.. = running.count().saturating_sub(MOST_SHOWN) {
            parts.push(format!("{more} more"));
        }
        if self.inputs > 1 {
            parts.insert(0, format!("{} of {} done", self.ended, self.inputs));
        }
        parts.join("; ")
    }

    /// Removes the line, so that something else can be printed. The next step shows it again.
    fn clear(&mut self) {
        match self.display.take() {
            Some(Display::Terminal(bar)) => bar.finish_and_clear(),
            Some(Display::Plain(ticker)) => drop(ticker),
            None => {}
        }
    }
}

impl Steps<'_> {
    /// Begins the last step, after steps of other inputs.
    pub(crate) fn last(&self, what: &str) {
        self.change(|input| {
            input.step = input.steps;
            what.clone_into(&mut input.what);
        });
    }

    /// Changes what is shown of the input.
    fn change(&self, change: impl FnOnce(&mut Input)) {
        let mut state = self.progress.state();
        let mut running = state.running.iter_mut();
        if let Some(input) = running.find(|input| input.number == self.number) {
            change(input);
        }
        self.progress.show(&mut state);
    }
}

impl Drop for Steps<'_> {
    fn drop(&mut self) {
        let mut state = self.progress.state();
        state.running.retain(|input| input.number != self.number);
        state.ended += 1;
        let others = state.running.iter().any(|input| input.step > 0);
        match others && state.display.is_some() {
            true => self.progress.show(&mut state),
            // The line of the next input begins a new time.
            false => state.clear(),
        }
    }
}

impl edgec_builder::Progress for Steps<'_> {
    fn step(&self, step: Step<'_>) {
        let what: Cow<'_, str> = match step {
            Step::Validating => "validating".into(),
            Step::Initializing(function) => format!("calling {}", safe(function)).into(),
            Step::Optimizing => "optimizing".into(),
            Step::Packaging => "packaging".into(),
            _ => "working".into(),
        };
        self.change(|input| {
            input.step += 1;
            input.what = what.into_owned();
        });
    }

    fn optimizing(&self, module: usize, length: usize) {
        let length = size(length as u64);
        self.change(|input| input.what = format!("optimizing core module {module} ({length})"));
    }

    fn compiling(&self, targets: &[&'static Target]) {
        let ids: Vec<&'static str> = targets.iter().map(|target| target.id).collect();
        self.change(|input| {
            for id in ids.iter().copied() {
                if !input.targets.contains(&id) {
                    input.targets.push(id);
                    input.step += 1;
                }
            }
            input.what = format!("compiling for {}", ids.join(", "));
        });
    }
}

#[cfg(feature = "registry")]
impl edgec_registry::Progress for Steps<'_> {
    fn step(&self, what: &str) {
        self.change(|input| {
            input.step += 1;
            input.what = safe(what);
        });
    }

    // The step says what is sent or fetched.
    fn moved(&self, _: u64) {}
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
