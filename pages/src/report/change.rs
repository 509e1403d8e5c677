//! What changed between two artifacts.

use std::fmt::{self, Write as _};

use super::parts::{MAX_LISTED, cut, left_out};
use crate::number::{change, size};
use crate::{Text, end_table, table};

/// The differences between an earlier artifact and one of the report's.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// The file of the earlier artifact, which nothing verified.
    pub before: String,
    /// The file of the later one.
    pub after: String,
    /// Whether image and manifest are the same.
    pub same: bool,
    /// The parts of both images.
    pub parts: Vec<PartChange>,
    /// Functions that differ in length, or that one side lacks; those that differ most come first.
    pub functions: Vec<FunctionChange>,
    /// How many more such functions there are.
    pub functions_left_out: usize,
    /// Whether both have debug files, so that functions are compared by name.
    pub is_named: bool,
    /// The fields of the manifests that differ.
    pub fields: Vec<FieldChange>,
    /// How many more fields there are.
    pub fields_left_out: usize,
    /// Why exports could not be compared by name.
    pub exports_unknown: Option<String>,
}

/// A part of two images. A length is in bytes, and `None` if the part is absent.
#[derive(Clone, Debug)]
pub struct PartChange {
    /// Its name.
    pub name: String,
    /// Its length before.
    pub before: Option<u64>,
    /// Its length after.
    pub after: Option<u64>,
    /// Whether all bytes are the same.
    pub same: bool,
}

/// A function of two images. A length is in bytes, and `None` if the function is absent.
#[derive(Clone, Debug)]
pub struct FunctionChange {
    /// The number of its core module.
    pub module: u32,
    /// Its name, or its number.
    pub name: String,
    /// The length of its code before.
    pub before: Option<u64>,
    /// The length of its code after.
    pub after: Option<u64>,
}

/// A field of two manifests.
#[derive(Clone, Debug)]
pub struct FieldChange {
    /// Where it is.
    pub at: String,
    /// Its value before.
    pub before: Option<String>,
    /// Its value after.
    pub after: Option<String>,
}

impl Change {
    pub(super) fn write(&self, out: &mut String) -> fmt::Result {
        writeln!(
            out,
            "<section aria-labelledby=\"change\">\n<h2 id=\"change\">What changed</h2>\n\
             <p>From {} to {}. The earlier artifact was not verified.</p>",
            Text(&cut(&self.before)),
            Text(&cut(&self.after))
        )?;
        if self.same {
            return writeln!(out, "<p>Image and manifest are the same.</p>\n</section>");
        }
        writeln!(out, "<h3>Parts of the image</h3>")?;
        let columns = [
            ("Part", false),
            ("Before", true),
            ("After", true),
            ("Change", true),
        ];
        table(out, ("Parts of the image", ""), &columns)?;
        for part in &self.parts {
            let note = part.same.then_some("the same");
            let note = note.or((part.before == part.after).then_some("other bytes"));
            lengths(out, &part.name, (part.before, part.after), note)?;
        }
        end_table(out)?;
        writeln!(
            out,
            "<h3>Functions that are longer, shorter, new or gone</h3>"
        )?;
        if !self.is_named {
            writeln!(
                out,
                "<p class=\"dim\">Compared by number, and only those in the engine's table: a debug file is \
                 missing. An added import moves all numbers.</p>"
            )?;
        }
        table(out, ("Functions that changed", ""), &columns)?;
        for function in self.functions.iter().take(MAX_LISTED) {
            let name = format!("{} in core module {}", cut(&function.name), function.module);
            lengths(out, &name, (function.before, function.after), None)?;
        }
        end_table(out)?;
        let more = self.functions.len().saturating_sub(MAX_LISTED);
        left_out(out, more.saturating_add(self.functions_left_out))?;
        self.write_fields(out)?;
        writeln!(out, "</section>")
    }

    fn write_fields(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "<h3>Manifest</h3>")?;
        if let Some(why) = &self.exports_unknown {
            writeln!(
                out,
                "<p>Which exports differ is not known: {}</p>",
                Text(&cut(why))
            )?;
        }
        let columns = [("Field", false), ("Before", false), ("After", false)];
        table(out, ("Fields of the manifest", ""), &columns)?;
        for field in self.fields.iter().take(MAX_LISTED) {
            let shown = |value: &Option<String>| value.as_deref().map_or("-".to_owned(), cut);
            writeln!(
                out,
                "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                Text(&cut(&field.at)),
                Text(&shown(&field.before)),
                Text(&shown(&field.after))
            )?;
        }
        end_table(out)?;
        let more = self.fields.len().saturating_sub(MAX_LISTED);
        left_out(out, more.saturating_add(self.fields_left_out))
    }
}

fn lengths(
    out: &mut String,
    name: &str,
    (before, after): (Option<u64>, Option<u64>),
    note: Option<&str>,
) -> fmt::Result {
    let shown = |bytes: Option<u64>| bytes.map_or("-".to_owned(), size);
    let note = note.map(str::to_owned);
    let note = note.unwrap_or_else(|| match (before, after) {
        (None, _) => format!("new, {}", change(0, after.unwrap_or(0))),
        (_, None) => format!("gone, {}", change(before.unwrap_or(0), 0)),
        (Some(before), Some(after)) => change(before, after),
    });
    writeln!(
        out,
        "<tr><th scope=\"row\">{}</th><td class=\"r\">{}</td><td class=\"r\">{}</td><td class=\"r\">{note}</td></tr>",
        Text(name),
        shown(before),
        shown(after)
    )
}
