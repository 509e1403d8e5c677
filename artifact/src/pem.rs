//! PEM as OpenSSL reads it, converted to the one form that the parsers of keys read (RFC 7468,
//! "strict").
//!
//! It reads like OpenSSL 3 (`PEM_read_bio`, crypto/pem/pem_lib.c): a byte-order mark, lines of any
//! length, white space at their ends and among the data, CRLF, and text before and after the
//! document are allowed. Everything else is an error that names the line. So is a second key,
//! although OpenSSL would take the first: edgec does not guess which key is meant.

/// Why a text has no PEM document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// No `-----BEGIN ...-----` line with the wanted label.
    #[error("there is no line `-----BEGIN {wanted}-----`")]
    NoBegin {
        /// The label that is wanted.
        wanted: &'static str,
    },
    /// The document begins in the middle of a line.
    #[error(
        "line {line} is indented: `-----BEGIN` and `-----END` stand at the beginning of their lines"
    )]
    Indented {
        /// The line, from 1.
        line: usize,
    },
    /// The document stands on one line.
    #[error(
        "line {line} holds more than `-----BEGIN ...-----`: the line breaks of the document are missing"
    )]
    OneLine {
        /// The line, from 1.
        line: usize,
    },
    /// Line breaks that were written as a backslash and an `n`.
    #[error("the line breaks are written as `\\n`: replace them with real ones (`printf '%b'`)")]
    Escaped,
    /// The document's end is missing.
    #[error("the document was cut off: there is no line `-----END ...-----` after line {line}")]
    NoEnd {
        /// Where the document begins, from 1.
        line: usize,
    },
    /// The label at the end differs from the one at the beginning.
    #[error("line {line} ends a document of another kind")]
    OtherEnd {
        /// The line, from 1.
        line: usize,
    },
    /// A private key with a passphrase, in the form of OpenSSL before version 1.0.
    #[error(
        "line {line} is a header (such as `Proc-Type`): write the key again with `openssl pkcs8 -topk8`"
    )]
    Header {
        /// The line, from 1.
        line: usize,
    },
    /// Text other than base64 where the data should be.
    #[error("line {line} is not base64")]
    Data {
        /// The line, from 1.
        line: usize,
    },
    /// There are two documents, and either could be meant.
    #[error("there is a second document at line {line}: keep only one")]
    Second {
        /// Where the second begins, from 1.
        line: usize,
    },
    /// There are more documents than a signer has keys.
    #[error("there is one document too many at line {line}: keep one for each algorithm")]
    TooMany {
        /// Where the first that is too many begins, from 1.
        line: usize,
    },
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
/// RFC 7468, section 2: generators write lines of 64 characters.
const WIDTH: usize = 64;

/// Finds the one document whose label `fits`, and writes it into `tidy` with the line breaks that a
/// strict parser requires. `tidy` should be empty. `wanted` is the label for the message. The
/// caller owns the buffer, so that it can wipe it: the buffer does not grow if it has room for
/// twice the text.
///
/// # Errors
/// [`PemError`]. It does not repeat any of the text.
pub fn tidy_pem(
    text: &str,
    wanted: &'static str,
    fits: impl Fn(&str) -> bool,
    tidy: &mut String,
) -> Result<(), PemError> {
    tidy_pems(text, wanted, fits, 1, tidy)
}

/// Like [`tidy_pem`], for at least one and at most `most` documents, one after the other.
/// [`split_pems`] separates them.
///
/// # Errors
/// [`PemError`]. It does not repeat any of the text.
pub fn tidy_pems(
    text: &str,
    wanted: &'static str,
    fits: impl Fn(&str) -> bool,
    most: usize,
    tidy: &mut String,
) -> Result<(), PemError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().zip(1..);
    let mut found = 0;
    while let Some((line, number)) = lines.next() {
        let Some(label) = begin(line, number)? else {
            continue;
        };
        if !fits(label) {
            skip(&mut lines, number)?;
            continue;
        }
        if found == most {
            return Err(match most {
                1 => PemError::Second { line: number },
                _ => PemError::TooMany { line: number },
            });
        }
        found += 1;
        for part in [BEGIN, label, DASHES, "\n"] {
            tidy.push_str(part);
        }
        body(&mut lines, number, label, tidy)?;
    }
    match found {
        0 => Err(PemError::NoBegin { wanted }),
        _ => Ok(()),
    }
}

/// The documents that [`tidy_pems`] has written, each with its final newline.
pub fn split_pems(tidy: &str) -> impl Iterator<Item = &str> {
    // Only the last line of a document begins like this.
    let mut rest = tidy;
    std::iter::from_fn(move || {
        let end = rest.find(END)?;
        let line = rest.get(end..)?.find('\n')?;
        let (document, behind) = rest.split_at_checked(end + line + 1)?;
        rest = behind;
        Some(document)
    })
}

/// The label of a line that begins a document.
fn begin(line: &str, number: usize) -> Result<Option<&str>, PemError> {
    let line = line.trim_end();
    let Some(rest) = line.strip_prefix(BEGIN) else {
        if line.trim_start().starts_with(BEGIN) {
            return Err(PemError::Indented { line: number });
        }
        return Ok(None);
    };
    match rest.split_once(DASHES) {
        Some((label, "")) => Ok(Some(label)),
        Some((_, behind)) if behind.starts_with('\\') => Err(PemError::Escaped),
        _ => Err(PemError::OneLine { line: number }),
    }
}

