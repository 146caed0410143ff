//! What a ranking and a plan of one did, as lines for people.

use std::io::{self, Write};
use std::path::Path;

use topsell_core::distributed::Plan;
use topsell_core::model::escape_control;
use topsell_core::rankings::{Published, PublishedItemTotals};
use topsell_output::text::{counted, size};

/// Writes what was published.
///
/// # Errors
/// Fails where the output does.
pub fn write(
    published: &Published,
    totals: Option<&PublishedItemTotals>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let categories = counted(published.categories, "category", "categories");
    let rows = counted(published.rows, "row", "rows");
    let named = published.named.map(|named| format!(", {named} of them named")).unwrap_or_default();
    let (size_bytes, file) = (&published.size_bytes, &published.file);
    writeln!(out, "rank: {categories}, {rows}{named}, {} in {file}", size(*size_bytes))?;
    let Some(totals) = totals else { return Ok(()) };
    let rows = counted(totals.rows, "row", "rows");
    writeln!(out, "totals: {rows}, {} in {}", size(totals.size_bytes), totals.file)
}

/// Writes what a plan has.
///
/// # Errors
/// Fails where the output does.
pub fn write_plan(plan: &Plan, file: &Path, out: &mut dyn Write) -> io::Result<()> {
    let round = plan.round();
    let what = match round.is_for_multi_category_items() {
        true => "items in several categories".to_owned(),
        false => format!("{} hours", round.window_hours()),
    };
    let (parts, rows) = (counted(plan.parts() as u64, "part", "parts"), plan.rows());
    let rows = counted(rows, "row", "rows");
    writeln!(out, "plan: {what}, {parts}, {rows}, in {}", escape_control(&file.display().to_string()))
}
