//! What one layer says: values, and where each of them stands.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::config::keys::{self, KEYS, Key, Kind, Layers};
use crate::config::nearest::nearest;
use crate::failure::Failure;

/// Known variables that are not settings.
const OTHER_VARIABLES: &[&str] = &["TOPSELL_NOW"];
const PREFIX: &str = "TOPSELL_";

/// The values of a layer, by setting.
#[derive(Debug, Default)]
pub struct Layer {
    values: BTreeMap<&'static str, Value>,
}

/// What a setting is set to, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    pub texts: Vec<OsString>,
    pub origin: Origin,
}

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    CommandLine,
    Environment { variable: String },
    Lake { file: PathBuf, line: usize },
    User { file: PathBuf, line: usize },
    BuiltIn,
}

impl Layer {
    /// Returns what a setting is set to.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// Adds a value, checked.
    ///
    /// # Errors
    /// Says what is wrong with it, not where it stands.
    pub fn set(&mut self, key: &'static Key, value: Value) -> Result<(), Failure> {
        for text in &value.texts {
            match text.to_str() {
                Some(text) => key.kind.check(text).map_err(|what| bad(&value.origin, key, &what))?,
                None if key.kind == Kind::Path => {}
                None => return Err(bad(&value.origin, key, "not valid UTF-8")),
            }
        }
        // Ways that exclude each other.
        let is_rival = |rival: &&Key| key.part_of == Some(keys::Choice::Fading) && rival.name != key.name;
        if let Some(rival) = key.rivals().filter(is_rival).find(|rival| self.get(rival.name).is_some()) {
            let what = format!("conflicts with `{}` in the same place; remove one of them", rival.name);
            return Err(bad(&value.origin, key, &what));
        }
        self.values.insert(key.name, value);
        Ok(())
    }
}

impl Value {
    /// Returns the first text; a value has at least one.
    pub fn first(&self) -> &OsStr {
        self.texts.first().map_or(OsStr::new(""), OsString::as_os_str)
    }
}

/// Reads the variables that are settings, and returns the names of those that only look like it.
///
/// # Errors
/// Names the variable and says what to write.
pub fn of_environment(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<(Layer, Vec<String>), Failure> {
    let mut layer = Layer::default();
    let mut unknown = Vec::new();
    // In an order that does not change from run to run.
    let ours: BTreeMap<String, OsString> = variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty())
        .collect();
    for (variable, value) in ours {
        let Some(key) = KEYS.iter().find(|key| key.variable() == variable) else {
            if !OTHER_VARIABLES.contains(&variable.as_str()) {
                unknown.push(variable);
            }
            continue;
        };
        let origin = Origin::Environment { variable };
        if !key.said_in.has(Layers::ENVIRONMENT) {
            return Err(bad(&origin, key, "only allowed in the lake's topsell.toml"));
        }
        let texts = match value.to_str() {
            Some(several) if key.kind == Kind::Texts => several.split(',').map(OsString::from).collect(),
            _ => vec![value],
        };
        layer.set(key, Value { texts, origin })?;
    }
    Ok((layer, unknown))
}

/// Describes an unknown variable, with the closest known name.
pub fn unknown_variable(name: &str) -> String {
    let asked = name.strip_prefix(PREFIX).unwrap_or(name);
    match nearest(asked, KEYS.iter().map(|key| key.name)).and_then(keys::find) {
        Some(meant) => format!("unknown environment variable {name}; did you mean {}?", meant.variable()),
        None => format!("unknown environment variable {name}"),
    }
}

/// Returns the failure of a value that cannot be.
pub fn bad(origin: &Origin, key: &Key, what: &str) -> Failure {
    Failure::usage(match origin {
        Origin::Environment { variable } => format!("{variable}: {what}"),
        Origin::Lake { file, line } | Origin::User { file, line } => {
            format!("{}:{line}: {}: {what}", file.display(), key.name)
        }
        Origin::CommandLine | Origin::BuiltIn => format!("{}: {what}", key.name),
    })
}
