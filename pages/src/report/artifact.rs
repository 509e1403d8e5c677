//! The part of the page about one artifact.

use std::fmt::{self, Write as _};

use super::parts::{MAX_LISTED, cut, left_out, names};
use super::{Artifact, Part, Read};
use crate::number::share;
use crate::{Text, end_table, size, table};

impl Artifact {
    /// The bytes that a host reads at each load.
    pub(super) fn read_at_load(&self) -> u64 {
        let read = self.parts.iter();
        let read = read.filter(|part| matches!(part.read, Read::AtLoad(_)));
        read.fold(0, |sum, part| sum.saturating_add(part.bytes))
    }

    pub(super) fn write(&self, out: &mut String, number: usize, functions: usize) -> fmt::Result {
        writeln!(
            out,
            "<section aria-labelledby=\"a{number}\">\n<h2 id=\"a{number}\">{} for {}</h2>",
            Text(&cut(&self.file)),
            Text(&cut(&self.target))
        )?;
        self.write_facts(out)?;
        self.write_bytes(out, number, functions)?;
        self.write_cold_start(out)?;
        writeln!(out, "<h3>Capabilities: what it imports from a host</h3>")?;
        names(out, &self.imports)?;
        writeln!(out, "<h3>Exports</h3>")?;
        match &self.exports {
            Ok(exports) => names(out, exports)?,
            Err(why) => writeln!(out, "<p>not known: {}</p>", Text(&cut(why)))?,
        }
        self.write_trust(out)?;
        writeln!(out, "</section>")
    }

    fn write_facts(&self, out: &mut String) -> fmt::Result {
        table(
            out,
            ("Statements of the artifact", ""),
            &[("Statement", false), ("Value", false)],
        )?;
        for (name, value) in &self.facts {
            let value = cut(value);
            writeln!(
                out,
                "<tr><th scope=\"row\">{}</th><td>{}</td></tr>",
                Text(name),
                Text(&value)
            )?;
        }
        end_table(out)
    }

    /// The treemap, and the table from which the script draws it.
    fn write_bytes(&self, out: &mut String, number: usize, functions: usize) -> fmt::Result {
        writeln!(out, "<h3>Where the bytes and the load go</h3>")?;
        writeln!(
            out,
            "<p>The file has {}. A load reads {} of it: these bytes are counted, not timed. The rest \
             is mapped, and a page of it is read when it is used.</p>",
            size(self.length),
            size(self.read_at_load())
        )?;
        if !self.code.is_named {
            writeln!(
                out,
                "<p class=\"dim\">Functions are those of the engine's table, by number. A debug file \
                 beside the artifact (<code>edgec build --debug-file</code>) gives all of them, with \
                 names.</p>"
            )?;
        }
        writeln!(
            out,
            "<div class=\"map\" data-table=\"t{number}\"><p class=\"dim\">The table below has the values of \
             the map.</p></div>"
        )?;
        let attributes = format!(" id=\"t{number}\" data-name=\"{}\"", Text(&cut(&self.file)));
        let columns = [
            ("Part", false),
            ("Bytes", true),
            ("Share", true),
            ("When a host reads it", false),
        ];
        table(
            out,
            ("Bytes by part, module and function", &attributes),
            &columns,
        )?;
        for part in &self.parts {
            let (load, when) = match part.read {
                Read::AtLoad(when) => (part.bytes, when),
                Read::Later(when) => (0, when),
            };
            let load = match load {
                0 => String::new(),
                load => format!(" data-load=\"{load}\""),
            };
            self.row(out, 1, (&part.name, part.bytes), (&load, when))?;
            self.write_parts(out, part)?;
            if part.is_code {
                self.write_code(out, part.bytes, functions)?;
            }
        }
        end_table(out)
    }

    /// What a part consists of. A load reads of it what it reads of the part: all or nothing.
    fn write_parts(&self, out: &mut String, part: &Part) -> fmt::Result {
        let known = part.parts.iter();
        let known = known.fold(0u64, |sum, (_, bytes)| sum.saturating_add(*bytes));
        let rest = part.bytes.saturating_sub(known);
        let rest = (rest > 0 && known > 0).then(|| ("the rest".to_owned(), rest));
        for (name, bytes) in part.parts.iter().chain(&rest) {
            let load = match part.read {
                Read::AtLoad(_) => format!(" data-load=\"{bytes}\""),
                Read::Later(_) => String::new(),
            };
            self.row(out, 2, (name, *bytes), (&load, ""))?;
        }
        Ok(())
    }

    fn write_code(&self, out: &mut String, bytes: u64, functions: usize) -> fmt::Result {
        let mut known: u64 = 0;
        for shown in self.code.shown(functions) {
            known = known.saturating_add(shown.bytes);
            self.row(out, 2, (&shown.module.title(), shown.bytes), ("", ""))?;
            for function in shown.functions {
                let same = match function.shared {
                    0 => String::new(),
                    others => format!("{others} more with the same code"),
                };
                self.row(out, 3, (&function.title(), function.bytes), ("", &same))?;
            }
            if let (count @ 1.., bytes) = shown.rest {
                let name = format!("{count} smaller functions");
                self.row(out, 3, (&name, bytes), ("", ""))?;
            }
        }
        let name = match self.code.is_named {
            true => "code of the engine, and padding",
            false => "other functions, code of the engine, and padding",
        };
        match bytes.saturating_sub(known) {
            0 => Ok(()),
            rest => self.row(out, 2, (name, rest), ("", "")),
        }
    }

    fn row(
        &self,
        out: &mut String,
        level: u8,
        (name, bytes): (&str, u64),
        (attributes, note): (&str, &str),
    ) -> fmt::Result {
        writeln!(
            out,
            "<tr class=\"l{level}\" data-level=\"{level}\" data-bytes=\"{bytes}\"{attributes}><th scope=\"row\">{}</th>\
             <td class=\"r\">{bytes}</td><td class=\"r\">{}</td><td>{}</td></tr>",
            Text(&cut(name)),
            share(bytes, self.length),
            Text(note)
        )
    }

    fn write_cold_start(&self, out: &mut String) -> fmt::Result {
        writeln!(
            out,
            "<h3>What slows each instance</h3>\n<p class=\"dim\">From the cold-start lint. The times are \
             estimates from measured costs, on another machine (docs/cold-start.md).</p>"
        )?;
        if let Some(why) = &self.cold_start_unknown {
            return writeln!(out, "<p>not known: {}</p>", Text(&cut(why)));
        }
        if self.cold_start.is_empty() {
            return writeln!(out, "<p>Nothing was found.</p>");
        }
        let columns = [("Rule", false), ("Estimate", true), ("Finding", false)];
        table(out, ("What slows each instance", ""), &columns)?;
        for finding in self.cold_start.iter().take(MAX_LISTED) {
            let cost = match finding.nanoseconds {
                None => "depends".to_owned(),
                Some(cost) if cost < 10_000 => format!("{:.1} µs", cost as f64 / 1e3),
                Some(cost) if cost < 10_000_000 => format!("{:.0} µs", cost as f64 / 1e3),
                Some(cost) => format!("{:.1} ms", cost as f64 / 1e6),
            };
            writeln!(
                out,
                "<tr><th scope=\"row\">{}</th><td class=\"r\">{cost}</td><td>{}</td></tr>",
                Text(&finding.rule),
                Text(&finding.message)
            )?;
        }
        end_table(out)?;
        left_out(out, self.cold_start.len().saturating_sub(MAX_LISTED))
    }
}
