//! Differences between two manifests, or between two images.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use edgec_artifact::Manifest;
use edgec_compiler::Image;
use serde::Serialize;
use serde_json::{Map, Value};

/// One difference. If one side has no value, it is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// Where the two differ.
    pub at: Place,
    /// The first side's value, as text.
    pub a: Option<String>,
    /// The second side's value, as text.
    pub b: Option<String>,
}

/// The place of a difference. Names come from files that may be untrusted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// The manifest itself, or fields that are not named.
    Manifest,
    /// A field of the manifest, such as `builder`, `stages`, `optimize`, `settings`, `level`.
    Field(Vec<FieldName>),
    /// The image as a whole.
    Image,
    /// A section of the image.
    Section {
        /// Its name.
        name: String,
        /// The first byte that differs, counted from the start of the section.
        first: Option<u64>,
        /// The function that contains that byte.
        within: Option<Within>,
    },
    /// The places of sections in the image.
    Layout,
}

/// The name of a field, or of an entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldName {
    /// The name, or its beginning.
    pub text: String,
    /// Whether the name was cut.
    pub is_cut: bool,
}

/// A place in a function.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Within {
    /// The function's name.
    pub function: Option<String>,
    /// The number of its core module, and the function's own number.
    pub number: Option<(u32, u32)>,
    /// Bytes from the start of the function.
    pub distance: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, |name, _| name.to_owned())
    }
}

impl Place {
    /// The place as text. `shown` makes a name fit for display, given the name and whether it was
    /// cut.
    pub fn shown(&self, shown: impl Fn(&str, bool) -> String) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text, shown);
        text
    }

    fn write(
        &self,
        out: &mut impl fmt::Write,
        shown: impl Fn(&str, bool) -> String,
    ) -> fmt::Result {
        match self {
            Self::Manifest => out.write_str("the manifest"),
            Self::Field(names) => {
                for (number, name) in names.iter().enumerate() {
                    let dot = if number > 0 { "." } else { "" };
                    write!(out, "{dot}{}", shown(&name.text, name.is_cut))?;
                }
                Ok(())
            }
            Self::Image => out.write_str("the image"),
            Self::Section {
                name,
                first,
                within,
            } => {
                write!(out, "section {}", shown(name, false))?;
                if let Some(first) = first {
                    write!(out, " from {first:#x}")?;
                }
                let Some(within) = within else { return Ok(()) };
                match &within.function {
                    Some(name) => write!(out, ", first in {}", shown(name, false))?,
                    None => out.write_str(", first in a function without a name")?,
                }
                if let Some((module, index)) = within.number {
                    write!(out, " (core module {module}, function {index})")?;
                }
                write!(out, " + {:#x}", within.distance)
            }
            Self::Layout => out.write_str("the places of sections in the image"),
        }
    }
}

/// The maximum number of differences that are named. Two releases differ in some dozens of fields.
/// No reader needs more than this, and a manifest can have hundreds of thousands.
const MAX_DIFFERENCES: usize = 10_000;

/// All differences of two manifests.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Differences {
    /// In the order of the fields' names, at most 10,000.
    pub named: Vec<Difference>,
    /// How many more differences there are.
    pub more: usize,
}

/// Stands for a missing value.
const NOTHING: &Value = &Value::Null;

/// Every field in which two manifests differ, in the order of the fields' names. Lists are compared
/// as sets: an entry that only one side has is named.
pub fn of_manifests(a: &Manifest, b: &Manifest) -> Differences {
    let mut found = Differences::default();
    // A manifest has string keys, and its `Serialize` cannot fail.
    let value = |manifest| serde_json::to_value(manifest).unwrap_or_default();
    found.compare(&mut Vec::new(), &value(a), &value(b));
    if found.named.is_empty() && a != b {
        // If no difference was found but the values differ, the order of a list differs.
        found.add_order(Place::Manifest);
    }
    found
}

