//! Lines of mapping files, and the values in them.

use toml::de::DeValue;

/// Returns a line of a mapping file.
pub fn toml_line(name: &str, value: &str) -> String {
    // A string of JSON is one of TOML.
    format!("{name} = {}\n", serde_json::Value::from(value))
}

/// Returns the texts of an option's value; an array has several.
pub(super) fn option_texts(value: &DeValue<'_>) -> Option<Vec<String>> {
    match value {
        DeValue::String(text) => Some(vec![text.to_string()]),
        DeValue::Boolean(is_set) => Some(vec![is_set.to_string()]),
        DeValue::Integer(number) => Some(vec![number.to_string()]),
        DeValue::Array(values) => {
            let texts = values.iter().map(|value| match value.get_ref() {
                DeValue::String(text) => Some(text.to_string()),
                _ => None,
            });
            texts.collect()
        }
        _ => None,
    }
}
