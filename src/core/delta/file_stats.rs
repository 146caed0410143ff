//! Statistics of a file's columns, as a table's log has them.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// The statistics of one file: a JSON text, of which only what is asked for is parsed, since a table has many files.
#[derive(Clone, Debug, Default)]
pub struct FileStats(Option<Box<str>>);

/// The parts of statistics.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parts<'a> {
    #[serde(default)]
    num_records: Value,
    #[serde(borrow, default)]
    null_count: Option<&'a RawValue>,
    #[serde(borrow, default)]
    min_values: Option<&'a RawValue>,
    #[serde(borrow, default)]
    max_values: Option<&'a RawValue>,
}

impl FileStats {
    /// Returns statistics and the number of rows that they tell, 0 where they do not; none where the text is none of
    /// statistics.
    pub(super) fn parse(text: &str) -> Option<(FileStats, u64)> {
        let parts: Option<Parts<'_>> = serde_json::from_str(text).ok()?;
        let rows = parts.and_then(|parts| parts.num_records.as_u64());
        Some((FileStats(Some(text.into())), rows.unwrap_or(0)))
    }

    /// Returns statistics from the numbers of nulls by column, and the least and the greatest values.
    pub fn of(nulls: &Value, least: &Value, most: &Value) -> FileStats {
        let text = serde_json::json!({ "nullCount": nulls, "minValues": least, "maxValues": most });
        FileStats(Some(text.to_string().into()))
    }

    /// Returns the number of rows in which a column has no value; none where that is not told.
    pub fn nulls(&self, column: &str) -> Option<u64> {
        value_of(self.parts()?.null_count, column).as_u64()
    }

    /// Returns the least and the greatest value of a column, null where they are not told. Of a text these are the
    /// first characters, with another one after those of the greatest.
    pub fn range(&self, column: &str) -> (Value, Value) {
        let Some(parts) = self.parts() else { return Default::default() };
        (value_of(parts.min_values, column), value_of(parts.max_values, column))
    }

    fn parts(&self) -> Option<Parts<'_>> {
        serde_json::from_str(self.0.as_deref()?).ok()
    }
}

/// Returns the value of a key of an object; null where there is none.
fn value_of(object: Option<&RawValue>, key: &str) -> Value {
    let value = object.and_then(|object| {
        let mut parser = serde_json::Deserializer::from_str(object.get());
        parser.deserialize_map(ValueOf(key)).ok()
    });
    value.unwrap_or_default()
}

/// Reads the value of a key of an object.
struct ValueOf<'a>(&'a str);

impl<'de> Visitor<'de> for ValueOf<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut found = Value::Null;
        while let Some(is_wanted) = object.next_key_seed(Is(self.0))? {
            match is_wanted {
                true => found = object.next_value()?,
                false => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }
}

/// Tells whether a text is another one.
struct Is<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<bool, D::Error> {
        parser.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<bool, E> {
        Ok(text == self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_asked_for_is_parsed() {
        let text = r#"{"numRecords":7,"nullCount":{"a":0,"b":7},"minValues":{"a":-3,"t\"x":"é"},"maxValues":{"a":1.5}}"#;
        let (stats, rows) = FileStats::parse(text).expect("these are statistics");
        assert_eq!((rows, stats.nulls("a"), stats.nulls("b"), stats.nulls("c")), (7, Some(0), Some(7), None));
        assert_eq!(stats.range("a"), (json!(-3), json!(1.5)));
        assert_eq!(stats.range("t\"x"), (json!("é"), Value::Null));
        assert_eq!(stats.range("b"), (Value::Null, Value::Null));
        let (empty, rows) = FileStats::parse("{}").expect("these are statistics");
        assert_eq!((rows, empty.nulls("a"), empty.range("a")), (0, None, Default::default()));
        assert_eq!(FileStats::default().range("a"), Default::default());
        let (none, rows) = FileStats::parse("null").expect("another program may write that");
        assert_eq!((rows, none.nulls("a"), none.range("a")), (0, None, Default::default()));
        assert!(FileStats::parse("{").is_none());
    }
}
