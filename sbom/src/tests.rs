//! Programs that say something about themselves, and programs that lie.

mod documents;
mod hostile;

use wasm_encoder::{Component, CustomSection, Module, ModuleSection};

/// A core module with these custom sections.
fn module(sections: &[(&str, &[u8])]) -> Module {
    let mut module = Module::new();
    for (name, data) in sections {
        module.section(&custom(name, data));
    }
    module
}

fn custom<'a>(name: &'a str, data: &'a [u8]) -> CustomSection<'a> {
    CustomSection {
        name: name.into(),
        data: data.into(),
    }
}

/// A component with these modules, then these custom sections.
fn component(modules: &[Module], sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut component = Component::new();
    for module in modules {
        component.section(&ModuleSection(module));
    }
    for (name, data) in sections {
        component.section(&custom(name, data));
    }
    component.finish()
}

/// The bytes as zlib has them, stored and not compressed.
fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let mut chunks = bytes.chunks(0xffff).peekable();
    while let Some(chunk) = chunks.next() {
        stream.push(u8::from(chunks.peek().is_none()));
        let len = u16::try_from(chunk.len()).unwrap();
        stream.extend_from_slice(&len.to_le_bytes());
        stream.extend_from_slice(&(!len).to_le_bytes());
        stream.extend_from_slice(chunk);
    }
    let (mut a, mut b) = (1u32, 0u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    stream.extend_from_slice(&(b << 16 | a).to_be_bytes());
    stream
}

/// A record of `cargo auditable`.
const RECORD: &str = r#"{"packages":[
    {"name":"shop","version":"0.3.0","source":"local","root":true,"dependencies":[1,2]},
    {"name":"serde","version":"1.0.228","source":"crates.io","dependencies":[3]},
    {"name":"own","version":"1.0.0+b","source":"git"},
    {"name":"serde_derive","version":"1.0.228","source":"crates.io","kind":"build"}
]}"#;
