//! The limits of a host: a name for each, and the answer to a request that hits it.

use std::fmt;

use http::StatusCode;

macro_rules! limits {
    ($($(#[$doc:meta])* $limit:ident = $name:literal, $status:ident, $text:literal;)*) => {
        /// A limit. The name is that of the configuration and of the metrics, and does not change
        /// between releases.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Limit {
            $($(#[$doc])* $limit,)*
        }

        impl Limit {
            /// All limits.
            pub const ALL: &[Self] = &[$(Self::$limit),*];

            /// The stable name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$limit => $name,)* }
            }

            /// The status with which a request that hits it is answered.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$limit => StatusCode::$status,)* }
            }

            /// What the client is told.
            pub fn text(self) -> &'static str {
                match self { $(Self::$limit => $text,)* }
            }
        }
    };
}

limits! {
    /// Requests that run, in all. Further ones wait in the queue.
    Requests = "requests", SERVICE_UNAVAILABLE, "too many requests";
    /// Requests of one application that run. Further ones wait in the queue.
    ApplicationRequests = "application-requests", SERVICE_UNAVAILABLE,
        "too many requests for this application";
    /// Requests at one time in one HTTP/2 connection. Further ones are refused in the protocol.
    Http2Streams = "http2-streams", SERVICE_UNAVAILABLE, "too many requests in this connection";
    /// Connections of clients. A further one waits until another ends.
    Connections = "connections", SERVICE_UNAVAILABLE, "too many connections";
    /// Connections of one address. A further one is closed.
    AddressConnections = "address-connections", SERVICE_UNAVAILABLE, "too many connections";
    /// Requests of one address that run.
    AddressRequests = "address-requests", SERVICE_UNAVAILABLE, "too many requests of this address";
    /// The size of a request's head.
    HeaderSize = "header-size", REQUEST_HEADER_FIELDS_TOO_LARGE, "the request's head is too large";
    /// The time for the head of a request.
    HeaderReadTime = "header-read-time", REQUEST_TIMEOUT, "the request's head took too long";
    /// Resets of one HTTP/2 connection.
    Http2Resets = "http2-resets", TOO_MANY_REQUESTS, "too many resets";
    /// Frames of one HTTP/2 connection a second that are neither requests nor bodies.
    Http2ControlFrames = "http2-control-frames", TOO_MANY_REQUESTS, "too many control frames";
    /// Requests that wait, in all.
    Queue = "queue", SERVICE_UNAVAILABLE, "too many requests";
    /// Requests that wait, of one application.
    ApplicationQueue = "application-queue", SERVICE_UNAVAILABLE,
        "too many requests for this application";
    /// The time that a request waits.
    QueueTime = "queue-time", SERVICE_UNAVAILABLE, "too many requests: this one waited too long";
    /// Instances at one time, in a pool.
    Instances = "instances", SERVICE_UNAVAILABLE, "no instance is free";
    /// Instances of one application at one time.
    ApplicationInstances = "application-instances", SERVICE_UNAVAILABLE,
        "no instance of this application is free";
    /// The processor time of a request.
    CpuTime = "cpu-time", GATEWAY_TIMEOUT, "the application took too much processor time";
    /// The time of a request.
    WallTime = "wall-time", GATEWAY_TIMEOUT, "the application took too long";
    /// The memory of an instance.
    Memory = "memory", INTERNAL_SERVER_ERROR, "the application needs too much memory";
    /// The memory of all instances together.
    MemoryTotal = "memory-total", SERVICE_UNAVAILABLE, "the host has no memory left for it";
    /// The memory of all instances of one application.
    ApplicationMemoryTotal = "application-memory-total", SERVICE_UNAVAILABLE,
        "the application's requests need too much memory together";
    /// The tables of an instance.
    TableElements = "table-elements", INTERNAL_SERVER_ERROR, "the application's tables are too large";
    /// The stack of an instance.
    Stack = "stack", INTERNAL_SERVER_ERROR, "the application's calls are nested too deeply";
    /// The size of a request's body.
    RequestBody = "request-body", PAYLOAD_TOO_LARGE, "the request's body is too large";
    /// The time for the next part of a request's body.
    RequestBodyTime = "request-body-time", REQUEST_TIMEOUT, "the request's body took too long";
    /// The size of a response's body.
    ResponseBody = "response-body", BAD_GATEWAY, "the application's response is too large";
    /// The size of a set of header fields of a program.
    Fields = "fields", INTERNAL_SERVER_ERROR, "the application's header fields are too large";
    /// The bytes that a program passes to the host in one call.
    HostcallBytes = "hostcall-bytes", INTERNAL_SERVER_ERROR,
        "the application passed too much to the host at a time";
    /// Component handles of an instance.
    Handles = "handles", INTERNAL_SERVER_ERROR, "the application holds too many handles";
    /// Resources that an instance holds in the host.
    Resources = "resources", INTERNAL_SERVER_ERROR, "the application holds too many resources";
    /// What the programs of an application write to the log in a second. Further lines are left
    /// out.
    LogRate = "log-rate", INTERNAL_SERVER_ERROR, "the application writes too much to the log";
    /// Outbound connections of all applications.
    OutboundConnections = "outbound-connections", BAD_GATEWAY, "too many outbound connections";
    /// Outbound connections of one application.
    ApplicationConnections = "application-connections", BAD_GATEWAY,
        "too many outbound connections of this application";
    /// Sockets of the programs of all applications.
    Sockets = "sockets", BAD_GATEWAY, "too many sockets";
    /// Sockets of the programs of one application.
    ApplicationSockets = "application-sockets", BAD_GATEWAY,
        "too many sockets of this application";
    /// An outbound connection that is not allowed.
    OutboundDenied = "outbound-denied", BAD_GATEWAY, "the application may not connect there";
    /// An address that is not public.
    OutboundPrivate = "outbound-private", BAD_GATEWAY, "the application may not connect there";
    /// A use of sockets that is not allowed.
    OutboundSockets = "outbound-sockets", BAD_GATEWAY, "the application may not use this socket";
    /// Name lookups at one time, of one application or in all.
    DnsLookups = "dns-lookups", BAD_GATEWAY, "too many names are looked up";
    /// The time for a connection to an upstream host.
    ConnectTime = "connect-time", BAD_GATEWAY, "the upstream host took too long to connect";
    /// The time for the response of an upstream host, and for each further part of it.
    ResponseTime = "response-time", BAD_GATEWAY, "the upstream host took too long to answer";
    /// The time for the resolution of a name.
    DnsTime = "dns-time", BAD_GATEWAY, "the name of the upstream host took too long";
    /// The size of the response of an upstream host.
    UpstreamBody = "upstream-body", BAD_GATEWAY, "the upstream response is too large";
    /// The size of the head of an upstream host's response.
    UpstreamHead = "upstream-head", BAD_GATEWAY, "the upstream response's head is too large";
    /// The size of a key in a bucket.
    KeyValueKey = "keyvalue-key", INTERNAL_SERVER_ERROR, "a key is too long";
    /// The size of a value in a bucket.
    KeyValueValue = "keyvalue-value", INTERNAL_SERVER_ERROR, "a value is too large";
    /// The keys of a batch.
    KeyValueBatch = "keyvalue-batch", INTERNAL_SERVER_ERROR, "a batch has too many keys";
    /// The keys of an application.
    KeyValueKeys = "keyvalue-keys", INTERNAL_SERVER_ERROR, "the application has too many keys";
    /// The keys and values of an application.
    KeyValueMemory = "keyvalue-memory", INTERNAL_SERVER_ERROR,
        "the application's keys and values are too large";
    /// Operations on the buckets of an application at one time.
    KeyValueOperations = "keyvalue-operations", INTERNAL_SERVER_ERROR,
        "too many operations on buckets";
    /// The time of an operation on a bucket.
    KeyValueTime = "keyvalue-time", INTERNAL_SERVER_ERROR, "an operation on a bucket took too long";
}

impl Limit {
    /// Whether the same request may succeed a little later.
    pub fn is_passing(self) -> bool {
        self.status() == StatusCode::SERVICE_UNAVAILABLE
    }

    /// Its place in [`Self::ALL`].
    pub(crate) fn number(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The error of a call into a program that hit a limit.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the limit `{0}` was hit")]
pub struct LimitHit(pub Limit);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_limit_has_a_name_and_a_number_of_its_own() {
        let names: BTreeSet<&str> = Limit::ALL.iter().map(|limit| limit.name()).collect();
        assert_eq!(names.len(), Limit::ALL.len());
        for (number, limit) in Limit::ALL.iter().enumerate() {
            assert_eq!(usize::from(limit.number()), number);
            assert!(limit.status().is_client_error() || limit.status().is_server_error());
        }
    }
}
