//! The context of a trace: `traceparent` and `tracestate`.
//!
//! Source: W3C Trace Context (<https://www.w3.org/TR/trace-context/>), section 3.

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// The header with the context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The header with what vendors add to it.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The flags that are passed on: sampled, and that the trace id is random (level 2). A host must
/// not pass on flags that it does not know.
const KNOWN_FLAGS: u8 = 0b11;
/// The trace is recorded.
const SAMPLED: u8 = 0b01;
/// The last seven bytes of the trace id are random.
const RANDOM: u8 = 0b10;

/// The length of version 00 in bytes: `00-<32>-<16>-<2>`.
const LENGTH: usize = 55;

/// The place of a request in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace: u128,
    /// The span of this host.
    span: u64,
    /// The span of the client, if it sent a context.
    parent: Option<u64>,
    flags: u8,
}

impl TraceContext {
    /// The context of a request with these headers: a new span in the client's trace. If the client
    /// sent none, or one that the standard does not allow, or several, it is a new trace.
    pub fn of_request(headers: &HeaderMap) -> Self {
        let mut sent = headers.get_all(TRACEPARENT).iter();
        let parent = match (sent.next(), sent.next()) {
            (Some(only), None) => parse(only.as_bytes()),
            _ => None,
        };
        let span = not_zero(random());
        match parent {
            Some((trace, parent, flags)) => Self {
                trace,
                span,
                parent: Some(parent),
                flags: flags & KNOWN_FLAGS,
            },
            None => Self {
                trace: u128::from(not_zero(random())) << 64 | u128::from(random()),
                span,
                parent: None,
                flags: RANDOM,
            },
        }
    }

    /// Puts the context into the headers of the request that the program gets. A `tracestate` stays
    /// only with the `traceparent` that it belongs to.
    pub fn put_into(&self, headers: &mut HeaderMap) {
        if self.parent.is_none() {
            headers.remove(TRACESTATE);
        }
        headers.insert(TRACEPARENT, self.header());
    }

    /// Puts the context into the headers of a request that the program sends, unless the program
    /// has put one there itself.
    pub fn put_into_outbound(&self, headers: &mut HeaderMap) {
        if !headers.contains_key(TRACEPARENT) {
            headers.remove(TRACESTATE);
            headers.insert(TRACEPARENT, self.header());
        }
    }

    /// The same trace, recorded by this host.
    #[must_use]
    pub fn sampled(mut self) -> Self {
        self.flags |= SAMPLED;
        self
    }

    /// Whether the trace is recorded.
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The trace, as 128 bits.
    pub fn trace(&self) -> u128 {
        self.trace
    }

    /// The span of this host, as 64 bits.
    pub fn span(&self) -> u64 {
        self.span
    }

    /// The client's span, if it sent one.
    pub fn parent(&self) -> Option<u64> {
        self.parent
    }

    fn header(&self) -> HeaderValue {
        // The text has visible ASCII characters only.
        HeaderValue::from_str(&self.to_string()).unwrap_or(HeaderValue::from_static(""))
    }
}

/// The value of `traceparent` for whoever this host asks.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace, self.span, self.flags
        )
    }
}

/// Trace, parent and flags (section 3.2.2). A later version may be longer, and begins like 00.
fn parse(value: &[u8]) -> Option<(u128, u64, u8)> {
    let (known, rest) = value.split_at_checked(LENGTH)?;
    let [v1, v2, b'-', known @ ..] = known else {
        return None;
    };
    let version = u8::try_from(hex(&[*v1, *v2])?).ok()?;
    match (version, rest) {
        (0xff, _) => return None,
        (0, []) | (1.., [] | [b'-', ..]) => {}
        _ => return None,
    }
    let (trace, known) = known.split_at_checked(32)?;
    let (parent, flags) = known.strip_prefix(b"-")?.split_at_checked(16)?;
    let (trace, parent) = (hex(trace)?, u64::try_from(hex(parent)?).ok()?);
    let flags = u8::try_from(hex(flags.strip_prefix(b"-")?)?).ok()?;
    (trace != 0 && parent != 0).then_some((trace, parent, flags))
}

/// Lower-case hexadecimal digits, at most 32.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |value: u128, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u128::from(digit))
    })
}

/// Random bits: a keyed hash whose key differs for each call. The keys come from the system, once a
/// thread. They need not be secret.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn not_zero(bits: u64) -> u64 {
    bits.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(TRACEPARENT, HeaderValue::from_str(value).unwrap());
        }
        headers.insert(TRACESTATE, HeaderValue::from_static("vendor=1"));
        headers
    }

    #[test]
    fn a_valid_context_is_carried_on() {
        let longer = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff-what-comes-later";
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        for (value, flags) in [(VALID, "01"), (longer, "03"), (later, "01")] {
            let mut headers = headers(&[value]);
            let context = TraceContext::of_request(&headers);
            assert_eq!(context.trace(), 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
            assert_eq!(context.parent(), Some(0xb7ad_6b71_6920_3331));
            assert!(context.is_sampled());
            context.put_into(&mut headers);
            let passed = headers[TRACEPARENT].to_str().unwrap().to_owned();
            assert!(passed.starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
            assert!(
                passed.ends_with(flags) && passed.len() == LENGTH,
                "{passed}"
            );
            assert_ne!(passed[36..52], VALID[36..52]);
            assert_eq!(headers[TRACESTATE], "vendor=1");
        }
    }

    #[test]
    fn what_the_standard_does_not_allow_is_replaced() {
        let upper = VALID.to_uppercase();
        let more = format!("{VALID}-00");
        let later_without_dash = format!("{}x", VALID.replace("00-", "01-"));
        for values in [
            &[][..],
            &[""],
            &["00"],
            &[&VALID[..54]],
            &[&upper],
            &[&more],
            &[&later_without_dash],
            &["ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
            &["00-00000000000000000000000000000000-b7ad6b7169203331-01"],
            &["00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"],
            &["00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
            &["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g"],
            &["00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333é-01"],
            &[VALID, VALID],
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(
                    TRACEPARENT,
                    HeaderValue::from_bytes(value.as_bytes()).unwrap(),
                );
            }
            headers.insert(TRACESTATE, HeaderValue::from_static("vendor=1"));
            let context = TraceContext::of_request(&headers);
            assert_eq!(context.parent(), None, "{values:?}");
            assert!(!context.is_sampled() && context.trace() != 0 && context.span() != 0);
            context.put_into(&mut headers);
            assert_eq!(headers.get_all(TRACEPARENT).iter().count(), 1);
            assert!(!headers.contains_key(TRACESTATE), "{values:?}");
            assert_eq!(
                parse(context.to_string().as_bytes()).unwrap().0,
                context.trace()
            );
        }
    }

    #[test]
    fn a_programs_own_context_goes_out() {
        let context = TraceContext::of_request(&HeaderMap::new());
        let mut own = headers(&[VALID]);
        context.put_into_outbound(&mut own);
        assert_eq!(own[TRACEPARENT], VALID);
        let mut none = HeaderMap::new();
        context.put_into_outbound(&mut none);
        assert_eq!(none[TRACEPARENT], context.to_string());
    }

    #[test]
    fn new_traces_differ() {
        let new = || TraceContext::of_request(&HeaderMap::new());
        let traces: std::collections::BTreeSet<u128> = (0..1000).map(|_| new().trace()).collect();
        assert_eq!(traces.len(), 1000);
    }
}
