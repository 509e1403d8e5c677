//! Host profiles in files. `edgec host` writes them and `edgec check` reads them. `docs/targets.md`
//! describes each field.
//!
//! The reader is strict: it refuses unknown fields and other schemas, because a profile for a newer
//! edgec may state something that this version would not compare.

use edgec_artifact::check_name;
use edgec_targets::{Arch, EngineProfile, HostCpu};
use serde::{Deserialize, Serialize};

use crate::HostProfile;
use crate::engine_version::EngineVersion;
use crate::policy_toml::where_and_what;
use crate::pool_limits::PoolLimits;

/// The longest profile or fleet, in bytes (1 MiB).
pub(crate) const MAX_LEN: usize = 1 << 20;

/// The only edition of the file format so far.
pub(crate) const SCHEMA: u32 = 1;

/// A text that is not a host profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed host profile: {0}")]
pub struct HostProfileError(pub(crate) String);

/// The fields as they stand in a file.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Fields {
    /// In a file of its own, each profile has a schema. A fleet has one schema for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    arch: String,
    features: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_size: Option<u64>,
    engine: EngineVersion,
    profiles: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pool: Option<PoolLimits>,
}

impl HostProfile {
    /// A host that is described in TOML (`docs/targets.md`).
    ///
    /// # Errors
    ///
    /// [`HostProfileError`] says where the text is wrong.
    pub fn from_toml(text: &str) -> Result<Self, HostProfileError> {
        let mut fields: Fields = parse(text)?;
        fields.schema = None;
        fields.profile()
    }

    /// The host as TOML that [`Self::from_toml`] reads.
    ///
    /// # Errors
    ///
    /// [`HostProfileError`] if the profile could not be read again, because it has a CPU family or
    /// feature that no target knows, or a name that is not allowed in a file.
    pub fn to_toml(&self) -> Result<String, HostProfileError> {
        let text = toml::to_string(&self.fields());
        let text = text.map_err(|error| HostProfileError(error.to_string()))?;
        Self::from_toml(&text)?;
        Ok(text)
    }

    /// The same fields for a JSON document.
    ///
    /// # Errors
    ///
    /// As [`Self::to_toml`].
    pub fn to_json(&self) -> Result<serde_json::Value, HostProfileError> {
        self.to_toml()?;
        let fields = serde_json::to_value(self.fields());
        fields.map_err(|error| HostProfileError(error.to_string()))
    }

    fn fields(&self) -> Fields {
        Fields {
            schema: Some(SCHEMA),
            name: self.name.clone(),
            arch: self.cpu.arch().to_owned(),
            features: self.cpu.features().map(str::to_owned).collect(),
            page_size: self.page_size,
            engine: self.engine,
            profiles: self.profiles.clone(),
            pool: self.pool,
        }
    }
}

impl Fields {
    pub(crate) fn profile(self) -> Result<HostProfile, HostProfileError> {
        let error = |text: String| Err(HostProfileError(text));
        if self.schema.is_some() {
            return error("`schema` stands at the beginning of the file, once".to_owned());
        }
        if let Some(name) = &self.name {
            check_name(name).map_err(|error| HostProfileError(error.to_string()))?;
        }
        let Some(arch) = Arch::called(&self.arch) else {
            let called = &self.arch;
            return error(match edgec_targets::find(called) {
                Ok(target) => {
                    let family = target.arch.name();
                    format!("`{called}` is a target: `arch` is its CPU family, `{family}`")
                }
                Err(_) => {
                    let known = Arch::ALL.map(Arch::name).join(" and ");
                    format!("no CPU family is called `{called}`; there are {known}")
                }
            });
        };
        let known = |name: &String| {
            let targets = edgec_targets::all().filter(|target| target.arch == arch);
            let mut features = targets.flat_map(|target| target.features);
            features.any(|feature| feature.name == name)
        };
        if let Some(unknown) = self.features.iter().find(|name| !known(name)) {
            let family = arch.name();
            return error(format!("no CPU feature of {family} is called `{unknown}`"));
        }
        let whole = |size: u64| size.is_power_of_two() && (4096..=1 << 20).contains(&size);
        if let Some(size) = self.page_size.filter(|size| !whole(*size)) {
            return error(format!("no kernel has pages of {size} bytes"));
        }
        if self.profiles.is_empty() {
            return error("`profiles` is empty: the host would run nothing".to_owned());
        }
        for profile in &self.profiles {
            if let Err(unknown) = profile.parse::<EngineProfile>() {
                return error(unknown.to_string());
            }
        }
        Ok(HostProfile {
            name: self.name,
            cpu: HostCpu::new(arch.name(), self.features),
            page_size: self.page_size,
            engine: self.engine,
            profiles: self.profiles,
            pool: self.pool,
        })
    }
}

