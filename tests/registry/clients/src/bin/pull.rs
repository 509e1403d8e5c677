//! Pulls a portable WebAssembly component as other tools do, and writes its bytes to a file.
//!
//! `pull client REFERENCE FILE` takes `oci-client` as it is: its default resolver chooses an entry
//! of an index, as wkg, wash, Spin and wassette do. `pull wasm REFERENCE FILE` takes the CNCF crate
//! `oci-wasm`, which also reads the configuration. Registries are asked over HTTP.

use std::process::ExitCode;

type Error = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    // The clients start no connection without one, also for HTTP.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        eprintln!("error: there is another provider of cryptography");
        return ExitCode::FAILURE;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let pulled = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["client", reference, file] => with_client(reference).await.map(|bytes| (bytes, file)),
        ["wasm", reference, file] => with_wasm(reference).await.map(|bytes| (bytes, file)),
        _ => Err("usage: pull client|wasm REFERENCE FILE".into()),
    };
    let written = pulled.and_then(|(bytes, file)| {
        std::fs::write(file, &bytes)?;
        println!("{} bytes", bytes.len());
        Ok(())
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn with_client(reference: &str) -> Result<Vec<u8>, Error> {
    use oci_client::client::{ClientConfig, ClientProtocol};
    use oci_client::manifest::WASM_LAYER_MEDIA_TYPE;
    use oci_client::secrets::RegistryAuth;

    let client = oci_client::Client::new(ClientConfig {
        protocol: ClientProtocol::Http,
        ..ClientConfig::default()
    });
    let reference = reference.parse()?;
    let accepted = vec![WASM_LAYER_MEDIA_TYPE, "application/wasm"];
    let image = client
        .pull(&reference, &RegistryAuth::Anonymous, accepted)
        .await?;
    let layer = image.layers.into_iter().next().ok_or("no layer")?;
    Ok(layer.data.to_vec())
}

async fn with_wasm(reference: &str) -> Result<Vec<u8>, Error> {
    use oci_client_for_wasm::client::{ClientConfig, ClientProtocol};
    use oci_client_for_wasm::secrets::RegistryAuth;

    let client = oci_client_for_wasm::Client::new(ClientConfig {
        protocol: ClientProtocol::Http,
        ..ClientConfig::default()
    });
    let client = oci_wasm::WasmClient::new(client);
    let reference = reference.parse()?;
    let anonymous = RegistryAuth::Anonymous;
    let (_, config, _) = client
        .pull_manifest_and_config(&reference, &anonymous)
        .await?;
    println!("os {}, component {}", config.os, config.component.is_some());
    let image = client.pull(&reference, &anonymous).await?;
    let layer = image.layers.into_iter().next().ok_or("no layer")?;
    Ok(layer.data.to_vec())
}
