//! A file of settings: TOML, a `key = value` on each line.

use std::ffi::OsString;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::config::keys::{self, KEYS, Key, Kind, Layers};
use crate::config::layer::{Layer, Origin, Value, bad};
use crate::config::nearest::nearest;
use crate::failure::Failure;

/// Reads a file's text.
///
/// # Errors
/// Names the file, the line and the key, and says what to write.
pub fn read(text: &[u8], file: &Path, whose: Layers) -> Result<Layer, Failure> {
    let at = |line: usize, what: &str| Failure::usage(format!("{}:{line}: {what}", file.display()));
    let text = std::str::from_utf8(text).map_err(|e| {
        let good = &text[..e.valid_up_to()];
        at(1 + good.iter().filter(|byte| **byte == b'\n').count(), "it is not UTF-8")
    })?;
    let line_of = |byte: usize| 1 + text.bytes().take(byte).filter(|byte| *byte == b'\n').count();
    let table = DeTable::parse(text).map_err(|error| {
        let line = line_of(error.span().map_or(0, |span| span.start));
        at(line, &format!("it is no TOML: {}", error.message()))
    })?;
    // As written, so that the first mistake of a file is the first that is told.
    let mut written: Vec<_> = table.get_ref().iter().collect();
    written.sort_by_key(|(name, _)| name.span().start);
    let mut layer = Layer::default();
    for (name, value) in written {
        let line = line_of(name.span().start);
        let name: &str = name.get_ref();
        if let DeValue::Table(_) = value.get_ref() {
            return Err(at(
                line,
                &format!("`{name}` is a section; settings stand by themselves, one on each line"),
            ));
        }
        let Some(key) = keys::find(name) else {
            let settings = KEYS.iter().filter(|key| key.said_in.has(whose)).map(|key| key.name);
            let hint = match nearest(name, settings) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "see which there are with `topsell config`".to_owned(),
            };
            return Err(at(line, &format!("there is no setting `{name}`")).with_hint(hint));
        };
        let origin = match whose == Layers::LAKE {
            true => Origin::Lake { file: file.to_owned(), line },
            false => Origin::User { file: file.to_owned(), line },
        };
        if !key.said_in.has(whose) {
            let what = match whose == Layers::LAKE {
                true => "it is no business of a lake; write it into your own file of settings",
                false => "it is the lake's own; write it into the lake's topsell.toml",
            };
            return Err(bad(&origin, key, what));
        }
        let texts = texts(key, value.get_ref()).map_err(|what| bad(&origin, key, &what))?;
        let from = file.parent().filter(|_| key.kind == Kind::Path);
        let texts = texts.into_iter().map(|text| match from {
            // An absolute path stays as it is.
            Some(folder) if !text.is_empty() => folder.join(text).into_os_string(),
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
        DeValue::Datetime(_) => Err("a date sets nothing".to_owned()),
        DeValue::Array(none) if none.is_empty() => Err("it is empty".to_owned()),
        DeValue::Array(_) | DeValue::Table(_) => Err("it takes one value".to_owned()),
    };
    match value {
        DeValue::Array(several) if key.kind == Kind::Texts && !several.is_empty() => {
            several.iter().map(|value| one(value.get_ref())).collect()
        }
        other => Ok(vec![one(other)?]),
    }
}
