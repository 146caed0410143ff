//! Everything that can be set once, in one table.

use crate::config::nearest::nearest;
use crate::record_args::check_share;
use crate::size::parse_bytes;
use topsell_core::model::{Decay, DecayError, parse_hours, parse_seconds};

/// A setting, named as in the files; its option and its variable are spelled after it.
#[derive(Debug, PartialEq)]
pub struct Key {
    pub name: &'static str,
    pub kind: Kind,
    /// The commands whose option it is; all of them where none is named.
    pub commands: &'static [&'static str],
    /// Where it may be said.
    pub said_in: Layers,
    /// What it decides together with others, only one of which may be said; or in company.
    pub part_of: Option<Choice>,
    /// Options that say it otherwise: where one is typed, what is set stays out.
    pub yields_to: &'static [&'static str],
}

/// Settings that are decided together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Choice {
    /// How fast old sales fade: one of three ways.
    Fading,
    /// The catalog, and how it is to be read.
    Catalog,
}

/// Layers in which a setting may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layers(u8);

/// What a value must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Hours,
    Seconds,
    /// A duration above 0.
    HalfLife,
    /// A number of bytes, with a unit.
    Size,
    /// A whole number between two.
    Number(u64, u64),
    /// A number above 0.
    Rate,
    /// None, all, or one of so many.
    Share,
    Flag,
    OneOf(&'static [&'static str]),
    /// A path, in a file counted from the file's folder.
    Path,
    Text,
    /// Several texts.
    Texts,
}

impl Layers {
    pub const ENVIRONMENT: Layers = Layers(1);
    pub const LAKE: Layers = Layers(2);
    pub const USER: Layers = Layers(4);
    const ALL: Layers = Layers(7);
    /// What is a person's or a machine's, and no lake's.
    const NO_LAKE: Layers = Layers(5);

    pub fn has(self, layer: Layers) -> bool {
        self.0 & layer.0 != 0
    }
}

const fn key(name: &'static str, kind: Kind, commands: &'static [&'static str]) -> Key {
    Key { name, kind, commands, said_in: Layers::ALL, part_of: None, yields_to: &[] }
}

/// Every setting, in the order in which `topsell config` lists them.
pub const KEYS: &[Key] = &[
    Key { said_in: Layers::NO_LAKE, ..key("lake", Kind::Path, &[]) },
    key("threads", Kind::Number(1, u16::MAX as u64), &[]),
    Key { said_in: Layers::NO_LAKE, ..key("color", Kind::OneOf(&["auto", "always", "never"]), &[]) },
    // A machine's: what others write into a lake is not to name a file to write outside.
    Key { said_in: Layers::NO_LAKE, ..key("metrics_file", Kind::Path, &[]) },
    Key {
        part_of: Some(Choice::Catalog),
        ..key("catalog", Kind::Path, &["ingest", "rank", "rank merge", "cluster local rank", "serve"])
    },
    Key {
        part_of: Some(Choice::Catalog),
        ..key("catalog_map", Kind::Texts, &["ingest", "rank", "rank merge", "cluster local rank", "serve"])
    },
    key("currency", Kind::Text, &["ingest", "serve"]),
    key("max_skew", Kind::Seconds, &["ingest", "serve"]),
    key("max_rejects", Kind::Size, &["ingest"]),
    key("window", Kind::Hours, &["rank", "rank plan", "cluster local rank", "top", "serve"]),
    Key {
        part_of: Some(Choice::Fading),
        ..key("half_life", Kind::HalfLife, &["rank", "rank plan", "cluster local rank", "top", "serve"])
    },
    Key {
        part_of: Some(Choice::Fading),
        ..key("decay", Kind::Rate, &["rank", "rank plan", "cluster local rank"])
    },
    Key {
        part_of: Some(Choice::Fading),
        ..key("no_decay", Kind::Flag, &["rank", "rank plan", "cluster local rank"])
    },
    key("limit", Kind::Number(1, u32::MAX as u64), &["rank", "rank plan", "cluster local rank"]),
    key(
        "measure",
        Kind::OneOf(&["units", "purchases", "amount"]),
        &["rank", "rank plan", "cluster local rank"],
    ),
    key("event_types", Kind::Texts, &["rank", "rank plan", "cluster local rank", "count", "top", "serve"]),
    key("subtract", Kind::Texts, &["rank", "rank plan", "cluster local rank", "count", "top", "serve"]),
    key("tz", Kind::Text, &["rank", "rank plan", "cluster local rank", "count", "top", "serve"]),
    key("min_items", Kind::Number(0, u64::MAX), &["rank", "rank plan", "cluster local rank", "top", "serve"]),
    key("max_lookback", Kind::Hours, &["rank", "rank plan", "cluster local rank", "top", "serve"]),
    key("max_lag", Kind::Seconds, &["rank", "rank plan", "cluster local rank"]),
    // A lake's own: what one sender's environment said would have others' events dropped.
    Key { said_in: Layers::LAKE, ..key("retention", Kind::Hours, &["lake prune"]) },
    key("keep_versions", Kind::Seconds, &["lake prune"]),
    key("keep_rankings", Kind::Seconds, &["lake prune"]),
    key("keep_weekly", Kind::Seconds, &["lake prune"]),
    key("keep_runs", Kind::Seconds, &["lake prune"]),
    Key { yields_to: &["record"], ..key("record_reads", Kind::Share, &["show", "count", "top", "report"]) },
    Key {
        said_in: Layers::NO_LAKE,
        // The extension of a file decides its format, and `--excel` is one of CSV.
        yields_to: &["output", "json", "excel"],
        ..key(
            "format",
            Kind::OneOf(&["table", "json", "csv", "ndjson", "markdown", "html"]),
            &["show", "count", "top", "runs", "runs stats"],
        )
    },
];

/// Returns a setting that is known to be there.
pub fn named(name: &str) -> &'static Key {
    find(name).expect("only settings of the table are asked for by name")
}

