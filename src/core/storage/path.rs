//! Names of folders and files: Hive's escapes in folders, URL escapes in Delta logs.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The longest value in a folder's name, in bytes; file systems allow 255 for the whole name.
const MAX_VALUE_BYTES: usize = 180;

/// Hive's name for the partition of rows without a value.
const HIVE_NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// Characters that are not escaped in a Delta log's relative file paths.
const URL_KEPT: AsciiSet =
    NON_ALPHANUMERIC.remove(b'/').remove(b'=').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Returns the Hive folder of a partition's value: `category=DRUG GM`.
///
/// Letters, digits, spaces and `_-.,&()+~` are kept, and all else is written as `%XX`, so that no value
/// leads outside of the table. A very long value is truncated and ends in its hash: the value itself
/// is in the table's log.
pub fn folder_name(column: &str, value: Option<&str>) -> String {
    let Some(value) = value else { return format!("{column}={HIVE_NULL}") };
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        // A value that equals Hive's name for none must not share its folder.
        let is_plain = c.is_alphanumeric() || " _-.,&()+~".contains(c);
        if is_plain && !(escaped.is_empty() && value == HIVE_NULL) {
            escaped.push(c);
        } else {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                escaped.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    if escaped.len() > MAX_VALUE_BYTES {
        let hash = blake3::hash(value.as_bytes()).to_hex();
        escaped.truncate(escaped.floor_char_boundary(MAX_VALUE_BYTES - 20));
        escaped = format!("{escaped}~{}", &hash[..16]);
    }
    format!("{column}={escaped}")
}

/// Returns a relative path as it is written in a Delta log.
pub fn url_encoded(path: &str) -> String {
    utf8_percent_encode(path, &URL_KEPT).to_string()
}

/// Returns the relative path of a path in a Delta log.
pub fn url_decoded(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_leaves_its_folder() {
        let check = |value, expected| assert_eq!(folder_name("category", value), expected);
        check(Some("GROCERY"), "category=GROCERY");
        check(Some("DRUG GM"), "category=DRUG GM");
        check(Some(".."), "category=..");
        check(Some("a/b"), "category=a%2Fb");
        check(Some("Bücher"), "category=Bücher");
        check(Some("A%2FB"), "category=A%252FB");
        check(Some("a\nb\u{7f}"), "category=a%0Ab%7F");
        check(None, "category=__HIVE_DEFAULT_PARTITION__");
        check(Some(HIVE_NULL), "category=%5F_HIVE_DEFAULT_PARTITION__");
        let long = folder_name("category", Some(&"ü".repeat(4_000)));
        assert!(long.len() < 200 && long.contains('~'));
    }

    #[test]
    fn log_paths_go_there_and_back() {
        for path in ["a=DRUG GM/b.parquet", "a=A%252FB/ü.parquet", "a=x#y?z/c"] {
            assert_eq!(url_decoded(&url_encoded(path)), path);
        }
        assert_eq!(url_encoded("category=DRUG GM/x.parquet"), "category=DRUG%20GM/x.parquet");
    }
}
