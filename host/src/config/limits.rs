//! `[limits]`, `[application.limits]` and `[pools]`.

use edgec_configuration::positive;
use serde::Deserialize;

use super::Period;
use super::bounds::{memory, some_memory, some_positive};
use super::values::ByteSize;

/// The limits of a host, and those that each application has unless it names its own
/// ([`ApplicationLimits`]). [`Limit`](crate::Limit) has a name for each.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct Limits {
    /// Connections of clients at one time.
    #[serde(deserialize_with = "positive")]
    pub connections: u32,
    /// Connections at one time of one address of IPv4, or of one /64 network of IPv6.
    pub address_connections: u32,
    /// Requests that run at one time, of one such address. `None`: 64, and no limit for addresses
    /// of this machine, such as that of a proxy.
    #[serde(deserialize_with = "some_positive")]
    pub address_requests: Option<u32>,
    /// Requests that run at one time, in all.
    #[serde(deserialize_with = "positive")]
    pub requests: u32,
    /// Requests that run at one time, of one application.
    #[serde(deserialize_with = "positive")]
    pub application_requests: u32,
    /// Requests that wait, in all. Further ones are answered with 503 at once.
    pub queue: u32,
    /// Requests that wait, of one application.
    pub application_queue: u32,
    /// How long a request waits.
    pub queue_time: Period,
    /// Instances at one time, in each pool.
    #[serde(deserialize_with = "positive")]
    pub instances: u32,
    /// Instances at one time, of one application.
    #[serde(deserialize_with = "positive")]
    pub application_instances: u32,
    /// Instances of each application that no other application can take. They come on top of those
    /// of the host.
    pub reserved_instances: u32,
    /// How long a client may take for the head of a request, and stay silent between two requests.
    #[serde(deserialize_with = "positive")]
    pub header_read_time: Period,
    /// The size of a request's head.
    #[serde(deserialize_with = "positive")]
    pub header_size: ByteSize,
    /// Requests at one time in one HTTP/2 connection.
    #[serde(deserialize_with = "positive")]
    pub http2_streams: u32,
    /// Requests of one HTTP/2 connection that the client reset and that are not yet forgotten. A
    /// connection with more is closed.
    pub http2_resets: u32,
    /// Frames of one HTTP/2 connection a second that are neither requests nor bodies, such as
    /// `PING`. Requests and written bytes add some. A connection with more is closed.
    #[serde(deserialize_with = "positive")]
    pub http2_control_frames: u32,
    /// How long a drain waits for requests that run.
    pub drain_time: Period,
    /// Outbound connections at one time, in all.
    pub outbound_connections: u32,
    /// Sockets of programs at one time, in all, from their creation until they are closed.
    pub sockets: u32,
    /// Sockets of programs at one time, of one application.
    pub application_sockets: u32,
    /// The bytes of the memories of all instances together. `None`: three quarters of what the
    /// machine or its control group (container) has.
    #[serde(deserialize_with = "some_positive")]
    pub memory_total: Option<ByteSize>,
    /// The bytes of the memories of all instances of one application. `None`: half of
    /// `memory_total`, or all of it if there is one application.
    #[serde(deserialize_with = "some_positive")]
    pub application_memory_total: Option<ByteSize>,
    /// Name lookups at one time, in all.
    pub dns_lookups: u32,
    /// The processor time of a request: the time for which it computes.
    #[serde(deserialize_with = "positive")]
    pub cpu_time: Period,
    /// The time of a request, from its start to the end of its response.
    #[serde(deserialize_with = "positive")]
    pub wall_time: Period,
    /// The bytes of all memories of an instance.
    #[serde(deserialize_with = "memory")]
    pub memory: ByteSize,
    /// The elements of all tables of an instance.
    pub table_elements: u32,
    /// The size of a request's body.
    pub request_body: ByteSize,
    /// How long a client may take for the next part of a request's body.
    #[serde(deserialize_with = "positive")]
    pub request_body_time: Period,
    /// The size of a response's body.
    pub response_body: ByteSize,
    /// The size of a set of header fields of a program, in memory.
    #[serde(deserialize_with = "positive")]
    pub fields: ByteSize,
    /// The bytes that a program passes to the host in one call.
    #[serde(deserialize_with = "positive")]
    pub hostcall_bytes: ByteSize,
    /// Component handles of an instance at one time.
    #[serde(deserialize_with = "positive")]
    pub handles: u32,
    /// Resources that an instance holds in the host at one time.
    #[serde(deserialize_with = "positive")]
    pub resources: u32,
    /// The bytes that the programs of an application write to the log in a second.
    pub log_rate: ByteSize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            address_connections: 1024,
            address_requests: None,
            requests: 512,
            application_requests: 256,
            queue: 1024,
            application_queue: 256,
            queue_time: Period::secs(1),
            instances: 256,
            application_instances: 128,
            reserved_instances: 4,
            header_read_time: Period::secs(10),
            header_size: ByteSize::bytes(32 << 10),
            http2_streams: 100,
            http2_resets: 20,
            http2_control_frames: 1000,
            drain_time: Period::secs(30),
            outbound_connections: 1024,
            sockets: 1024,
            application_sockets: 64,
            memory_total: None,
            application_memory_total: None,
            dns_lookups: 32,
            cpu_time: Period::secs(1),
            wall_time: Period::secs(30),
            memory: ByteSize::bytes(128 << 20),
            table_elements: 100_000,
            request_body: ByteSize::bytes(10 << 20),
            request_body_time: Period::secs(10),
            response_body: ByteSize::bytes(64 << 20),
            fields: ByteSize::bytes(128 << 10),
            hostcall_bytes: ByteSize::bytes(16 << 20),
            handles: 10_000,
            resources: 10_000,
            log_rate: ByteSize::bytes(256 << 10),
        }
    }
}

