//! What a host tells about its work: metrics, a log, traces and a status page.
//!
//! Counting costs a request some additions, without a lock or an allocation. The log has a line for
//! each request only if the configuration wants it. `docs/telemetry.md` describes everything.

mod exposition;
mod histogram;
mod line;
mod metrics;
#[cfg(feature = "otlp")]
mod otlp;
mod prometheus;
mod requests;
mod status;
mod trace;
mod voice;
mod writer;

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use edgec_loader::wasmtime::Trap;
use edgec_loader::{AcceptedSignature, LoadTimes};
use http::{Request, StatusCode};

use self::line::Line;
pub use self::metrics::Counted;
use self::metrics::Metrics;
use self::requests::Asked;
pub(crate) use self::requests::Refused;
pub use self::trace::{TRACEPARENT, TRACESTATE, TraceContext};
use self::voice::Turn;
pub(crate) use self::voice::Voice;
use self::writer::Writer;
use crate::client::Client;
use crate::config::{LogConfig, LogLevel};
use crate::{Application, Host, HostError, Limit, Outcome};

/// What a host tells about its work.
#[derive(Debug)]
pub struct Telemetry {
    config: LogConfig,
    metrics: Metrics,
    writer: Writer,
    #[cfg(feature = "otlp")]
    collector: Option<otlp::Collector>,
}

/// A request that runs: when it began, and its place in a trace.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    at: Instant,
    /// Its place in a trace.
    pub(crate) trace: TraceContext,
    /// For its line in the log. `None`: it has none.
    asked: Option<Box<Asked>>,
}

/// A page of the admin interface.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page {
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// Its body.
    pub body: String,
}

impl Telemetry {
    /// As the configuration wants it.
    ///
    /// # Errors
    ///
    /// [`HostError::Service`] if the collector cannot be used, or if this program cannot send
    /// spans. [`HostError::System`] if the system gives no thread for the log.
    pub fn new(config: &LogConfig) -> Result<Arc<Self>, HostError> {
        #[cfg(feature = "otlp")]
        let collector = match &config.otlp {
            Some(address) => Some(otlp::Collector::new(address).map_err(no_collector)?),
            None => None,
        };
        #[cfg(not(feature = "otlp"))]
        if config.otlp.is_some() {
            return Err(no_collector(NotBuiltIn));
        }
        let metrics = Metrics::default();
        let lost = Arc::clone(&metrics.log_lines_lost);
        let writer = Writer::new(std::io::stderr(), config.format, lost)?;
        Ok(Arc::new(Self {
            config: config.clone(),
            metrics,
            writer,
            #[cfg(feature = "otlp")]
            collector,
        }))
    }

    /// The counters of the application with this [label](Application::label). An application keeps
    /// them, so that nothing looks for them at a request.
    pub fn counters(&self, label: &str) -> Arc<Counted> {
        self.metrics.application(label)
    }

    /// A request of an application begins.
    pub(crate) fn request_started<B>(
        &self,
        application: &Application,
        request: &Request<B>,
        client: Client,
    ) -> Begun {
        application
            .counted()
            .started
            .fetch_add(1, Ordering::Relaxed);
        let trace = TraceContext::of_request(request.headers());
        // Without a client that decides it, the host's spans begin a trace that is recorded.
        #[cfg(feature = "otlp")]
        let trace = match (&self.collector, trace.parent()) {
            (Some(_), None) => trace.sampled(),
            _ => trace,
        };
        let asked = self
            .has_lines_of_requests()
            .then(|| Box::new(self.asked(request, client)));
        let at = Instant::now();
        Begun { at, trace, asked }
    }

