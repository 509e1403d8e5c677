//! What a component may grow to, and what it may import.

use edgec_compiler::ImportPattern;

/// The limits on a component. A build that exceeds one writes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budgets {
    /// The largest native image of any target, in bytes.
    pub image_bytes: Option<u64>,
    /// The largest native image of any target once it is compressed, in bytes: with zstd at
    /// [`WIRE_LEVEL`](super::WIRE_LEVEL).
    pub wire_bytes: Option<u64>,
    /// The most functions in the optimized program: all functions that its core modules define.
    pub functions: Option<u64>,
    /// The most notes of the cold-start lint.
    pub lost_fast_paths: Option<u64>,
    /// Whether the program may import what the previous artifact did not import.
    pub new_capabilities: Option<NewCapabilities>,
}

/// Whether a program may import what the previous artifact did not import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NewCapabilities {
    /// It may.
    Allowed,
    /// It may not. Without a previous artifact, nothing is compared.
    Denied,
}

impl Budgets {
    /// These budgets, and those of `others` for what these do not limit.
    pub(super) fn or(self, others: &Self) -> Self {
        Self {
            image_bytes: self.image_bytes.or(others.image_bytes),
            wire_bytes: self.wire_bytes.or(others.wire_bytes),
            functions: self.functions.or(others.functions),
            lost_fast_paths: self.lost_fast_paths.or(others.lost_fast_paths),
            new_capabilities: self.new_capabilities.or(others.new_capabilities),
        }
    }

    /// Whether new imports are refused.
    pub fn denies_new_capabilities(&self) -> bool {
        self.new_capabilities == Some(NewCapabilities::Denied)
    }
}

/// The imports that a program may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities(pub(super) Vec<ImportPattern>);

impl Capabilities {
    /// The imports that no pattern matches, in their order.
    pub fn refused<'i>(&self, imports: impl IntoIterator<Item = &'i String>) -> Vec<String> {
        let allowed = |import: &str| self.0.iter().any(|pattern| pattern.allows(import));
        let refused = imports.into_iter().filter(|import| !allowed(import));
        refused.cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_has_its_own_budgets_and_those_of_the_project() {
        let budgets = |image_bytes, functions| Budgets {
            image_bytes,
            functions,
            ..Budgets::default()
        };
        let both = budgets(Some(1), None).or(&budgets(Some(2), Some(3)));
        assert_eq!(both, budgets(Some(1), Some(3)));
    }

    #[test]
    fn imports_without_a_pattern_are_refused() {
        let allowed = ["wasi:cli/*", "wasi:io/poll", "env::f"];
        let allowed = Capabilities(allowed.map(ImportPattern::new).to_vec());
        let imports = [
            "env::f",
            "env::g",
            "wasi:cli/exit@0.2.0",
            "wasi:http/types",
            "wasi:io/poll@0.2.3",
        ];
        let imports = imports.map(str::to_owned);
        assert_eq!(allowed.refused(&imports), ["env::g", "wasi:http/types"]);
    }
}
