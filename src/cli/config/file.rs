//! A file of settings: TOML, a `key = value` on each line.

use std::ffi::OsString;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::config::keys::{self, KEYS, Key, Kind, Layers};
use crate::config::layer::{Layer, Origin, Value, bad};
use crate::config::nearest::nearest;
use crate::failure::Failure;
use topsell_core::storage::Location;

/// Reads a file's text.
///
/// # Errors
/// Names the file, the line and the key, and says what to write.
pub fn read(text: &[u8], file: &Path, whose: Layers) -> Result<Layer, Failure> {
    let at = |line: usize, what: &str| Failure::usage(format!("{}:{line}: {what}", file.display()));
    let text = std::str::from_utf8(text).map_err(|e| {
        let good = &text[..e.valid_up_to()];
        at(1 + good.iter().filter(|byte| **byte == b'\n').count(), "not valid UTF-8")
    })?;
    let line_of = |byte: usize| 1 + text.bytes().take(byte).filter(|byte| *byte == b'\n').count();
    let table = DeTable::parse(text).map_err(|error| {
        let line = line_of(error.span().map_or(0, |span| span.start));
        at(line, &format!("invalid TOML: {}", error.message()))
    })?;
    // As written, so that the first mistake of a file is the first that is told.
    let mut written: Vec<_> = table.get_ref().iter().collect();
    written.sort_by_key(|(name, _)| name.span().start);
    let mut layer = Layer::default();
    for (name, value) in written {
        let line = line_of(name.span().start);
        let name: &str = name.get_ref();
        if let DeValue::Table(_) = value.get_ref() {
            return Err(at(line, &format!("`{name}` is a table; write settings at the top level")));
        }
        let Some(key) = keys::find(name) else {
            let settings = KEYS.iter().filter(|key| key.said_in.has(whose)).map(|key| key.name);
            let hint = match nearest(name, settings) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "list the settings with `topsell config`".to_owned(),
            };
            return Err(at(line, &format!("unknown setting `{name}`")).with_hint(hint));
        };
        let origin = match whose == Layers::LAKE {
            true => Origin::Lake { file: file.to_owned(), line },
            false => Origin::User { file: file.to_owned(), line },
        };
        if !key.said_in.has(whose) {
            let what = match whose == Layers::LAKE {
                true => "not allowed in the lake's topsell.toml; set it in your own config.toml",
                false => "only allowed in the lake's topsell.toml",
            };
            return Err(bad(&origin, key, what));
        }
        let texts = texts(key, value.get_ref()).map_err(|what| bad(&origin, key, &what))?;
        let from = file.parent().filter(|_| key.kind == Kind::Path);
        let texts = texts.into_iter().map(|text| match from {
            // An absolute path stays as it is, and so does the URL of a bucket.
            Some(folder) if !text.is_empty() && !Location::is_url(&text) => {
                folder.join(text).into_os_string()
            }
            _ => OsString::from(text),
        });
        layer.set(key, Value { texts: texts.collect(), origin })?;
    }
    Ok(layer)
}

fn texts(key: &Key, value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let one = |value: &DeValue<'_>| match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) => Ok(number.to_string()),
        DeValue::Float(number) => Ok(number.to_string()),
        DeValue::Boolean(flag) => Ok(flag.to_string()),
        DeValue::Datetime(_) => Err("a date is not allowed".to_owned()),
        DeValue::Array(none) if none.is_empty() => Err("must not be empty".to_owned()),
        DeValue::Array(_) | DeValue::Table(_) => Err("must be a single value".to_owned()),
    };
    match value {
        DeValue::Array(several) if key.kind == Kind::Texts && !several.is_empty() => {
            several.iter().map(|value| one(value.get_ref())).collect()
        }
        other => Ok(vec![one(other)?]),
    }
}