    /// A request ended: its last byte was sent, or it failed.
    pub(crate) fn request_finished(
        &self,
        application: &Application,
        begun: &Begun,
        status: StatusCode,
        outcome: Outcome,
    ) {
        let took = begun.at.elapsed();
        #[cfg(feature = "otlp")]
        if let Some(collector) = &self.collector {
            collector.send(&begun.trace, application.name(), status, took, outcome);
        }
        application.counted().finished(status, took, outcome);
        if let Some(asked) = &begun.asked {
            let mut line = self.line(LogLevel::Info, Some(application.label()), &"request");
            asked.put_into(&mut line);
            requests::put_outcome(&mut line, status, outcome);
            line.number("microseconds", took.as_micros());
            line.field("trace", &format_args!("{:032x}", begun.trace.trace()));
            self.writer.write(line);
        }
    }

    /// A request was answered with this status, because it has no application.
    pub(crate) fn request_refused<B>(
        &self,
        request: &Request<B>,
        client: Client,
        refused: Refused,
        status: StatusCode,
    ) {
        self.metrics.refused(refused);
        if self.has_lines_of_requests() {
            let mut line = self.line(LogLevel::Info, None, &"request");
            self.asked(request, client).put_into(&mut line);
            refused.put_into(&mut line, Some(status));
            self.writer.write(line);
        }
    }

    /// A client sent something that is no head of a request, or too long for one.
    pub(crate) fn head_refused(&self, client: Client, refused: Refused) {
        self.metrics.refused(refused);
        if self.has_lines_of_requests() {
            let mut line = self.line(LogLevel::Info, None, &"request");
            line.field("client", &client);
            refused.put_into(&mut line, None);
            self.writer.write(line);
        }
    }

    fn has_lines_of_requests(&self) -> bool {
        self.config.requests && self.config.level >= LogLevel::Info
    }

    fn asked<B>(&self, request: &Request<B>, client: Client) -> Asked {
        Asked::of(request, client, self.config.request_query)
    }

    /// A limit was hit, by an application or by a client that has none yet.
    pub fn limit_hit(&self, application: Option<&Application>, limit: Limit) {
        match application {
            Some(application) => application.counted().limit_hit(limit),
            None => self.metrics.limits.add(limit),
        }
    }

    /// A program trapped in a call of this export. The edge profile keeps no backtraces, so this is
    /// all that is known.
    pub fn trapped(&self, application: &Application, export: &str, trap: Trap) {
        // The engine's name for the code, such as `MemoryOutOfBounds`.
        let code = format!("{trap:?}");
        application.counted().trapped(&code);
        if self.config.level >= LogLevel::Warn {
            let mut line = self.line(LogLevel::Warn, Some(application.label()), &"trap");
            line.field("code", &code);
            line.field("export", &export);
            line.field("says", &trap);
            self.writer.write(line);
        }
    }

    /// A program wrote a line to one of its streams.
    pub(crate) fn said(&self, application: &Application, stream: &'static str, line: &str) {
        let (counted, voice) = (application.counted(), application.voice());
        let level = LogLevel::Info;
        self.said_at(
            level,
            application.label(),
            counted,
            voice,
            Some(stream),
            &line,
        );
    }

    /// A program has said something. It is written if its application has not said too much.
    pub(crate) fn said_at(
        &self,
        level: LogLevel,
        label: &str,
        counted: &Counted,
        voice: &Voice,
        stream: Option<&'static str>,
        what: &dyn Display,
    ) {
        if level > self.config.level {
            return;
        }
        let (format, now) = (self.config.format, SystemTime::now());
        let mut line = Line::of_program(format, now, level, label, what);
        if let Some(stream) = stream {
            line.field("stream", &stream);
        }
        let note = |what: &dyn Display| self.log(LogLevel::Warn, Some(label), what);
        match voice.take(line.len()) {
            Turn::Written(left_out) => {
                if left_out > 0 {
                    note(&format_args!(
                        "log-rate: {left_out} lines of the program were left out"
                    ));
                }
                self.writer.write(line);
                return;
            }
            Turn::First => note(&"log-rate: further lines of the program are left out"),
            Turn::Further => {}
        }
        counted.limit_hit(Limit::LogRate);
    }