/// `[application.limits]`: what differs from [`Limits`].
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields of `Limits` have the same names")]
pub struct ApplicationLimits {
    #[serde(deserialize_with = "some_positive")]
    pub requests: Option<u32>,
    pub queue: Option<u32>,
    #[serde(deserialize_with = "some_positive")]
    pub instances: Option<u32>,
    pub sockets: Option<u32>,
    #[serde(deserialize_with = "some_positive")]
    pub memory_total: Option<ByteSize>,
    #[serde(deserialize_with = "some_positive")]
    pub cpu_time: Option<Period>,
    #[serde(deserialize_with = "some_positive")]
    pub wall_time: Option<Period>,
    #[serde(deserialize_with = "some_memory")]
    pub memory: Option<ByteSize>,
    pub table_elements: Option<u32>,
    pub request_body: Option<ByteSize>,
    #[serde(deserialize_with = "some_positive")]
    pub request_body_time: Option<Period>,
    pub response_body: Option<ByteSize>,
    #[serde(deserialize_with = "some_positive")]
    pub fields: Option<ByteSize>,
    #[serde(deserialize_with = "some_positive")]
    pub hostcall_bytes: Option<ByteSize>,
    #[serde(deserialize_with = "some_positive")]
    pub handles: Option<u32>,
    #[serde(deserialize_with = "some_positive")]
    pub resources: Option<u32>,
    pub log_rate: Option<ByteSize>,
}

impl Limits {
    /// Names the limits of memory that the configuration leaves open, for a host of so many
    /// applications on a machine with so much memory, in bytes.
    pub(crate) fn for_machine(&mut self, memory: u64, applications: usize) {
        let all = ByteSize::bytes(memory / 4 * 3);
        let all = *self.memory_total.get_or_insert(all);
        let share = match applications {
            0 | 1 => all,
            _ => ByteSize::bytes(all.get() / 2),
        };
        self.application_memory_total.get_or_insert(share);
    }

