//! A line of the log, as text or as a JSON object. Whatever a program or a client says, a line is
//! one line, and no terminal obeys it.

use std::fmt::{self, Write as _};
use std::time::SystemTime;

use crate::config::{LogFormat, LogLevel};

/// The longest value in a line, in bytes of the line. The rest is left out, and a mark says so.
const MAX_VALUE: usize = 4096;

/// A line under construction.
pub(super) struct Line {
    format: LogFormat,
    text: String,
}

impl Line {
    /// A line with its time, its level and what it is about. `application` is the name of an
    /// application.
    pub(super) fn new(
        format: LogFormat,
        now: SystemTime,
        level: LogLevel,
        application: Option<&str>,
        message: &dyn fmt::Display,
    ) -> Self {
        let mut line = Self::begin(format, now, level, application);
        match format {
            LogFormat::Text => line.value(message),
            LogFormat::Json => line.field("message", message),
        }
        line
    }

    /// A line with what a program says. In text, it stands in quotes, so that it cannot look like
    /// the host's own words.
    pub(super) fn of_program(
        format: LogFormat,
        now: SystemTime,
        level: LogLevel,
        application: &str,
        says: &dyn fmt::Display,
    ) -> Self {
        let mut line = Self::begin(format, now, level, Some(application));
        match format {
            LogFormat::Text => {
                line.text.push('"');
                line.escaped(says, Style::Quoted);
                line.text.push('"');
            }
            LogFormat::Json => line.field("message", says),
        }
        line
    }

    /// What all lines begin with.
    fn begin(
        format: LogFormat,
        now: SystemTime,
        level: LogLevel,
        application: Option<&str>,
    ) -> Self {
        let mut line = Self {
            format,
            text: String::with_capacity(200),
        };
        let now = humantime::format_rfc3339_millis(now);
        let level = match level {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
        };
        match format {
            LogFormat::Text => {
                line.plain(format_args!("{now} {level} "));
                if let Some(application) = application {
                    line.value(&application);
                    line.plain(format_args!(": "));
                }
            }
            LogFormat::Json => {
                line.plain(format_args!("{{\"time\":\"{now}\",\"level\":\"{level}\""));
                if let Some(application) = application {
                    line.field("application", &application);
                }
            }
        }
        line
    }

    /// Adds a value with a name. The name is one of this crate.
    pub(super) fn field(&mut self, name: &'static str, value: &dyn fmt::Display) {
        match self.format {
            LogFormat::Text => {
                self.plain(format_args!(" {name}="));
                self.value(value);
            }
            LogFormat::Json => {
                self.plain(format_args!(",\"{name}\":\""));
                self.value(value);
                self.text.push('"');
            }
        }
    }

    /// Adds a value that a client has written. In text, it stands in quotes, so that it cannot look
    /// like other fields.
    pub(super) fn quoted(&mut self, name: &'static str, value: &dyn fmt::Display) {
        match self.format {
            LogFormat::Text => {
                self.plain(format_args!(" {name}=\""));
                self.escaped(value, Style::Quoted);
                self.text.push('"');
            }
            LogFormat::Json => self.field(name, value),
        }
    }

    /// Adds a number with a name.
    pub(super) fn number(&mut self, name: &'static str, value: impl fmt::Display) {
        match self.format {
            LogFormat::Text => self.plain(format_args!(" {name}={value}")),
            LogFormat::Json => self.plain(format_args!(",\"{name}\":{value}")),
        }
    }

    /// The bytes so far.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// The whole line, with its end.
    pub(super) fn finish(mut self) -> String {
        if self.format == LogFormat::Json {
            self.text.push('}');
        }
        self.text.push('\n');
        self.text
    }

    fn plain(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(text);
    }

    fn value(&mut self, value: &dyn fmt::Display) {
        let style = match self.format {
            LogFormat::Text => Style::Plain,
            LogFormat::Json => Style::Json,
        };
        self.escaped(value, style);
    }

    fn escaped(&mut self, value: &dyn fmt::Display, style: Style) {
        let mut escaped = Escaped {
            style,
            end: self.text.len().saturating_add(MAX_VALUE),
            text: &mut self.text,
        };
        if write!(escaped, "{value}").is_err() {
            self.text.push('…');
        }
    }
}

/// How a value stands in a line.
#[derive(Clone, Copy)]
enum Style {
    /// As it is.
    Plain,
    /// In quotes, in a line of text.
    Quoted,
    /// In quotes, in JSON.
    Json,
}

/// Escapes what is written to it, until there is no room.
struct Escaped<'t> {
    style: Style,
    /// The most bytes that the line may have then.
    end: usize,
    text: &'t mut String,
}

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        for c in more.chars() {
            let before = self.text.len();
            match (self.style, c) {
                (Style::Json | Style::Quoted, '"' | '\\') => {
                    self.text.push('\\');
                    self.text.push(c);
                }
                (Style::Json, c) if edgec_pages::is_hidden(c) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        write!(self.text, "\\u{unit:04x}")?;
                    }
                }
                (Style::Plain | Style::Quoted, c) if edgec_pages::is_hidden(c) => {
                    self.text.extend(c.escape_unicode());
                }
                (_, c) => self.text.push(c),
            }
            // A control character takes six bytes in JSON.
            if self.text.len() > self.end {
                self.text.truncate(before);
                return Err(fmt::Error);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOSTILE: &str = "a\n\"b\\\u{1b}[2J\u{202e}\u{e0001}é";

    fn line(format: LogFormat, message: &str) -> String {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_500);
        let application = Some("acme/shop");
        let mut line = Line::new(format, now, LogLevel::Warn, application, &message);
        line.field("export", &"f\r\n");
        line.number("status", 500);
        line.finish()
    }

    #[test]
    fn text_is_one_line() {
        assert_eq!(
            line(LogFormat::Text, HOSTILE),
            "1970-01-01T00:00:01.500Z warn acme/shop: a\\u{a}\"b\\\\u{1b}[2J\\u{202e}\\u{e0001}é \
             export=f\\u{d}\\u{a} status=500\n"
        );
    }

    #[test]
    fn json_is_an_object() {
        let line = line(LogFormat::Json, HOSTILE);
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.bytes().all(|byte| byte == b'\n' || byte >= b' '));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["message"], HOSTILE);
        assert_eq!(value["application"], "acme/shop");
        assert_eq!(value["export"], "f\r\n");
        assert_eq!(value["status"], 500);
        assert_eq!(value["time"], "1970-01-01T00:00:01.500Z");
    }

    #[test]
    fn an_endless_value_is_cut() {
        for (format, text) in [
            (LogFormat::Json, "x"),
            (LogFormat::Json, "\u{1}"),
            (LogFormat::Text, "\u{e0001}"),
        ] {
            let line = line(format, &text.repeat(100_000));
            assert!(line.len() < MAX_VALUE + 200, "{}", line.len());
            assert!(line.contains('…'));
        }
        assert!(line(LogFormat::Json, &"x".repeat(100_000)).contains("x…\""));
    }

    #[test]
    fn a_program_speaks_in_quotes() {
        let said = |format| {
            let (now, level) = (SystemTime::UNIX_EPOCH, LogLevel::Info);
            let says = "a\" outcome=answered";
            Line::of_program(format, now, level, "acme/shop", &says).finish()
        };
        assert_eq!(
            said(LogFormat::Text),
            "1970-01-01T00:00:00.000Z info acme/shop: \"a\\\" outcome=answered\"\n"
        );
        let value: serde_json::Value = serde_json::from_str(&said(LogFormat::Json)).unwrap();
        assert_eq!(value["message"], "a\" outcome=answered");
    }
}
