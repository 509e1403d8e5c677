//! The bodies of requests and responses, within their limits.

mod request;
mod response;

pub(crate) use self::request::RequestBody;
pub(crate) use self::response::{Finish, ResponseBody};
