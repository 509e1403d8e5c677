//! The kinds of optimizers.

/// The kind of optimizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// The Binaryen that is linked in.
    Binaryen,
    /// A `wasm-opt` program.
    WasmOpt,
}

impl Tool {
    /// The tool's name in manifests.
    pub const fn name(self) -> &'static str {
        match self {
            Tool::Binaryen => "binaryen",
            Tool::WasmOpt => "wasm-opt",
        }
    }
}
