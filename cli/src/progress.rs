//! What a person at a terminal sees while compiling takes long.

use std::time::Duration;

use edgec_targets::Target;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::render::{safe, size};

/// A line on standard error that changes; on anything but a terminal there is none.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        let bar = ProgressBar::new_spinner();
        bar.set_draw_target(if quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        });
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        Self(bar)
    }

    pub(crate) fn optimizing(&self, name: &str, module: usize, length: usize) {
        self.0.set_message(format!(
            "{}: optimizing core module {module} ({})",
            safe(name),
            size(length as u64)
        ));
    }

    pub(crate) fn initializing(&self, name: &str, function: &str) {
        let (name, function) = (safe(name), safe(function));
        self.0.set_message(format!("{name}: calling {function}"));
    }

    pub(crate) fn compiling(&self, name: &str, target: &Target) {
        self.0
            .set_message(format!("{}: compiling for {}", safe(name), target.id));
    }

    /// Takes the line away, so that something else can be printed.
    pub(crate) fn clear(&self) {
        self.0.finish_and_clear();
        self.0.reset();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
