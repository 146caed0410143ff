//! A published ranking as one page of HTML: to look at, to click through, to search and to print.
//!
//! Invariant: the page needs nothing but itself, and what came from outside is text in it.
//!
//! ```text
//! page.html     markup, with a policy that lets no script run but the page's own
//!   facts       JSON: how the ranking was made, and a directory of the categories
//!   part-0      the first categories' rows, packed; see `part`
//!   script      draws what the address asks for, and unpacks the part that it is in
//!   part-1 …    the others
//! ```
//!
//! So a page of a million rows is read as one text, and only what is looked at is unpacked.

mod facts;
mod part;
mod template;

use topsell_core::model::Timestamp;
use topsell_core::rankings::SnapshotError;
use topsell_core::trends::Trends;

use facts::PageFacts;
use part::Packer;
use template::Content;

/// The title of a page without `--title`.
const TITLE: &str = "Best sellers";

/// A page, and how many categories and rows it has.
pub struct Page {
    pub html: String,
    pub categories: u64,
    pub rows: u64,
}

/// Returns the page of a ranking that is written now.
///
/// The same rankings, title and moment give the same page.
///
/// # Errors
/// Fails where the ranking cannot be read.
pub fn page(charts: &Trends, title: Option<&str>, now: Timestamp) -> Result<Page, SnapshotError> {
    let title = title.filter(|title| !title.trim().is_empty()).unwrap_or(TITLE);
    let facts = charts.current().metadata();
    let mut packer = Packer::new(facts.by, facts.window_hours);
    let (mut categories, mut rows) = (0, 0);
    charts.each::<SnapshotError>(&mut |chart| {
        categories += 1;
        rows += chart.places.len() as u64;
        packer.add(&chart);
        Ok(())
    })?;
    let (directory, parts) = packer.finish();
    let facts = PageFacts::of(charts, &directory, title, now);
    let facts = serde_json::to_string(&facts).expect("facts are plain texts and numbers");
    Ok(Page { html: template::page(&Content { title, facts: &facts, parts: &parts }), categories, rows })
}
