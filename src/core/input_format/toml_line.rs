//! Lines of mapping files.

/// Returns a line of a mapping file.
pub fn toml_line(name: &str, value: &str) -> String {
    // A string of JSON is one of TOML.
    format!("{name} = {}\n", serde_json::Value::from(value))
}
