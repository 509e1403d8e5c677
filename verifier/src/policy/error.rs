//! Why a policy cannot be made.

use edgec_artifact::{Algorithm, KeyError, KeyId, NameError};

use crate::check::CheckName;

/// Why a policy cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The text is not TOML, or not a policy. The message says where.
    #[error("malformed trust policy: {0}")]
    Toml(String),
    /// A key in the file is unfit.
    #[error("trusted key `{name}` cannot be used")]
    Key {
        /// The key's name in the file.
        name: String,
        /// What is wrong with it.
        source: KeyError,
    },
    /// The `algorithms` of a key name one for which it has no key in its `pem`.
    #[error("trusted key `{name}`: `algorithms` names {algorithm}, and its `pem` has no such key")]
    Algorithm {
        /// The key's name in the file.
        name: String,
        /// The algorithm.
        algorithm: Algorithm,
    },
    /// A key is listed twice, so one signature might count twice.
    #[error("trusted keys `{first}` and `{second}` are the same key")]
    SameKey {
        /// The name of the first.
        first: String,
        /// The name of the second.
        second: String,
    },
    /// The file has a mode for the audit, but does not ask for an audit.
    #[error("`[checks] audit` does not ask for an audit: `[compiler] audit = true` does")]
    AuditNotAsked,
    /// The file has a mode for the provenance, but does not ask for one.
    #[error("`[checks] provenance` does not ask for a provenance: a table `[provenance]` does")]
    ProvenanceNotAsked,
    /// The file has a mode for the log, but names no log.
    #[error("`[checks] log` names no log: a table `[log]` does")]
    LogNotAsked,
    /// A key under `[log]` is of the wrong kind, or is there twice.
    #[error("`log`: the key of `{name}`: {reason}")]
    Log {
        /// The key's name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A mode for the check of a statement that the policy does not demand.
    #[error("`[checks] {check}` does not demand a statement: `{demand} = 1` does")]
    RoleNotAsked {
        /// The check.
        check: CheckName,
        /// The field that demands the statement.
        demand: &'static str,
    },
    /// A key with roles that exclude each other.
    #[error(
        "trusted key `{key}`: a key with the role `timestamp`, `notary` or `root` has no other role"
    )]
    Roles {
        /// The key's name.
        key: String,
    },
    /// A limit of a key that has no effect in its roles.
    #[error("trusted key `{key}`: `{field}` has no effect on the role `{role}`")]
    NoEffect {
        /// The key's name.
        key: String,
        /// The field.
        field: &'static str,
        /// The first of its roles.
        role: &'static str,
    },
    /// Timestamps are demanded, and releases are not.
    #[error("`timestamp` without `release`: a timestamp is about a release")]
    TimestampAlone,
    /// The policy demands that policies expire, and does not.
    #[error("`policy-expiry-required` is set, and the policy has no `expires`")]
    NoExpiry,
    /// A reset with the number 0, which no host follows.
    #[error("{of}: its `number` is 0, and a host follows numbers from 1 on")]
    ResetNumber {
        /// The reset.
        of: String,
    },
    /// One key is revoked twice. One entry could say less than the other.
    #[error("two entries `revoked-key` are about the key {id}")]
    SameRevokedKey {
        /// The key.
        id: KeyId,
    },
    /// Two resets of the same floors.
    #[error("two entries `reset` are about the application `{application}`")]
    SameReset {
        /// The application.
        application: String,
    },
    /// Two keys have one name, so scopes could not tell them apart.
    #[error("two trusted keys are named `{name}`")]
    SameName {
        /// The name.
        name: String,
    },
    /// No set of signatures could reach the threshold.
    #[error(
        "{of}: a threshold of {threshold} for {signers} signer(s): it must be from 1 to the number \
         of signers"
    )]
    Threshold {
        /// The policy, or a scope of it.
        of: String,
        /// The threshold in the file.
        threshold: usize,
        /// The number of signers that can count for it, each with one key or more.
        signers: usize,
    },
    /// A scope requires signatures by a key that is not listed.
    #[error(
        "{scope} names the key `{key}`, which is not trusted{}",
        meant(nearest)
    )]
    UnknownKey {
        /// The scope.
        scope: String,
        /// The key's name in the scope.
        key: String,
        /// The name of a trusted key that was probably meant.
        nearest: Option<String>,
    },
    /// A key counts at no time.
    #[error("trusted key `{name}` never counts: its `expires` is not after its `not-before`")]
    NeverValid {
        /// The key's name in the file.
        name: String,
    },
    /// A list selects only what the policy refuses, so it has no effect.
    #[error(
        "{of}: the list `{list}` selects nothing that `[allow] {list}` allows{}",
        meant(nearest)
    )]
    Disjoint {
        /// The key or scope, or the minimum version.
        of: String,
        /// The list.
        list: &'static str,
        /// The pattern under `[allow]` that was probably meant.
        nearest: Option<String>,
    },
    /// An empty list, which selects nothing.
    #[error("{of}: the list `{list}` is empty, so nothing would match it")]
    EmptyList {
        /// The key or scope.
        of: String,
        /// The list.
        list: &'static str,
    },
    /// A minimum version for a text that cannot be the name of an application.
    #[error("`minimum-version`")]
    Name(#[from] NameError),
    /// A version without a name, which cannot be compared.
    #[error("a policy with a `version` needs a `name`")]
    NoName,
    /// A version that other readers of numbers would round.
    #[error("version {version} is above {}", edgec_artifact::MAX_VERSION)]
    Version {
        /// The version.
        version: u64,
    },
    /// A denied range that contains no version.
    #[error(
        "`compiler.deny` number {number} denies nothing: its `from` is not before its `before`"
    )]
    EmptyRange {
        /// Which entry, from 1.
        number: usize,
    },
    /// A denied range without bounds, which would deny everything.
    #[error("`compiler.deny` number {number} has neither `from` nor `before`")]
    Unbounded {
        /// Which entry, from 1.
        number: usize,
    },
}

fn meant(nearest: &Option<String>) -> String {
    let nearest = nearest.iter();
    nearest
        .map(|name| format!("; did you mean `{name}`?"))
        .collect()
}
