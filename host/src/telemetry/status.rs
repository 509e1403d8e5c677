//! The status page: what a host serves, in which versions, signed by whom, and how fast.

use std::fmt::{self, Write as _};

use edgec_pages::{Page, Text, end_table, table};

use super::histogram::{BOUNDS, Seen};
use super::metrics::{Counted, Metrics, OUTCOMES};

/// The `Content-Type` of the page.
pub(super) const CONTENT_TYPE: &str = "text/html; charset=utf-8";

/// From one bar to the next.
const STEP: usize = 58;

/// The page as it is now, with the requests that wait.
pub(super) fn page(metrics: &Metrics, waiting: usize) -> String {
    let mut body = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut body, metrics, waiting);
    let page = Page {
        title: "edgec serve",
        generator: "edgec serve",
        script: "",
        body,
    };
    page.render()
}

fn write(out: &mut String, metrics: &Metrics, waiting: usize) -> fmt::Result {
    let applications = metrics.applications();
    let instantiation = metrics.instantiation.seen();
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "none yet".to_owned());
    writeln!(
        out,
        "<main>\n<h1>edgec serve {}</h1>\n<p>Applications: {}. Requests that wait: {waiting}. Instances that were \
         made: {}, half of them in {}.</p>\n<p class=\"dim\">The state when the page was asked for. Reload it for a newer \
         one.</p>",
        Text(env!("CARGO_PKG_VERSION")),
        applications.len(),
        instantiation.count,
        Text(&or_none(instantiation.quantile(0.5))),
    )?;
    writeln!(out, "<h2>Applications</h2>")?;
    let columns = [
        ("Application", false),
        ("Version", true),
        ("Signed by", false),
        ("Running", true),
        ("Requests", true),
        ("Not answered", true),
        ("Half are", true),
        ("99 of 100 are", true),
    ];
    table(out, ("Applications", ""), &columns)?;
    for it in &applications {
        row(out, it)?;
    }
    end_table(out)?;
    for (number, it) in applications.iter().enumerate() {
        write_times(out, number, it)?;
    }
    writeln!(out, "</main>")
}

fn row(out: &mut String, it: &Counted) -> fmt::Result {
    let (version, signers) = match it.version() {
        None => ("not loaded".to_owned(), "-".to_owned()),
        Some(in_use) => {
            let signers = in_use.signers.iter().map(|(name, id)| {
                // The beginning tells keys apart; the metrics have the whole id.
                format!("{name} ({})", id.get(..16).unwrap_or(id))
            });
            (
                in_use.version.to_string(),
                signers.collect::<Vec<_>>().join(", "),
            )
        }
    };
    let outcomes = it.outcomes();
    let all: u64 = outcomes.iter().sum();
    let others = OUTCOMES.iter().zip(outcomes).skip(1);
    let others: Vec<String> = others
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    let others = match others.as_slice() {
        [] => "0".to_owned(),
        others => others.join(", "),
    };
    let seen = it.duration.seen();
    let quantile = |part| seen.quantile(part).unwrap_or_else(|| "-".to_owned());
    writeln!(
        out,
        "<tr><th scope=\"row\">{}</th><td class=\"r\">{version}</td><td>{}</td><td class=\"r\">{}</td>\
         <td class=\"r\">{all}</td><td class=\"r\">{others}</td><td class=\"r\">{}</td><td class=\"r\">{}</td></tr>",
        Text(it.name()),
        Text(&signers),
        it.running(),
        Text(&quantile(0.5)),
        Text(&quantile(0.99)),
    )
}

