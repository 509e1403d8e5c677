//! A whole page: its head, its policy, its one style and its one script.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::Text;

/// The style of all pages.
const STYLE: &str = include_str!("page.css");

/// The script that draws a treemap over each table of a page that has one
/// (`<div class="map" data-table="ID">`).
pub const TREEMAP: &str = include_str!("treemap.js");

/// A page.
///
/// ```
/// let page = edgec_pages::Page {
///     title: "a <b>",
///     generator: "edgec",
///     script: "",
///     body: format!("<h1>{}</h1>\n", edgec_pages::Text("a <b>")),
/// };
/// assert!(page.render().contains("<h1>a &lt;b&gt;</h1>"));
/// ```
#[derive(Clone, Debug)]
pub struct Page<'a> {
    /// The title; any text.
    pub title: &'a str,
    /// What made the page; any text. Readers recognise the page by it.
    pub generator: &'a str,
    /// The script: one of this crate, or none if it is empty. It must not contain `</script`.
    pub script: &'static str,
    /// The content: HTML, in which every foreign text is a [`Text`].
    pub body: String,
}

impl Page<'_> {
    /// The Content Security Policy of the page (W3C, Content Security Policy Level 3). It also fits
    /// the header `Content-Security-Policy`.
    pub fn policy(&self) -> String {
        let style = digest(STYLE);
        let script = match self.script {
            "" => "'none'".to_owned(),
            script => digest(script),
        };
        format!(
            "default-src 'none'; style-src {style}; script-src {script}; base-uri 'none'; form-action 'none'"
        )
    }

    /// The page as HTML, in UTF-8. The same values give the same text.
    pub fn render(&self) -> String {
        let (title, generator) = (Text(self.title), Text(self.generator));
        let script = match self.script {
            "" => String::new(),
            script => format!("<script>{script}</script>\n"),
        };
        // The policy stands in front of what it governs. It has single quotes only.
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"generator\" content=\"{generator}\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{}{script}</body>\n</html>\n",
            self.policy(),
            self.body,
        )
    }
}

/// The source expression for an element with this content.
fn digest(content: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(content)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(script: &'static str) -> Page<'static> {
        Page {
            title: "</title><script>",
            generator: "a \"b\"",
            script,
            body: "<p>x</p>\n".to_owned(),
        }
    }

    #[test]
    fn a_page_allows_its_own_style_and_script_alone() {
        let html = page(TREEMAP).render();
        assert_eq!(html.matches("<script").count(), 1);
        assert_eq!(html.matches("<style").count(), 1);
        assert!(html.contains("<title>&lt;/title&gt;&lt;script&gt;</title>"));
        assert!(html.contains("content=\"a &quot;b&quot;\""));
        let policy = page(TREEMAP).policy();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"));
        assert!(html.contains(&format!("content=\"{policy}\"")) && !policy.contains("unsafe"));
        assert!(page("").policy().contains("script-src 'none';"));
    }

    /// The parts of this crate end where the page ends them, and fetch nothing.
    #[test]
    fn style_and_script_stay_in_their_elements() {
        for part in [STYLE, TREEMAP] {
            assert!(!part.contains("</") && !part.contains("<!--") && !part.is_empty());
            let fetches = [
                "url(",
                "@import",
                "fetch(",
                "XMLHttp",
                "innerHTML",
                "import(",
            ];
            for word in fetches {
                assert!(!part.contains(word), "{word}");
            }
        }
    }
}
