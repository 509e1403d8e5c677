//! Spans for an OpenTelemetry collector, over OTLP and gRPC, without TLS: the collector runs on the
//! same machine or behind the same wall, and a second stack for TLS would be a second provider of
//! cryptography. Metrics go to Prometheus, which a collector can read too.
//!
//! The spans go into a bounded queue, from which a thread sends them. If the queue is full, a span
//! is lost, and no request waits.
//!
//! Sources: OpenTelemetry semantic conventions for HTTP spans (1.36);
//! <https://opentelemetry.io/docs/specs/otlp/>.

use std::error::Error;
use std::fmt;
use std::time::{Duration, SystemTime};

use http::StatusCode;
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor as _,
};
use tokio::runtime::{Builder, Runtime};

use super::trace::TraceContext;
use crate::Outcome;

/// Where spans go.
pub(super) struct Collector {
    processor: BatchSpanProcessor,
    /// In which the connection lives: a host is made before the runtime of its requests.
    runtime: Option<Runtime>,
    scope: InstrumentationScope,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}

/// Why a collector cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum CollectorError {
    /// Its address is not one without TLS.
    #[error("`{0}` is no address of a collector without TLS, such as `http://127.0.0.1:4317`")]
    Address(String),
    /// The system gives no thread for the connection.
    #[error("there is no thread for the connection to the collector")]
    Runtime(#[source] std::io::Error),
    /// The exporter refuses its settings.
    #[error("spans cannot be sent to the collector")]
    Exporter(#[source] Box<dyn Error + Send + Sync>),
}

impl Collector {
    /// A collector at an address such as `http://127.0.0.1:4317`. It connects later, and again if
    /// the connection ends.
    pub(super) fn new(address: &str) -> Result<Self, CollectorError> {
        if !address.starts_with("http://") {
            return Err(CollectorError::Address(address.to_owned()));
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("edgec-otlp")
            .enable_all()
            .build()
            .map_err(CollectorError::Runtime)?;
        let within = runtime.enter();
        let exporter = SpanExporter::builder().with_tonic().with_endpoint(address);
        let exporter = exporter
            .build()
            .map_err(|error| CollectorError::Exporter(error.into()))?;
        let mut processor = BatchSpanProcessor::builder(exporter).build();
        drop(within);
        processor.set_resource(&Resource::builder().with_service_name("edgec").build());
        let scope = InstrumentationScope::builder("edgec-host");
        let scope = scope.with_version(env!("CARGO_PKG_VERSION")).build();
        Ok(Self {
            processor,
            runtime: Some(runtime),
            scope,
        })
    }

    /// Sends the span of a request that ended now, if its trace is recorded.
    pub(super) fn send(
        &self,
        trace: &TraceContext,
        application: &str,
        status: StatusCode,
        took: Duration,
        outcome: Outcome,
    ) {
        if trace.is_sampled() {
            let scope = self.scope.clone();
            let span = span(trace, scope, application, status, took, outcome);
            self.processor.on_end(span);
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // What cannot be sent within this time is lost.
        let _ = self.processor.shutdown_with_timeout(Duration::from_secs(2));
        if let Some(runtime) = self.runtime.take() {
            // A runtime must not wait for its threads within another one.
            runtime.shutdown_background();
        }
    }
}

fn span(
    trace: &TraceContext,
    instrumentation_scope: InstrumentationScope,
    application: &str,
    status: StatusCode,
    took: Duration,
    outcome: Outcome,
) -> SpanData {
    let end_time = SystemTime::now();
    let context = SpanContext::new(
        TraceId::from(trace.trace()),
        SpanId::from(trace.span()),
        TraceFlags::SAMPLED,
        false,
        TraceState::NONE,
    );
    let mut attributes = vec![
        KeyValue::new("http.response.status_code", i64::from(status.as_u16())),
        KeyValue::new("edgec.application", application.to_owned()),
        KeyValue::new("edgec.outcome", outcome.name()),
    ];
    if let Outcome::Limited(limit) = outcome {
        attributes.push(KeyValue::new("edgec.limit", limit.name()));
    }
    SpanData {
        span_context: context,
        parent_span_id: trace.parent().map_or(SpanId::INVALID, SpanId::from),
        parent_span_is_remote: trace.parent().is_some(),
        span_kind: SpanKind::Server,
        name: "request".into(),
        start_time: end_time.checked_sub(took).unwrap_or(end_time),
        end_time,
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        // A server's span is an error for status codes of 500 and above.
        status: match status.is_server_error() {
            true => Status::error(outcome.name()),
            false => Status::Unset,
        },
        instrumentation_scope,
    }
}

#[cfg(test)]
mod tests {
    use http::header::{HeaderMap, HeaderValue};

    use super::super::trace::TRACEPARENT;
    use super::*;
    use crate::Limit;

    #[test]
    fn an_address_is_one_without_tls() {
        let address = Collector::new("https://collector:4317");
        assert!(matches!(address, Err(CollectorError::Address(_))));
        let refused = Collector::new("http://\u{0}");
        assert!(matches!(refused, Err(CollectorError::Exporter(_))));
    }

    /// Nobody listens there: spans are lost, and nothing else happens.
    #[test]
    fn a_collector_that_is_not_there_holds_nobody_up() {
        let collector = Collector::new("http://127.0.0.1:9").unwrap();
        let trace = TraceContext::of_request(&HeaderMap::new()).sampled();
        for _ in 0..10_000 {
            let took = Duration::from_millis(1);
            collector.send(&trace, "a", StatusCode::OK, took, Outcome::Answered);
        }
    }

    #[test]
    fn a_span_is_the_hosts_own_in_the_trace_of_the_client() {
        let mut headers = HeaderMap::new();
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        headers.insert(TRACEPARENT, HeaderValue::from_static(parent));
        let trace = TraceContext::of_request(&headers);
        let scope = InstrumentationScope::builder("x").build();
        let took = Duration::from_millis(3);
        let outcome = Outcome::Limited(Limit::WallTime);
        let status = StatusCode::GATEWAY_TIMEOUT;
        let span = span(&trace, scope, "acme/shop", status, took, outcome);
        assert_eq!(
            span.span_context.trace_id().to_string(),
            "0af7651916cd43dd8448eb211c80319c"
        );
        assert_eq!(span.parent_span_id.to_string(), "b7ad6b7169203331");
        assert_ne!(span.span_context.span_id(), span.parent_span_id);
        assert_eq!(span.end_time.duration_since(span.start_time).unwrap(), took);
        assert!(matches!(span.status, Status::Error { .. }));
        let has = |name: &str| span.attributes.iter().any(|it| it.key.as_str() == name);
        assert!(has("edgec.limit") && has("http.response.status_code"));
    }
}
