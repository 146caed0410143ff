//! Typed access to the values of a TOML file, which collects errors with line and column.

use std::ops::Range;
use std::path::Path;

use toml::de::DeValue;

use crate::job_spec::error::JobError;
use topsell_core::model::parse_seconds;

/// Checks the arguments of a `topsell` command; returns an error message.
pub type CommandCheck<'a> = &'a dyn Fn(&[String]) -> Result<(), String>;

/// A value and its position in the file.
pub(super) type TomlValue<'a> = toml::Spanned<DeValue<'a>>;

/// Keys of earlier versions and their current names.
const RENAMED: &[(&str, &str)] = &[("folder", "working_dir"), ("accept", "success_exit_codes")];
/// The least similarity of a key that is suggested for an unknown one.
const MIN_SIMILARITY: f64 = 0.6;

/// A file's text and the errors found in it so far.
pub(super) struct TomlReader<'a> {
    pub path: &'a Path,
    pub text: &'a str,
    pub errors: Vec<JobError>,
}

impl TomlReader<'_> {
    /// Returns the line and column of a byte offset, both starting at 1.
    pub(super) fn position(&self, byte: usize) -> (u32, u32) {
        let before = &self.text.as_bytes()[..byte.min(self.text.len())];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let column = 1 + String::from_utf8_lossy(&before[start..]).chars().count();
        (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    }

    /// Records an error at a position.
    pub(super) fn error(&mut self, at: Range<usize>, what: String) {
        let (line, column) = self.position(at.start);
        self.errors.push(JobError::Invalid { file: self.path.to_owned(), line, column, what });
    }

    /// Returns a string value.
    pub(super) fn text<'v>(&mut self, key: &str, value: &'v TomlValue<'_>) -> Option<&'v str> {
        match value.get_ref() {
            DeValue::String(text) if text.contains('\0') => {
                self.error(value.span(), format!("`{key}` must not contain a NUL character"));
                None
            }
            DeValue::String(text) => Some(text),
            _ => {
                self.error(value.span(), format!("`{key}` must be a string; write it in quotes"));
                None
            }
        }
    }

    /// Returns an integer from 0 to a maximum.
    pub(super) fn number(&mut self, key: &str, value: &TomlValue<'_>, max: i64) -> Option<u32> {
        let number = match value.get_ref() {
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        let number = number.filter(|number| (0..=max).contains(number));
        if number.is_none() {
            self.error(value.span(), format!("`{key}` must be an integer from 0 to {max}"));
        }
        number.and_then(|number| u32::try_from(number).ok())
    }

    /// Returns a duration in seconds.
    pub(super) fn seconds(&mut self, key: &str, value: &TomlValue<'_>) -> Option<u64> {
        let text = self.text(key, value)?;
        match parse_seconds(text) {
            Ok(seconds) => Some(seconds),
            Err(error) => {
                self.error(value.span(), format!("`{key}`: {error}"));
                None
            }
        }
    }

    /// Returns one of several named choices.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &str,
        value: &TomlValue<'_>,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text(key, value)?;
        let found = choices.iter().find(|(name, _)| *name == text);
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.error(value.span(), format!("`{key}` must be one of {}", names.join(", ")));
        }
        found.map(|(_, choice)| *choice)
    }

    /// Records an unknown key of a job or a step, and suggests a known one.
    pub(super) fn unknown_key(&mut self, at: Range<usize>, key: &str, known: &[&str]) {
        if let Some((_, renamed)) = RENAMED.iter().find(|(old, new)| *old == key && known.contains(new)) {
            self.error(at, format!("`{key}` has been renamed; write `{renamed}`"));
            return;
        }
        let similarity = |name: &&&str| strsim::normalized_damerau_levenshtein(key, name);
        let nearest = known
            .iter()
            .max_by(|a, b| similarity(a).total_cmp(&similarity(b)))
            .filter(|name| similarity(name) >= MIN_SIMILARITY);
        let hint = nearest.map_or_else(
            || format!("known keys: {}", known.join(", ")),
            |name| format!("did you mean `{name}`?"),
        );
        self.error(at, format!("unknown key `{key}`; {hint}"));
    }
}