/// Skips a document that is not wanted.
fn skip<'t>(
    lines: &mut impl Iterator<Item = (&'t str, usize)>,
    begin: usize,
) -> Result<(), PemError> {
    let mut rest = lines
        .by_ref()
        .skip_while(|(line, _)| !line.starts_with(END));
    rest.next().map(drop).ok_or(PemError::NoEnd { line: begin })
}

/// Copies the data and the end of a document.
fn body<'t>(
    lines: &mut impl Iterator<Item = (&'t str, usize)>,
    begin: usize,
    label: &str,
    tidy: &mut String,
) -> Result<(), PemError> {
    let mut column = 0;
    for (line, number) in lines {
        let line = line.trim_end();
        if let Some(end) = line.strip_prefix(END) {
            if end.strip_suffix(DASHES) != Some(label) {
                return Err(PemError::OtherEnd { line: number });
            }
            if column > 0 {
                tidy.push('\n');
            }
            for part in [END, label, DASHES, "\n"] {
                tidy.push_str(part);
            }
            return Ok(());
        }
        if line.trim_start().starts_with(DASHES) {
            return Err(PemError::Indented { line: number });
        }
        if line.contains(':') {
            return Err(PemError::Header { line: number });
        }
        for c in line.chars().filter(|c| !c.is_ascii_whitespace()) {
            if !c.is_ascii_alphanumeric() && !matches!(c, '+' | '/' | '=') {
                return Err(PemError::Data { line: number });
            }
            if column == WIDTH {
                tidy.push('\n');
                column = 0;
            }
            tidy.push(c);
            column += 1;
        }
    }
    Err(PemError::NoEnd { line: begin })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";

    fn document(label: &str, body: &str) -> String {
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    }

    fn tidy(text: &str) -> Result<String, PemError> {
        let mut tidy = String::new();
        tidy_pem(text, "KEY", |label| label == "KEY", &mut tidy)?;
        Ok(tidy)
    }

    #[test]
    fn what_openssl_reads_comes_out_in_one_form() {
        let plain = document("KEY", BODY);
        let (front, back) = BODY.split_at(31);
        for text in [
            plain.clone(),
            format!("\u{feff}{plain}"),
            plain.replace('\n', "\r\n"),
            plain.replace('\n', " \t\n"),
            plain.trim_end().to_owned(),
            format!("a comment in front\n{plain}a comment behind\n"),
            format!("{}{plain}", document("CERTIFICATE", "abcd")),
            document("KEY", &format!("\n{BODY}")),
            document("KEY", &format!("{front}\n{back}")),
            document("KEY", &format!(" {front} {back}")),
            document(
                "KEY",
                &BODY.chars().map(|c| format!("{c}\n")).collect::<String>(),
            ),
        ] {
            assert_eq!(tidy(&text).as_deref(), Ok(&*plain), "{text}");
        }
        let long = "A".repeat(130);
        let lines = format!("{}\n{}\nAA", "A".repeat(64), "A".repeat(64));
        assert_eq!(tidy(&document("KEY", &long)), Ok(document("KEY", &lines)));
        let even = "A".repeat(128);
        let lines = format!("{}\n{}", "A".repeat(64), "A".repeat(64));
        assert_eq!(tidy(&document("KEY", &even)), Ok(document("KEY", &lines)));
    }

    #[test]
    fn several_documents_are_separated() {
        let (one, two) = (document("KEY", BODY), document("KEY", "AAAA"));
        let mut tidy = String::new();
        let text = format!("{one}between\n{two}");
        tidy_pems(&text, "KEY", |label| label == "KEY", 2, &mut tidy).unwrap();
        assert_eq!(split_pems(&tidy).collect::<Vec<_>>(), [&*one, &*two]);
        let more = tidy_pems(&one.repeat(3), "KEY", |label| label == "KEY", 2, &mut tidy);
        assert_eq!(more, Err(PemError::TooMany { line: 7 }));
        assert_eq!(split_pems("").count(), 0);
    }

    #[test]
    fn each_error_names_its_line() {
        let plain = document("KEY", BODY);
        for (text, error) in [
            ("hello".to_owned(), PemError::NoBegin { wanted: "KEY" }),
            (document("OTHER", BODY), PemError::NoBegin { wanted: "KEY" }),
            (format!(" {plain}"), PemError::Indented { line: 1 }),
            (
                plain.replace("-----END", "  -----END"),
                PemError::Indented { line: 3 },
            ),
            (plain.replace('\n', " "), PemError::OneLine { line: 1 }),
            (plain.replace('\n', "\\n"), PemError::Escaped),
            (
                plain.replace("-----END KEY-----", ""),
                PemError::NoEnd { line: 1 },
            ),
            (
                plain.replace("END KEY", "END OTHER"),
                PemError::OtherEnd { line: 3 },
            ),
            (
                document("KEY", &format!("Proc-Type: 4,ENCRYPTED\n\n{BODY}")),
                PemError::Header { line: 2 },
            ),
            (
                document("KEY", &BODY.replace('A', "*")),
                PemError::Data { line: 2 },
            ),
            (format!("{plain}{plain}"), PemError::Second { line: 4 }),
            (
                "-----BEGIN OTHER-----\nabc".to_owned(),
                PemError::NoEnd { line: 1 },
            ),
        ] {
            assert_eq!(tidy(&text), Err(error), "{text}");
        }
    }
}