impl Differences {
    fn compare(&mut self, at: &mut Vec<FieldName>, a: &Value, b: &Value) {
        if a == b {
            return;
        }
        let none = Map::new();
        match (a, b) {
            (Value::Object(a), Value::Object(b)) => self.compare_fields(at, a, b, None),
            (Value::Array(a), Value::Array(b)) => match (by_name(a), by_name(b)) {
                (Some(a), Some(b)) if !a.is_empty() || !b.is_empty() => {
                    let names: BTreeSet<&str> = a.keys().chain(b.keys()).copied().collect();
                    for name in names {
                        let a = a.get(name).copied().unwrap_or(&none);
                        let b = b.get(name).copied().unwrap_or(&none);
                        at.push(FieldName::of(name));
                        self.compare_fields(at, a, b, Some(NAME));
                        at.pop();
                    }
                }
                _ => self.compare_sets(at, a, b),
            },
            // If only one side has an object, its fields are compared with nothing.
            (Value::Object(a), Value::Null) => self.compare_fields(at, a, &none, None),
            (Value::Null, Value::Object(b)) => self.compare_fields(at, &none, b, None),
            _ => self.add(at, a, b),
        }
    }

    /// Compares two objects, without one of their fields.
    fn compare_fields(
        &mut self,
        at: &mut Vec<FieldName>,
        a: &Map<String, Value>,
        b: &Map<String, Value>,
        but: Option<&str>,
    ) {
        let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        for name in names {
            if but != Some(name.as_str()) {
                let (a, b) = (a.get(name), b.get(name));
                let (a, b) = (a.unwrap_or(NOTHING), b.unwrap_or(NOTHING));
                at.push(FieldName::of(name));
                self.compare(at, a, b);
                at.pop();
            }
        }
    }

    fn compare_sets(&mut self, at: &[FieldName], a: &[Value], b: &[Value]) {
        let (only_a, only_b) = (lacking(a, b), lacking(b, a));
        if only_a.is_empty() && only_b.is_empty() {
            self.add_order(Place::Field(at.to_owned()));
        }
        for value in only_a {
            self.add(at, value, NOTHING);
        }
        for value in only_b {
            self.add(at, NOTHING, value);
        }
    }

    fn add(&mut self, at: &[FieldName], a: &Value, b: &Value) {
        if self.has_room() {
            let at = Place::Field(at.to_owned());
            let (a, b) = (shown(a), shown(b));
            self.named.push(Difference { at, a, b });
        }
    }

    /// Adds a difference for two lists that differ only in their order.
    fn add_order(&mut self, at: Place) {
        if self.has_room() {
            let [a, b] = ["in one order", "in another"].map(|text| Some(text.to_owned()));
            self.named.push(Difference { at, a, b });
        }
    }

    /// Whether one more difference may be named. If not, counts it.
    fn has_room(&mut self) -> bool {
        let has_room = self.named.len() < MAX_DIFFERENCES;
        self.more += usize::from(!has_room);
        has_room
    }
}

/// The maximum length of one part of a field's name, in bytes. Names of stages and settings are
/// shorter. The part is repeated in front of everything below it.
const MAX_FIELD_LEN: usize = 200;

impl FieldName {
    fn of(name: &str) -> Self {
        let end = name.floor_char_boundary(MAX_FIELD_LEN);
        let text = name.get(..end).unwrap_or_default().to_owned();
        let is_cut = end < name.len();
        Self { text, is_cut }
    }
}

/// The field that names a stage.
const NAME: &str = "name";

/// The objects of a list by their names, if all names are different.
fn by_name(list: &[Value]) -> Option<BTreeMap<&str, &Map<String, Value>>> {
    let mut named = BTreeMap::new();
    for value in list {
        let fields = value.as_object()?;
        let name = fields.get(NAME)?.as_str()?;
        if named.insert(name, fields).is_some() {
            return None;
        }
    }
    Some(named)
}

/// The values of one list that the other list lacks, or has less often.
fn lacking<'v>(has: &'v [Value], lacks: &'v [Value]) -> Vec<&'v Value> {
    let mut left: HashMap<Key<'v>, usize> = HashMap::new();
    for value in lacks {
        *left.entry(key(value)).or_default() += 1;
    }
    let mut only = Vec::new();
    for value in has {
        match left.get_mut(&key(value)) {
            Some(count) if *count > 0 => *count -= 1,
            _ => only.push(value),
        }
    }
    only
}

