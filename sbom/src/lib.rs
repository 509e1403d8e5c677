//! Bills of materials of WebAssembly components: CycloneDX and SPDX.
