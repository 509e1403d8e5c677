//! The answer to a client if a program gives no response. The host's log says what went wrong.

use edgec_loader::store::{Distrust, Distrusted};
use edgec_loader::{error_chain, wasmtime};
use http_body_util::{BodyExt as _, Full};
use hyper::{Response, StatusCode};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use crate::log::log;

/// Why a program did not answer.
pub(crate) enum Failed {
    /// The program is no longer trusted.
    Distrusted(Distrusted),
    /// The client's request cannot be passed to a program.
    BadRequest(wasmtime::Error),
    OutOfTime,
    /// A trap, or no response.
    Program(wasmtime::Error),
}

impl Failed {
    pub(crate) fn response(self) -> Response<HyperOutgoingBody> {
        let (status, text) = match &self {
            Self::Distrusted(_) => (StatusCode::SERVICE_UNAVAILABLE, "withdrawn\n"),
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "bad request\n"),
            Self::OutOfTime => (StatusCode::GATEWAY_TIMEOUT, "out of time\n"),
            Self::Program(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the program failed\n"),
        };
        match self {
            Self::BadRequest(error) | Self::Program(error) => log(format!("{status}: {error:#}")),
            // Other reasons are logged by the refresh that finds them.
            Self::Distrusted(it) if matches!(it.reason(), Distrust::Stale { .. }) => {
                log(format!("{status}: {}", error_chain(&it)));
            }
            _ => {}
        }
        let body = Full::from(text).map_err(|never| match never {});
        let mut response = Response::new(body.boxed_unsync());
        *response.status_mut() = status;
        response
    }
}
