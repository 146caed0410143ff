//! The columns of the first records of an input, each with its first values.

use std::collections::HashMap;

use serde_json::Value;

use crate::ingest::explain::column::Column;

/// The number of records by which columns are described.
pub(super) const SAMPLED_RECORDS: usize = 200;
/// The maximum number of columns that are described.
const MAX_COLUMNS: usize = 200;
/// How deep keys are followed.
const MAX_DEPTH: usize = 8;

/// Returns the columns of records, the first of which are their names.
pub(in crate::ingest) fn sample_delimited(records: impl Iterator<Item = Vec<String>>) -> Vec<Column> {
    let mut records = records.take(SAMPLED_RECORDS + 1);
    let Some(names) = records.next() else { return Vec::new() };
    let mut columns: Vec<Column> =
        names.iter().take(MAX_COLUMNS).map(|name| Column::named(name.trim())).collect();
    for record in records {
        columns.iter_mut().zip(&record).for_each(|(column, value)| column.add(value));
    }
    columns
}

/// Returns the paths of the keys of JSON objects; `[]` stands for each element of an array.
pub(in crate::ingest) fn sample_json<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Column> {
    let mut columns = JsonColumns::default();
    for line in lines.take(SAMPLED_RECORDS) {
        if let Ok(value @ Value::Object(_)) = serde_json::from_str(line) {
            columns.add(&value, String::new(), 0);
        }
    }
    columns.columns
}

#[derive(Default)]
struct JsonColumns {
    columns: Vec<Column>,
    by_name: HashMap<String, usize>,
}

impl JsonColumns {
    fn add(&mut self, value: &Value, path: String, depth: usize) {
        match value {
            Value::Object(keys) if depth < MAX_DEPTH => {
                for (key, value) in keys {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    self.add(value, path, depth + 1);
                }
            }
            Value::Array(elements) if depth < MAX_DEPTH => {
                elements.iter().for_each(|element| self.add(element, format!("{path}[]"), depth + 1));
            }
            Value::Null => self.add_text(path, ""),
            Value::String(text) => self.add_text(path, text),
            other => self.add_text(path, &other.to_string()),
        }
    }

    fn add_text(&mut self, path: String, text: &str) {
        let at = match self.by_name.get(&path) {
            Some(at) => *at,
            None if self.columns.len() == MAX_COLUMNS => return,
            None => {
                self.columns.push(Column::named(&path));
                self.by_name.insert(path, self.columns.len() - 1);
                self.columns.len() - 1
            }
        };
        self.columns[at].add(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(columns: &[Column]) -> Vec<String> {
        columns.iter().map(|column| format!("{}: {}", column.name, column.samples.join(" "))).collect()
    }

    #[test]
    fn columns_have_their_first_different_values() {
        let record = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        let records = ["ts, sku,x", "1,a", "1,b,", "2,a,y", "3,c", "4,d"].map(record);
        let columns = sample_delimited(records.into_iter());
        assert_eq!(shown(&columns), ["ts: 1 2 3", "sku: a b c", "x: y"]);
        assert_eq!(sample_delimited(std::iter::empty()), []);
    }

    #[test]
    fn keys_are_paths() {
        let lines = [
            r#"{"a":{"b":1},"items":[{"sku":"x"},{"sku":"y"}]}"#,
            "nonsense",
            r#"{"a":{"b":null,"c":true}}"#,
        ];
        let columns = sample_json(lines.into_iter());
        assert_eq!(shown(&columns), ["a.b: 1", "items[].sku: x y", "a.c: true"]);
    }
}
