//! A registry with the referrers API, in memory: `registry 127.0.0.1:PORT`.

use std::sync::Arc;

use ferro_blob_store::InMemoryBlobStore;
use ferro_oci_server::{AppState, InMemoryRegistryMeta, router};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).ok_or("usage: registry ADDRESS")?;
    let state = AppState::new(
        Arc::new(InMemoryBlobStore::new()),
        Arc::new(InMemoryRegistryMeta::new()),
    );
    let listener = tokio::net::TcpListener::bind(&address).await?;
    axum::serve(listener, router(state)).await?;
    Ok(())
}
