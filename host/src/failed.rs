//! Why a program gave no response, and the answer to the client.

use edgec_loader::error_chain;
use edgec_loader::store::Distrust;
use edgec_loader::wasmtime::component::ResourceTableError;
use edgec_loader::wasmtime::{Error, PoolConcurrencyLimitError, Trap};
use http::StatusCode;
use wasmtime_wasi_http::FieldMapError;

use crate::LimitHit;
use crate::application::Withheld;
use crate::config::LogLevel;
use crate::hit::Hit;
use crate::{Limit, Outcome};

/// Why a program gave no response.
#[derive(Clone, Debug)]
pub(crate) enum Failed {
    /// A limit was hit.
    Limit(Limit),
    /// The program trapped.
    Trap(Trap),
    /// The program ended without a response, or with an error.
    Unanswered(String),
    /// The application is not served.
    Withheld(Withheld),
    /// The client's request cannot be passed to a program.
    Malformed(String),
}

impl Failed {
    /// The reason for an error of the engine. A limit that only the engine knows of is counted
    /// here.
    pub(crate) fn of(error: &Error, hit: &Hit) -> Self {
        // What watches limits knows best: the error can be a consequence.
        if let Some(limit) = hit.get() {
            return Self::Limit(limit);
        }
        if let Some(LimitHit(limit)) = error.downcast_ref() {
            return Self::Limit(*limit);
        }
        if let Some(limit) = of_engine(error) {
            hit.set(limit);
            return Self::Limit(limit);
        }
        match error.downcast_ref::<Trap>() {
            Some(trap) => Self::Trap(*trap),
            None => Self::Unanswered(format!("{error:#}")),
        }
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Limit(limit) => limit.status(),
            Self::Trap(_) | Self::Unanswered(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Withheld(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// What the client is told. It says nothing about the program's insides.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Limit(limit) => format!("{limit}: {}\n", limit.text()),
            Self::Trap(_) => "trap: the application failed\n".to_owned(),
            Self::Unanswered(_) => "no-response: the application failed\n".to_owned(),
            Self::Withheld(_) => "withheld: the application is not served now\n".to_owned(),
            Self::Malformed(_) => "bad-request: the request cannot be passed on\n".to_owned(),
        }
    }

    /// What the log says. `None`: the refresh that found it has said it.
    pub(crate) fn log(&self) -> Option<String> {
        match self {
            Self::Limit(limit) => Some(format!("the limit {limit} ended a request")),
            Self::Unanswered(text) => Some(format!("no response: {text}")),
            Self::Malformed(text) => Some(format!("bad request: {text}")),
            // No refresh finds this one: they have stopped.
            Self::Withheld(Withheld::Distrusted(it))
                if matches!(it.reason(), Distrust::Stale { .. }) =>
            {
                Some(error_chain(it))
            }
            Self::Trap(_) | Self::Withheld(_) => None,
        }
    }

    /// How important that line is. Clients can cause these at will.
    pub(crate) fn level(&self) -> LogLevel {
        match self {
            Self::Limit(limit) if limit.is_passing() => LogLevel::Debug,
            Self::Malformed(_) => LogLevel::Debug,
            _ => LogLevel::Warn,
        }
    }

    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Limit(limit) => Outcome::Limited(*limit),
            Self::Trap(_) => Outcome::Trapped,
            Self::Unanswered(_) => Outcome::Unanswered,
            Self::Withheld(_) => Outcome::Withheld,
            Self::Malformed(_) => Outcome::Malformed,
        }
    }
}

/// The limit behind an error, if the engine itself watches it.
fn of_engine(error: &Error) -> Option<Limit> {
    if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
        return Some(Limit::Instances);
    }
    if let Some(ResourceTableError::Full) = error.downcast_ref() {
        return Some(Limit::Resources);
    }
    if let Some(FieldMapError::TooManyFields | FieldMapError::TotalSizeTooBig) =
        error.downcast_ref()
    {
        return Some(Limit::Fields);
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return (*trap == Trap::StackOverflow).then_some(Limit::Stack);
    }
    // The engine has no types for these two.
    let says = |part: &str| error.chain().any(|cause| cause.to_string().contains(part));
    if says(FUEL) {
        Some(Limit::HostcallBytes)
    } else {
        says(HANDLES).then_some(Limit::Handles)
    }
}

/// A part of the engine's message if a call passes too many bytes to the host.
const FUEL: &str = "fuel allocated for hostcalls has been exhausted";
/// A part of the engine's message if an instance has too many handles.
const HANDLES: &str = "store handle limit exceeded";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_the_engine_watches_has_its_name() {
        for (error, limit) in [
            (
                Error::new(FieldMapError::TotalSizeTooBig),
                Some(Limit::Fields),
            ),
            (
                Error::new(FieldMapError::TooManyFields),
                Some(Limit::Fields),
            ),
            (Error::new(FieldMapError::Immutable), None),
            (Error::new(ResourceTableError::Full), Some(Limit::Resources)),
            (Error::new(Trap::StackOverflow), Some(Limit::Stack)),
            (Error::new(Trap::UnreachableCodeReached), None),
        ] {
            assert_eq!(of_engine(&error), limit, "{error:#}");
        }
    }
}
