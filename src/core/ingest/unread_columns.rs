//! Columns that are not read though their names say that they may be a field's.
//!
//! Where the column of the quantity is not found, each line counts one unit, and nothing else shows it.

use crate::ingest::fields::{FIELDS, QUANTITY, VERSION};
use crate::ingest::notices::NoticeKind;
use crate::input_format::Mapping;

/// The names that a column of quantities has elsewhere, in lower case and without anything but letters.
const QUANTITIES: [&str; 7] =
    ["qty", "lineitemquantity", "quantitypurchased", "quantityordered", "orderedquantity", "units", "pieces"];

/// Returns the columns that may be those of fields which no column has, and why.
pub(super) fn unread_columns(names: &[String], mapping: &Mapping) -> Vec<(NoticeKind, String)> {
    let mut found = Vec::new();
    let is_read = |name: &String| !mapping.fields_of_column(name).is_empty() || mapping.option_reads(name);
    // Logs have versions of other things.
    let fields = mapping.unmapped().filter(|field| *field != FIELDS[VERSION]);
    let missing = fields.filter(|field| !names.iter().any(|name| name == field));
    for field in missing {
        let is_same = |name: &&String| name.eq_ignore_ascii_case(field);
        let is_known = |name: &&String| {
            let letters = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase);
            field == FIELDS[QUANTITY] && QUANTITIES.contains(&letters.collect::<String>().as_str())
        };
        let of_case = names.iter().find(|name| is_same(name) && !is_read(name));
        let column = of_case.or_else(|| names.iter().find(|name| is_known(name) && !is_read(name)));
        if let Some(name) = column {
            let kind = NoticeKind::UnreadColumn { field, is_same_name: of_case.is_some() };
            found.push((kind, name.clone()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], map: &[&str], expected: &[(&str, &str)]) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let words: Vec<String> = map.iter().map(|word| (*word).to_owned()).collect();
        let mapping = Mapping::of(FIELDS, &words).expect("it is a mapping");
        let found: Vec<(&str, String)> = unread_columns(&names, &mapping)
            .into_iter()
            .filter_map(|(kind, name)| match kind {
                NoticeKind::UnreadColumn { field, .. } => Some((field, name)),
                _ => None,
            })
            .collect();
        let found: Vec<(&str, &str)> = found.iter().map(|(field, name)| (*field, name.as_str())).collect();
        assert_eq!(found, expected, "{names:?}");
    }

    #[test]
    fn a_column_with_nearly_the_name_of_a_field_is_found() {
        check(&["ts", "item_id", "quantity"], &[], &[]);
        check(&["ts", "item_id", "Qty"], &[], &[("quantity", "Qty")]);
        check(&["ts", "item_id", "Quantity"], &[], &[("quantity", "Quantity")]);
        check(&["ts", "item_id", "Qty"], &["quantity=Qty"], &[]);
        check(&["ts", "item_id", "qty", "price"], &["amount=price * qty"], &[]);
        check(&["TS", "item_id"], &[], &[("ts", "TS")]);
        check(&["ts", "item_id", "count", "unit"], &[], &[]);
    }
}