/// Reads a file with the supported schema. It checks the schema first, because another one may have
/// other fields.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, HostProfileError> {
    if text.len() > MAX_LEN {
        let len = text.len();
        return Err(HostProfileError(format!(
            "{len} bytes, and {MAX_LEN} is the limit"
        )));
    }
    let malformed = |error| HostProfileError(where_and_what(text, &error));
    let head: Head = toml::from_str(text).map_err(malformed)?;
    check_schema(head.schema)?;
    toml::from_str(text).map_err(malformed)
}

/// The field that every schema has.
#[derive(Deserialize)]
struct Head {
    schema: Option<u32>,
}

fn check_schema(found: Option<u32>) -> Result<(), HostProfileError> {
    match found {
        Some(SCHEMA) => Ok(()),
        Some(other) => Err(HostProfileError(format!(
            "its schema is {other}; this edgec reads {SCHEMA}"
        ))),
        None => Err(HostProfileError(format!(
            "it does not state its schema: begin it with `schema = {SCHEMA}`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "schema = 1\nname = \"fra\"\narch = \"aarch64\"\nfeatures = [\"lse\"]\n\
        page-size = 65536\nengine = \"48.0.8\"\nprofiles = [\"edge\"]\n\n\
        [pool]\nmemories = 1\ntables = 2\ntable-elements = 3\nmemory-bytes = 65536\n";

    #[test]
    fn what_is_written_is_what_is_read() {
        let host = HostProfile::from_toml(TEXT).unwrap();
        assert_eq!(host.to_toml().unwrap(), TEXT);
        assert_eq!(host.name(), Some("fra"));
        let here = HostProfile::here();
        match here.to_toml() {
            Ok(text) => assert_eq!(HostProfile::from_toml(&text), Ok(here)),
            Err(error) => assert!(Arch::named(std::env::consts::ARCH).is_none(), "{error}"),
        }
    }

    #[test]
    fn a_family_has_the_names_that_other_tools_give_it() {
        for arch in Arch::ALL {
            for name in arch.aliases() {
                let text = TEXT.replace("aarch64", name).replace("\"lse\"", "");
                let host = HostProfile::from_toml(&text).unwrap();
                assert_eq!(host.cpu().arch(), arch.name());
            }
        }
    }

    #[test]
    fn what_is_not_strictly_a_profile_is_refused() {
        let refused = |from: &str, to: &str, says: &str| {
            assert!(TEXT.contains(from), "{from}");
            let error = HostProfile::from_toml(&TEXT.replace(from, to)).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        };
        refused("schema = 1\n", "", "does not state its schema");
        refused(
            "schema = 1",
            "schema = 2",
            "its schema is 2; this edgec reads 1",
        );
        refused("arch = ", "cpu = 1\narch = ", "unknown field `cpu`");
        refused("tables = 2", "tables = 2\nmore = 2", "unknown field `more`");
        refused("tables = 2\n", "", "missing field `tables`");
        refused(
            "\"lse\"",
            "\"avx\"",
            "no CPU feature of aarch64 is called `avx`",
        );
        refused(
            "\"aarch64\"",
            "\"sparc\"",
            "no CPU family is called `sparc`; there are x86_64 and aarch64",
        );
        refused(
            "\"aarch64\"",
            "\"armv8-a\"",
            "`armv8-a` is a target: `arch` is its CPU family, `aarch64`",
        );
        refused("\"fra\"", "\"../fra\"", "name");
        refused("= 65536\nengine", "= 5000\nengine", "pages of 5000 bytes");
        refused("[\"edge\"]", "[]", "`profiles` is empty");
        refused("[\"edge\"]", "[\"egde\"]", "`egde`");
        refused("48.0.8", "48", "three numbers");
        let long = format!("{TEXT}#{}", " ".repeat(MAX_LEN));
        let error = HostProfile::from_toml(&long).unwrap_err();
        assert!(error.to_string().contains("is the limit"), "{error}");
    }
}
