//! What a ranking and a plan of one did, as lines for people.

use std::io::{self, Write};
use std::path::Path;

use topsell_core::distributed::Plan;
use topsell_core::model::escape_control;
use topsell_core::rankings::{Preview, Published, PublishedItemTotals, Unmoved};
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
    published.unmoved.as_ref().map_or(Ok(()), |unmoved| write_unmoved(unmoved, "shows", out))?;
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

/// Writes what would be published.
///
/// # Errors
/// Fails where the output does.
pub fn write_preview(preview: &Preview, out: &mut dyn Write) -> io::Result<()> {
    let categories = counted(preview.categories, "category", "categories");
    let (rows, name) = (counted(preview.rows, "row", "rows"), &preview.name);
    writeln!(out, "rank: dry run, {categories}, {rows} would be published as `{name}`")?;
    preview.unmoved.as_ref().map_or(Ok(()), |unmoved| write_unmoved(unmoved, "would show", out))
}

/// Writes that a ranking was written into a file.
///
/// # Errors
/// Fails where the output does.
pub fn write_file(file: &Path, rows: u64, size_bytes: u64, out: &mut dyn Write) -> io::Result<()> {
    let (rows, file) = (counted(rows, "row", "rows"), escape_control(&file.display().to_string()));
    writeln!(out, "rank: {rows}, {} in {file}; nothing was published", size(size_bytes))
}

/// Writes that a name shows another ranking than the new one, and why.
fn write_unmoved(
    Unmoved { name, shown, differing }: &Unmoved,
    shows: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    write!(out, "warning: the name `{name}` still {shows} the ")?;
    if differing.is_empty() {
        return writeln!(out, "newer ranking as of {shown}; to show the new one, pass --promote");
    }
    let options = differing.join(", ");
    writeln!(
        out,
        "ranking as of {shown}, made with another {options}; to show the new one, pass --promote, or --name to \
         publish it under a name of its own"
    )
}
