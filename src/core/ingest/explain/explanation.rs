//! The explanation of one input.

use crate::ingest::explain::column::Column;
use crate::ingest::explain::event_profile::EventProfile;
use crate::ingest::explain::proposal::{Proposal, propose};
use crate::input_format::Mapping;

/// What a dry run understood of one input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// The input, as it was named.
    pub input: String,
    /// Its format and dialect, such as `CSV` and `delimiter ;`.
    pub format: Vec<String>,
    pub columns: Vec<Column>,
    /// A mapping file with the mapping in use, or the proposed one.
    pub mapping_file: String,
    /// A mapping by the names and the content of the columns, where the one in use lacks a required field.
    pub proposal: Option<Proposal>,
    pub events: EventProfile,
}

/// Returns the explanation of an input with these columns, not yet of its events.
pub(super) fn explain(
    input: &str,
    format: Vec<String>,
    mut columns: Vec<Column>,
    mapping: &Mapping,
) -> Explanation {
    for column in &mut columns {
        column.fields = mapping.fields_of_column(&column.name);
    }
    let is_complete = ["ts", "item_id"]
        .iter()
        .all(|required| columns.iter().any(|column| column.fields.contains(required)));
    let proposal = if is_complete || columns.is_empty() { None } else { propose(&columns) };
    let mapping_file = proposal.as_ref().map_or_else(|| mapping.to_toml(), Proposal::to_toml);
    Explanation {
        input: input.to_owned(),
        format,
        columns,
        mapping_file,
        proposal,
        events: EventProfile::default(),
    }
}