    /// The limits of an application.
    pub(crate) fn of(&self, own: &ApplicationLimits) -> Self {
        Self {
            application_requests: own.requests.unwrap_or(self.application_requests),
            application_queue: own.queue.unwrap_or(self.application_queue),
            application_instances: own.instances.unwrap_or(self.application_instances),
            application_sockets: own.sockets.unwrap_or(self.application_sockets),
            application_memory_total: own.memory_total.or(self.application_memory_total),
            cpu_time: own.cpu_time.unwrap_or(self.cpu_time),
            wall_time: own.wall_time.unwrap_or(self.wall_time),
            memory: own.memory.unwrap_or(self.memory),
            table_elements: own.table_elements.unwrap_or(self.table_elements),
            request_body: own.request_body.unwrap_or(self.request_body),
            request_body_time: own.request_body_time.unwrap_or(self.request_body_time),
            response_body: own.response_body.unwrap_or(self.response_body),
            fields: own.fields.unwrap_or(self.fields),
            hostcall_bytes: own.hostcall_bytes.unwrap_or(self.hostcall_bytes),
            handles: own.handles.unwrap_or(self.handles),
            resources: own.resources.unwrap_or(self.resources),
            log_rate: own.log_rate.unwrap_or(self.log_rate),
            ..self.clone()
        }
    }
}

/// What a running host cannot change: the sizes of its rooms, and the settings of its connections.
macro_rules! rooms {
    ($($field:ident,)*) => {
        #[cfg(test)]
        const ROOMS: &[&str] = &[$(stringify!($field)),*];

        impl Limits {
            /// These limits, with the rooms of a running host.
            pub(crate) fn with_rooms_of(&self, running: &Self) -> Self {
                Self {
                    $($field: running.$field,)*
                    ..self.clone()
                }
            }

            /// The names of the rooms that differ.
            pub(crate) fn rooms_that_differ(&self, other: &Self) -> Vec<String> {
                let differ = [$((stringify!($field), self.$field != other.$field),)*];
                let differ = differ.into_iter().filter(|(_, differs)| *differs);
                differ.map(|(field, _)| field.replace('_', "-")).collect()
            }
        }
    };
}

rooms! {
    connections,
    address_connections,
    address_requests,
    requests,
    queue,
    instances,
    reserved_instances,
    header_read_time,
    header_size,
    http2_streams,
    http2_resets,
    http2_control_frames,
    drain_time,
    outbound_connections,
    sockets,
    memory_total,
    dns_lookups,
}

/// `[pools]`: the memory that stays resident for the next requests.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct PoolsConfig {
    /// The bytes that unused slots of all pools keep resident, at most. Pages that stay need no
    /// page fault in the next request.
    pub memory_budget: ByteSize,
}

impl Default for PoolsConfig {
    fn default() -> Self {
        Self {
            memory_budget: ByteSize::bytes(512 << 20),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_running_host_keeps_its_rooms() {
        let running = Limits {
            address_connections: 1,
            reserved_instances: 1,
            cpu_time: Period::secs(5),
            ..Limits::default()
        };
        let new = Limits::default();
        let names = ["address-connections", "reserved-instances"];
        assert_eq!(new.rooms_that_differ(&running), names);
        let now = new.with_rooms_of(&running);
        assert_eq!(now.rooms_that_differ(&running), [""; 0]);
        assert_eq!(now.cpu_time, new.cpu_time);
    }

    /// `docs/serve.md` marks them with °.
    #[test]
    fn the_document_marks_what_needs_a_restart() {
        let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/serve.md");
        let document = std::fs::read_to_string(document).unwrap();
        let rows = document.lines().filter_map(|line| line.strip_prefix("| `"));
        let marked = rows.filter_map(|row| Some(row.split_once("` ° |")?.0.to_owned()));
        let rooms = ROOMS.iter().map(|field| field.replace('_', "-"));
        assert_eq!(marked.collect::<BTreeSet<_>>(), rooms.collect());
    }
}
