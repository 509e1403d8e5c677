//! Where two manifests, or two images, are not the same.

use std::collections::{BTreeSet, HashMap};

use edgec_artifact::Manifest;
use edgec_compiler::Image;
use serde::Serialize;
use serde_json::Value;

/// One place where two things differ; a side that has nothing there is absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    /// Where: a field of the manifest, such as `builder.stages.optimize.settings.level`.
    pub(crate) at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) a: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) b: Option<String>,
}

/// Every field in which two manifests differ, in the order of the fields' names. Lists are sets:
/// what only one has is named.
pub(crate) fn of_manifests(a: &Manifest, b: &Manifest) -> Vec<Difference> {
    let mut found = Vec::new();
    // A manifest has string keys and no failing `Serialize`.
    let value = |manifest| serde_json::to_value(manifest).unwrap_or_default();
    compare("", &value(a), &value(b), &mut found);
    if found.is_empty() && a != b {
        // Nothing is called the same that is not.
        found.push(Difference {
            at: "the manifest".to_owned(),
            a: Some("in one order".to_owned()),
            b: Some("in another".to_owned()),
        });
    }
    found
}

fn compare(at: &str, a: &Value, b: &Value, found: &mut Vec<Difference>) {
    if a == b {
        return;
    }
    let below = |name: &str| match at {
        "" => name.to_owned(),
        _ => format!("{at}.{name}"),
    };
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for name in names {
                let side = |map: &serde_json::Map<String, Value>| map.get(name).cloned();
                let (a, b) = (side(a), side(b));
                let (a, b) = (a.unwrap_or_default(), b.unwrap_or_default());
                compare(&below(name), &a, &b, found);
            }
        }
        (Value::Array(a), Value::Array(b)) => match (by_name(a), by_name(b)) {
            (Some(a), Some(b)) if !a.is_empty() || !b.is_empty() => {
                compare(at, &Value::Object(a), &Value::Object(b), found);
            }
            _ => compare_sets(at, a, b, found),
        },
        // An object that only one side has is taken apart as well.
        (Value::Object(_), Value::Null) => {
            compare(at, a, &Value::Object(serde_json::Map::new()), found);
        }
        (Value::Null, Value::Object(_)) => {
            compare(at, &Value::Object(serde_json::Map::new()), b, found);
        }
        _ => found.push(Difference {
            at: at.to_owned(),
            a: shown(a),
            b: shown(b),
        }),
    }
}

/// Stages are known by their names, where no two have the same one.
fn by_name(list: &[Value]) -> Option<serde_json::Map<String, Value>> {
    let mut named = serde_json::Map::new();
    for value in list {
        let name = value.get("name")?.as_str()?.to_owned();
        let mut value = value.clone();
        value.as_object_mut()?.remove("name");
        if named.insert(name, value).is_some() {
            return None;
        }
    }
    Some(named)
}

fn compare_sets(at: &str, a: &[Value], b: &[Value], found: &mut Vec<Difference>) {
    let lacking = |has: &[Value], lacks: &[Value]| -> Vec<Value> {
        let mut left: HashMap<String, usize> = HashMap::new();
        for value in lacks {
            *left.entry(value.to_string()).or_default() += 1;
        }
        let mut only = Vec::new();
        for value in has {
            match left.get_mut(&value.to_string()) {
                Some(count) if *count > 0 => *count -= 1,
                _ => only.push(value.clone()),
            }
        }
        only
    };
    let (only_a, only_b) = (lacking(a, b), lacking(b, a));
    if only_a.is_empty() && only_b.is_empty() {
        found.push(Difference {
            at: at.to_owned(),
            a: Some("in one order".to_owned()),
            b: Some("in another".to_owned()),
        });
    }
    for (only, is_a) in [(only_a, true), (only_b, false)] {
        for value in only {
            let (a, b) = match is_a {
                true => (shown(&value), None),
                false => (None, shown(&value)),
            };
            let at = at.to_owned();
            found.push(Difference { at, a, b });
        }
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
        let mut found = Vec::new();
        compare("", a, b, &mut found);
        let row = |difference: Difference| (difference.at, difference.a, difference.b);
        found.into_iter().map(row).collect()
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
