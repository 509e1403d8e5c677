//! Where two manifests, or two images, are not the same.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use edgec_artifact::Manifest;
use edgec_compiler::Image;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::bounds::{MAX_FIELD_LEN, beginning};
use crate::render::cell_of;

/// One place where two things differ; a side that has nothing there is absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    /// Where: a field of the manifest, such as `builder.stages.optimize.settings.level`. Its names
    /// are made safe, and quoted where they have spaces.
    pub(crate) at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) a: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) b: Option<String>,
}

/// How many differences of two manifests are named. A release differs from the next in some dozens;
/// more than this are for no reader, and a manifest has room for hundreds of thousands.
const MAX_DIFFERENCES: usize = 10_000;

/// The places in which two manifests differ.
#[derive(Debug, Default)]
pub(crate) struct Differences {
    /// In the order of the fields' names, at most [`MAX_DIFFERENCES`].
    pub(crate) named: Vec<Difference>,
    /// How many more there are.
    pub(crate) more: usize,
}

/// What a side has where it has nothing.
const NOTHING: &Value = &Value::Null;

/// Every field in which two manifests differ, in the order of the fields' names. Lists are sets:
/// what only one has is named.
pub(crate) fn of_manifests(a: &Manifest, b: &Manifest) -> Differences {
    let mut found = Differences::default();
    // A manifest has string keys and no failing `Serialize`.
    let value = |manifest| serde_json::to_value(manifest).unwrap_or_default();
    found.compare("", &value(a), &value(b));
    if found.named.is_empty() && a != b {
        // Nothing is called the same that is not.
        found.add_order("the manifest");
    }
    found
}

impl Differences {
    fn compare(&mut self, at: &str, a: &Value, b: &Value) {
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
                        self.compare_fields(&below(at, name), a, b, Some(NAME));
                    }
                }
                _ => self.compare_sets(at, a, b),
            },
            // An object that only one side has is taken apart as well.
            (Value::Object(a), Value::Null) => self.compare_fields(at, a, &none, None),
            (Value::Null, Value::Object(b)) => self.compare_fields(at, &none, b, None),
            _ => self.add(at, a, b),
        }
    }

    /// Compares two objects, but for one of their fields.
    fn compare_fields(
        &mut self,
        at: &str,
        a: &Map<String, Value>,
        b: &Map<String, Value>,
        but: Option<&str>,
    ) {
        let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        for name in names {
            if but != Some(name.as_str()) {
                let (a, b) = (a.get(name), b.get(name));
                let (a, b) = (a.unwrap_or(NOTHING), b.unwrap_or(NOTHING));
                self.compare(&below(at, name), a, b);
            }
        }
    }

    fn compare_sets(&mut self, at: &str, a: &[Value], b: &[Value]) {
        let (only_a, only_b) = (lacking(a, b), lacking(b, a));
        if only_a.is_empty() && only_b.is_empty() {
            self.add_order(at);
        }
        for value in only_a {
            self.add(at, value, NOTHING);
        }
        for value in only_b {
            self.add(at, NOTHING, value);
        }
    }

    fn add(&mut self, at: &str, a: &Value, b: &Value) {
        if self.named.len() >= MAX_DIFFERENCES {
            self.more += 1;
            return;
        }
        self.named.push(Difference {
            at: at.to_owned(),
            a: shown(a),
            b: shown(b),
        });
    }

    /// Two lists are the same but for their order.
    fn add_order(&mut self, at: &str) {
        let order = |text: &str| Value::String(text.to_owned());
        self.add(at, &order("in one order"), &order("in another"));
    }
}

/// The name of a field below another one, made safe. A name stands in front of everything below it,
/// so it is cut.
fn below(at: &str, name: &str) -> String {
    let (name, is_cut) = beginning(name.to_owned(), MAX_FIELD_LEN);
    let name = cell_of(&name, is_cut);
    match at {
        "" => name,
        _ => format!("{at}.{name}"),
    }
}

/// By which stages are known.
const NAME: &str = "name";

/// The objects of a list by their names, where no two have the same one.
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

/// The values of a list that another one has not, or not as often.
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

/// A value as a text: whether it is one, and it or its JSON.
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

/// A section of two images.
#[derive(Debug, Serialize)]
pub(crate) struct SectionDifference {
    pub(crate) name: String,
    /// Its length in bytes in the first, where that has it.
    pub(crate) a: Option<u64>,
    /// Its length in bytes in the second, where that has it.
    pub(crate) b: Option<u64>,
    /// Whether every byte is the same.
    pub(crate) same: bool,
    /// The first byte that is not, from the start of the section.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first: Option<u64>,
}

/// Every section that one of the images has.
pub(crate) fn of_sections(a: &Image<'_>, b: &Image<'_>) -> Vec<SectionDifference> {
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
        found.compare("", a, b);
        let row = |difference: Difference| (difference.at, difference.a, difference.b);
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
        found.compare("stages", &a, &json!([]));
        assert_eq!((found.named.len(), found.more), (MAX_DIFFERENCES, 3));
        let at = format!(r"stages.{}\….settings.0", "x".repeat(MAX_FIELD_LEN));
        assert_eq!(found.named[0].at, at);
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
        // Of two stages with one name, neither hides the other.
        let (one, two) = (json!([stage("1")]), json!([stage("z"), stage("1")]));
        assert_eq!(found(&two, &one).len(), 1);
    }
}