    /// A version of an application was loaded and is in use.
    pub fn loaded(
        &self,
        application: &Application,
        version: u64,
        signers: &[AcceptedSignature],
        times: LoadTimes,
    ) {
        self.metrics
            .loaded(application.counted(), version, signers, times);
        if self.config.level >= LogLevel::Info {
            let mut line = self.line(LogLevel::Info, Some(application.label()), &"loaded");
            line.number("version", version);
            for signer in signers {
                line.field("signer", &signer.key_name);
                line.field("key", &signer.key_id);
            }
            for (name, took) in [
                ("readMicroseconds", times.read),
                ("verifyMicroseconds", times.verify),
                ("engineMicroseconds", times.engine),
            ] {
                line.number(name, took.as_micros());
            }
            self.writer.write(line);
        }
    }

    /// An instance was made.
    pub fn instantiated(&self, took: Duration) {
        self.metrics.instantiation.observe(took);
    }

    /// How many instances were made.
    pub(crate) fn instances(&self) -> u64 {
        self.metrics.instantiation.seen().count
    }

    /// Writes a line about an application or about the host.
    pub fn log(&self, level: LogLevel, application: Option<&str>, what: impl Display) {
        if level <= self.config.level {
            self.writer.write(self.line(level, application, &what));
        }
    }

    /// Waits until the log is written, and no longer than half a second: its reader may have
    /// stopped. Call it at the end of a process.
    pub fn flush(&self) {
        self.writer.flush();
    }

    /// A page of the admin interface. `None`: there is no such page.
    pub fn page(&self, path: &str, host: &Host) -> Option<Page> {
        self.page_at(path, host.queue_depth())
    }

    fn page_at(&self, path: &str, waiting: usize) -> Option<Page> {
        match path {
            "/metrics" => Some(Page {
                content_type: exposition::CONTENT_TYPE,
                body: prometheus::text(&self.metrics, waiting),
            }),
            "/_edgec/" if self.config.status_page => Some(Page {
                content_type: status::CONTENT_TYPE,
                body: status::page(&self.metrics, waiting),
            }),
            _ => None,
        }
    }

    fn line(&self, level: LogLevel, application: Option<&str>, message: &dyn Display) -> Line {
        let (format, now) = (self.config.format, SystemTime::now());
        Line::new(format, now, level, application, message)
    }
}

impl Counted {
    /// A limit was hit by this application.
    pub(crate) fn limit_hit(&self, limit: Limit) {
        self.limits.add(limit);
    }
}

/// The host cannot start, because spans cannot be sent where the configuration wants them.
fn no_collector(source: impl std::error::Error + Send + Sync + 'static) -> HostError {
    HostError::Service {
        what: "the collector that `otlp` names".to_owned(),
        source: source.into(),
    }
}

/// Why spans cannot be sent without the feature.
#[cfg(not(feature = "otlp"))]
#[derive(Debug, thiserror::Error)]
#[error("this program was built without the feature `otlp`")]
struct NotBuiltIn;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_page_is_off_by_default() {
        let mut config = LogConfig::default();
        let page = |config: &LogConfig, path: &str| {
            let telemetry = Telemetry::new(config).unwrap();
            telemetry.page_at(path, 0).map(|page| page.content_type)
        };
        assert_eq!(page(&config, "/_edgec/"), None);
        assert_eq!(page(&config, "/metrics"), Some(exposition::CONTENT_TYPE));
        config.status_page = true;
        assert_eq!(page(&config, "/_edgec/"), Some(status::CONTENT_TYPE));
        assert_eq!(page(&config, "/_edgec"), None);
    }

    #[cfg(not(feature = "otlp"))]
    #[test]
    fn a_program_without_the_feature_sends_no_spans() {
        let config = LogConfig {
            otlp: Some("http://127.0.0.1:4317".to_owned()),
            ..LogConfig::default()
        };
        assert!(matches!(
            Telemetry::new(&config),
            Err(HostError::Service { .. })
        ));
    }
}