/// Returns the setting of a name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

impl Key {
    /// Returns the variable that sets it.
    pub fn variable(&self) -> String {
        format!("TOPSELL_{}", self.name.to_ascii_uppercase())
    }

    /// Tells whether a command, such as `lake prune`, takes it.
    pub fn is_for(&self, command: &str) -> bool {
        self.is_for_all() || self.commands.contains(&command)
    }

    /// Tells whether every command takes it.
    pub fn is_for_all(&self) -> bool {
        self.commands.is_empty()
    }

    /// Returns the settings that are decided together with it, itself among them.
    pub fn rivals(&self) -> impl Iterator<Item = &'static Key> {
        let (name, choice) = (self.name, self.part_of);
        KEYS.iter().filter(move |key| key.name == name || choice.is_some() && key.part_of == choice)
    }
}

impl Kind {
    /// Says what is wrong with a text, if anything is.
    pub fn check(self, text: &str) -> Result<(), String> {
        let number = |text: &str| text.parse::<u64>().ok();
        match self {
            Kind::Hours => parse_hours(text).map(drop).map_err(|e| e.to_string()),
            Kind::HalfLife if parse_seconds(text) == Ok(0) => {
                Err(format!("`{text}` is zero; pass at least 1s"))
            }
            Kind::HalfLife | Kind::Seconds => parse_seconds(text).map(drop).map_err(|e| e.to_string()),
            Kind::Size if parse_bytes(text).is_some() => Ok(()),
            Kind::Size => Err(format!("`{text}` is not a size, such as 64MiB")),
            Kind::Number(least, most) if number(text).is_some_and(|n| (least..=most).contains(&n)) => Ok(()),
            Kind::Number(least, u64::MAX) => Err(format!("`{text}` is not an integer of at least {least}")),
            Kind::Number(least, most) => Err(format!("`{text}` is not an integer from {least} to {most}")),
            Kind::Rate => match text.parse::<f64>() {
                Ok(rate) => Decay::rate_per_hour(rate).map(drop).map_err(|e| format!("`{text}` {e}")),
                Err(_) => Err(format!("`{text}` {}", DecayError::NotPositive)),
            },
            Kind::Share => check_share(text),
            Kind::Flag if ["true", "false"].contains(&text) => Ok(()),
            Kind::Flag => Err(format!("`{text}` is not true or false")),
            Kind::OneOf(names) if names.contains(&text) => Ok(()),
            Kind::OneOf(names) => {
                let meant = nearest(text, names.iter().copied());
                let meant = meant.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
                Err(format!("`{text}` is not one of {}{meant}", names.join(", ")))
            }
            Kind::Path | Kind::Text | Kind::Texts if text.is_empty() => Err("must not be empty".to_owned()),
            Kind::Path | Kind::Text | Kind::Texts => Ok(()),
        }
    }
}
