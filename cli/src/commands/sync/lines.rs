//! The lines that `edgec sync` writes to standard error, in the form of those of `edgec serve`.

use std::time::SystemTime;

use edgec_sync::config::LogFormat;
use edgec_sync::{Level, Report};
use serde::Serialize;

use crate::render::safe;

/// Writes lines as text or as JSON objects.
pub(super) struct Lines(LogFormat);

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    level: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<&'a str>,
    message: &'a str,
}

impl Lines {
    pub(super) fn new(format: LogFormat) -> Self {
        Self(format)
    }

    fn text(&self, now: SystemTime, level: Level, about: Option<&str>, message: &str) -> String {
        let time = humantime::format_rfc3339_millis(now).to_string();
        let level = level.name();
        match self.0 {
            LogFormat::Json => {
                let application = about;
                let line = Line {
                    time,
                    level,
                    application,
                    message,
                };
                // Its values are texts.
                serde_json::to_string(&line).unwrap_or_default()
            }
            _ => {
                let message = safe(message);
                match about {
                    Some(about) => format!("{time} {level} {}: {message}", safe(about)),
                    None => format!("{time} {level} {message}"),
                }
            }
        }
    }
}

impl Report for Lines {
    fn line(&self, level: Level, application: Option<&str>, message: &str) {
        eprintln!(
            "{}",
            self.text(SystemTime::now(), level, application, message)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line() {
        let line = |format, about| {
            let now = SystemTime::UNIX_EPOCH;
            Lines(format).text(now, Level::Warn, about, "a\nb \"c\"")
        };
        assert_eq!(
            line(LogFormat::Text, Some("shop@stable")),
            "1970-01-01T00:00:00.000Z warn shop@stable: a\\u{a}b \"c\""
        );
        assert_eq!(
            line(LogFormat::Json, None),
            r#"{"time":"1970-01-01T00:00:00.000Z","level":"warn","message":"a\nb \"c\""}"#
        );
        let json = line(LogFormat::Json, Some("shop"));
        assert!(json.contains(r#""application":"shop""#), "{json}");
    }
}