/// The times of the requests of an application, as bars, with a table of the same values.
fn write_times(out: &mut String, number: usize, it: &Counted) -> fmt::Result {
    let seen = it.duration.seen();
    if seen.count == 0 {
        return Ok(());
    }
    writeln!(
        out,
        "<section aria-labelledby=\"a{number}\">\n<h3 id=\"a{number}\">Times of {}</h3>",
        Text(it.name())
    )?;
    let buckets = buckets(&seen);
    let most = buckets.iter().map(|(_, count)| *count).max().unwrap_or(1);
    // A few bars are not wider than many.
    let width = buckets.len().max(BOUNDS.len()) * STEP;
    writeln!(
        out,
        "<div class=\"map bars\"><svg viewBox=\"0 0 {width} 120\" role=\"img\" \
         aria-label=\"Bars of the table below\">"
    )?;
    for (place, (bound, count)) in buckets.iter().enumerate() {
        let height = *count as f64 / most.max(1) as f64 * 96.0;
        let (x, y) = (place * STEP + 2, 100.0 - height);
        let bound = Text(bound);
        writeln!(
            out,
            "<g><title>{bound}: {count}</title><rect x=\"{x}\" y=\"{y:.1}\" width=\"52\" height=\"{height:.1}\">\
             </rect><text x=\"{x}\" y=\"114\">{bound}</text></g>"
        )?;
    }
    writeln!(out, "</svg></div>")?;
    table(out, ("Times", ""), &[("Time", false), ("Requests", true)])?;
    for (bound, count) in &buckets {
        let bound = Text(bound);
        writeln!(
            out,
            "<tr><th scope=\"row\">{bound}</th><td class=\"r\">{count}</td></tr>"
        )?;
    }
    end_table(out)?;
    writeln!(out, "</section>")
}

/// The buckets from the first to the last that has any requests.
fn buckets(seen: &Seen) -> Vec<(String, u64)> {
    let all: Vec<(String, u64)> = seen.buckets().collect();
    let is_used = |(_, count): &(String, u64)| *count > 0;
    let first = all.iter().position(is_used).unwrap_or(0);
    let last = all.iter().rposition(is_used).map_or(0, |last| last + 1);
    all.get(first..last).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use http::StatusCode;

    use super::super::metrics::{Counted, InUse};
    use super::*;
    use crate::{Limit, Outcome};

    const HOSTILE: &str = "</td><script>alert(1)</script>";

    /// Metrics, and who counts for the applications.
    fn metrics() -> (Metrics, [Arc<Counted>; 3]) {
        let metrics = Metrics::default();
        let names = ["acme/shop", HOSTILE, "acme/new"];
        let applications = names.map(|name| metrics.application(name));
        for it in applications.iter().take(2) {
            for micros in [80, 90, 400, 700, 900, 1_200, 3_000, 20_000] {
                it.started.fetch_add(1, Ordering::Relaxed);
                it.finished(
                    StatusCode::OK,
                    Duration::from_micros(micros),
                    Outcome::Answered,
                );
            }
            it.started.fetch_add(2, Ordering::Relaxed);
            let took = Duration::from_secs(70);
            it.finished(
                StatusCode::GATEWAY_TIMEOUT,
                took,
                Outcome::Limited(Limit::WallTime),
            );
            metrics.in_use(it, InUse::sample());
        }
        metrics.instantiation.observe(Duration::from_micros(80));
        (metrics, applications)
    }

    fn shown() -> String {
        let (metrics, _applications) = metrics();
        page(&metrics, 0)
    }

    #[test]
    fn the_page_shows_every_application_as_text() {
        let html = shown();
        assert!(!html.contains("<script") && html.contains("&lt;/td&gt;&lt;script&gt;"));
        assert!(html.contains("script-src 'none'"));
        for text in [
            "Applications: 3.",
            "not loaded",
            "1 limited",
            "&gt; 60 s: 1",
            "≤ 1 ms",
        ] {
            assert!(html.contains(text), "{text}");
        }
        // An application without requests has no times.
        assert_eq!(html.matches("<svg").count(), 2);
    }

    #[test]
    fn bars_have_all_requests() {
        let (_, [it, ..]) = metrics();
        let buckets = buckets(&it.duration.seen());
        assert_eq!(buckets.iter().map(|(_, count)| count).sum::<u64>(), 9);
        assert_eq!(buckets.first().unwrap().0, "≤ 100 µs");
    }

    /// `golden.html` is what `tests/pages/telemetry.py` opens in a browser. `BLESS=1` writes it.
    #[test]
    fn the_page_is_the_golden_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/telemetry/golden.html");
        let page = shown();
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        let golden = std::fs::read_to_string(path).unwrap();
        assert!(page == golden, "BLESS=1 writes the page");
    }
}
