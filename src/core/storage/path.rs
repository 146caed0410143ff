//! Names of folders and files: Hive's escapes in folders, URL escapes in Delta logs.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The longest value in a folder's name, in bytes; file systems allow 255 for the whole name.
const MAX_VALUE_BYTES: usize = 180;

/// Hive's name for the partition of rows without a value.
const HIVE_NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// Characters that are not escaped in a Delta log's relative file paths.
const URL_KEPT: AsciiSet =
    NON_ALPHANUMERIC.remove(b'/').remove(b'=').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Returns the Hive folder of a partition's value: `category=DRUG%20GM`.
///
/// ASCII letters, digits, `_`, `-` and `.` are kept, and all else is written as `%XX`: other programs that read tables
/// from a bucket fail on names with spaces, other letters or signs, and no value leads outside of the table. A very
/// long value is truncated after a whole character and ends in its hash: the value itself is in the table's log.
///
/// A `~` that a value begins with is kept, too: only values that this program makes have one.
pub fn folder_name(column: &str, value: Option<&str>) -> String {
    let Some(value) = value else { return format!("{column}={HIVE_NULL}") };
    let mut escaped = String::with_capacity(value.len());
    // Where the last character ends that leaves room for the hash.
    let mut fits = 0;
    for (at, c) in value.char_indices() {
        // A value that equals Hive's name for none must not share its folder.
        let is_plain = c.is_ascii_alphanumeric() || "_-.".contains(c) || (c == '~' && at == 0);
        if is_plain && !(at == 0 && value == HIVE_NULL) {
            escaped.push(c);
        } else {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                escaped.push_str(&format!("%{byte:02X}"));
            }
        }
        if escaped.len() <= MAX_VALUE_BYTES - 20 {
            fits = escaped.len();
        }
    }
    if escaped.len() > MAX_VALUE_BYTES {
        let hash = blake3::hash(value.as_bytes()).to_hex();
        escaped = format!("{}-{}", &escaped[..fits], &hash[..16]);
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
        check(Some("DRUG GM"), "category=DRUG%20GM");
        check(Some("~07"), "category=~07");
        check(Some("a~7,&()+"), "category=a%7E7%2C%26%28%29%2B");
        check(Some(".."), "category=..");
        check(Some("a/b"), "category=a%2Fb");
        check(Some("Bücher"), "category=B%C3%BCcher");
        check(Some("A%2FB"), "category=A%252FB");
        check(Some("a\nb\u{7f}"), "category=a%0Ab%7F");
        check(None, "category=__HIVE_DEFAULT_PARTITION__");
        check(Some(HIVE_NULL), "category=%5F_HIVE_DEFAULT_PARTITION__");
    }

    #[test]
    fn a_long_value_is_truncated_after_a_whole_character() {
        // Of these, truncation by bytes would cut a `%XX`, or the escapes of one letter, for some length.
        for before in 0..12 {
            for letter in ["ü", "€", "𝄞", " "] {
                let value = format!("{}{}", "a".repeat(before), letter.repeat(4_000));
                let folder = folder_name("category", Some(&value));
                let (kept, hash) = folder["category=".len()..].rsplit_once('-').expect("it ends in a hash");
                assert!(folder.len() < 200 && hash.len() == 16, "{folder}");
                let decoded = percent_decode_str(kept).decode_utf8().expect("its characters are whole");
                assert!(value.starts_with(decoded.as_ref()) && !decoded.contains('%'), "{folder}");
            }
        }
    }

    #[test]
    fn log_paths_go_there_and_back() {
        for path in ["a=DRUG GM/b.parquet", "a=A%252FB/ü.parquet", "a=x#y?z/c"] {
            assert_eq!(url_decoded(&url_encoded(path)), path);
        }
        assert_eq!(url_encoded("category=DRUG GM/x.parquet"), "category=DRUG%20GM/x.parquet");
    }
}
