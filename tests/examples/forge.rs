//! Signs an artifact again with an edited manifest, as a careless or compromised signer could. For
//! tests and documents that show what a policy refuses. It checks nothing.
//!
//! `forge --artifact A.cwasm --key K.pem -o OUT [--set engine.version=48.0.6]...`
//!
//! A value is text if the manifest has text at this place, else JSON. For a new field, it is JSON
//! if possible, else text.

use std::process::ExitCode;

use edgec_artifact::{Artifact, Statement};
use edgec_packager::{SecretKey, UnsignedArtifact};
use serde_json::{Map, Value};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("forge: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let (mut artifact, mut key, mut output) = (None, None, None);
    let mut edits = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(option) = arguments.next() {
        let value = arguments.next();
        let value = value.ok_or_else(|| format!("{option} needs a value"))?;
        match option.as_str() {
            "--artifact" => artifact = Some(value),
            "--key" => key = Some(value),
            "-o" => output = Some(value),
            "--set" => edits.push(value),
            _ => return Err(format!("unknown option {option}").into()),
        }
    }
    let output = output.ok_or("-o OUT is missing")?;
    let key = std::fs::read_to_string(key.ok_or("--key K.pem is missing")?)?;
    let key = SecretKey::from_pem(&key)?;
    let file = std::fs::read(artifact.ok_or("--artifact A.cwasm is missing")?)?;
    let artifact = Artifact::decode(&file)?;
    let Statement { manifest } = Statement::decode(artifact.envelope().payload())?;
    let mut edited = serde_json::to_value(&manifest)?;
    for edit in &edits {
        let (path, value) = edit.split_once('=').ok_or("--set FIELD=VALUE")?;
        set(&mut edited, path, value)?;
    }
    let manifest = serde_json::from_value(edited)?;
    let unsigned = UnsignedArtifact::new(artifact.image().to_vec(), |_| manifest);
    let signature = key.sign(&unsigned.pae());
    let signed = unsigned.attach(&key.public(), signature, Vec::new())?;
    std::fs::write(output, signed.as_bytes())?;
    Ok(())
}

fn set(manifest: &mut Value, path: &str, text: &str) -> Result<()> {
    let mut place = manifest;
    for name in path.split('.') {
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(fields) = place else {
            return Err(format!("{path}: `{name}` is in no object").into());
        };
        place = fields.entry(name).or_insert(Value::Null);
    }
    let as_text = || Value::String(text.to_owned());
    *place = match place {
        Value::String(_) => as_text(),
        Value::Null => serde_json::from_str(text).unwrap_or_else(|_| as_text()),
        _ => serde_json::from_str(text)?,
    };
    Ok(())
}
