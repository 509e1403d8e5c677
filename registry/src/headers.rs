//! What registries say in headers. This needs no network.

pub(crate) mod challenge;
pub(crate) mod link;