/// A value as text: whether the value is a text, and the text or its JSON.
type Key<'v> = (bool, Cow<'v, str>);

fn key(value: &Value) -> Key<'_> {
    match value {
        Value::String(text) => (true, text.into()),
        value => (false, value.to_string().into()),
    }
}

fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        value => Some(value.to_string()),
    }
}

/// A section that two images, or one of them, have.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct SectionDifference {
    /// Its name.
    pub name: String,
    /// The section's length in the first image, in bytes.
    pub a: Option<u64>,
    /// The section's length in the second image, in bytes.
    pub b: Option<u64>,
    /// Whether every byte is the same.
    pub same: bool,
    /// The first byte that differs, counted from the start of the section.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
}

/// All sections of both images.
pub fn of_sections(a: &Image<'_>, b: &Image<'_>) -> Vec<SectionDifference> {
    let mut names: Vec<&str> = a.sections().map(|(name, _)| name).collect();
    let more = b.sections().map(|(name, _)| name);
    let more: Vec<&str> = more.filter(|name| !names.contains(name)).collect();
    names.extend(more);
    let section = |name: &&str| {
        let (a, b) = (a.section(name), b.section(name));
        let first = match (a, b) {
            (Some(a), Some(b)) if a != b => {
                let same = a.iter().zip(b).take_while(|(a, b)| a == b);
                Some(same.count() as u64)
            }
            _ => None,
        };
        SectionDifference {
            name: (*name).to_owned(),
            a: a.map(|bytes| bytes.len() as u64),
            b: b.map(|bytes| bytes.len() as u64),
            same: a == b,
            first,
        }
    };
    names.iter().map(section).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(a: &Value, b: &Value) -> Vec<(String, Option<String>, Option<String>)> {
        let mut found = Differences::default();
        found.compare(&mut Vec::new(), a, b);
        let row = |it: Difference| (it.at.to_string(), it.a, it.b);
        found.named.into_iter().map(row).collect()
    }

    #[test]
    fn names_of_fields_are_cut_and_differences_are_counted() {
        let long = "x".repeat(MAX_FIELD_LEN + 1);
        let settings: Map<String, Value> = (0..MAX_DIFFERENCES + 3)
            .map(|number| (number.to_string(), Value::Bool(true)))
            .collect();
        let a = json!([{"name": long, "settings": settings}]);
        let mut found = Differences::default();
        found.compare(&mut vec![FieldName::of("stages")], &a, &json!([]));
        assert_eq!((found.named.len(), found.more), (MAX_DIFFERENCES, 3));
        let at = found.named[0].at.shown(|name, is_cut| match is_cut {
            true => format!("{name}…"),
            false => name.to_owned(),
        });
        let cut = "x".repeat(MAX_FIELD_LEN);
        assert_eq!(at, format!("stages.{cut}….settings.0"));
    }

    #[test]
    fn fields_stages_and_lists_are_compared() {
        let text = |text: &str| Some(text.to_owned());
        let stage = |level: &str| json!({"name": "optimize", "settings": {"level": level}});
        let a = json!({"same": 1, "list": ["x", "y"], "stages": [stage("1")], "more": {"k": "v"}});
        let b = json!({"same": 1, "list": ["y", "z"], "stages": [stage("z")]});
        let expected = [
            ("list", text("x"), None),
            ("list", None, text("z")),
            ("more.k", text("v"), None),
            ("stages.optimize.settings.level", text("1"), text("z")),
        ];
        assert_eq!(
            found(&a, &b),
            expected.map(|(at, a, b)| (at.to_owned(), a, b))
        );
        assert_eq!(found(&a, &a), []);
        let twice = found(&json!(["x", "x"]), &json!(["x"]));
        assert_eq!(twice, [(String::new(), text("x"), None)]);
        assert_eq!(found(&json!(["x", "y"]), &json!(["y", "x"])).len(), 1);
        // If two stages have the same name, both are compared.
        let (one, two) = (json!([stage("1")]), json!([stage("z"), stage("1")]));
        assert_eq!(found(&two, &one).len(), 1);
    }
}
