//! The bodies of requests and responses, within their limits.

mod finish;
mod request;
mod response;
mod watched;

pub(crate) use self::finish::Finish;
pub(crate) use self::request::RequestBody;
pub(crate) use self::response::ResponseBody;
pub(crate) use self::watched::Watch;
