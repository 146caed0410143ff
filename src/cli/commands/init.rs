//! `topsell init`: makes a lake, and a file with its settings.

use clap::Args as ClapArgs;

use crate::failure::{Exit, Failure};
use crate::settings::Settings;
use topsell_core::lake::{Lake, SETTINGS_FILE};
use topsell_core::model::{Currency, Zone, parse_hours};
use topsell_output::answers::{RANKING_HALF_LIFE, RANKING_MIN_ITEMS, half_life};

/// Make a lake and its settings file
///
/// Writes topsell.toml into the lake: the settings that are given, and the others as comments with their
/// defaults. Commands on the lake use them unless they are given other options. Nothing that exists is
/// changed.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell init                                              make data/lake
  topsell --lake /var/lib/shop init --tz Europe/Berlin --retention 400d --currency EUR
  topsell --lake s3://shop/lake init --subtract refund,cancel
")]
pub struct Init {
    /// Time zone for day boundaries [default: UTC]
    #[arg(long, value_name = "ZONE")]
    tz: Option<String>,
    /// Delete events and aggregates that are older than this, by `lake prune` [default: keep all]
    #[arg(long, value_name = "DURATION")]
    retention: Option<String>,
    /// Age at which an event has half the weight of a new one [default: 48h]
    #[arg(long, value_name = "DURATION")]
    half_life: Option<String>,
    /// Extend the window of categories with fewer eligible items than this; 0 to never extend it
    /// [default: 10]
    #[arg(long, value_name = "N")]
    min_items: Option<u64>,
    /// Event types whose units and amounts are subtracted, such as refund,cancel; can be repeated
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    subtract: Vec<String>,
    /// Use only records in this currency, such as EUR
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
}

/// A setting of the file: its value if it was given, and one to show otherwise.
struct Line {
    what: &'static str,
    key: &'static str,
    given: Option<String>,
    otherwise: String,
}

impl Init {
    /// Checks the options.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self) -> Result<(), Failure> {
        let usage = |option: &str, what: String| Failure::usage(format!("{option}: {what}"));
        if let Some(zone) = &self.tz {
            Zone::named(zone).map_err(|e| usage("--tz", e.to_string()))?;
        }
        if let Some(hours) = &self.retention {
            parse_hours(hours).map_err(|e| usage("--retention", e.to_string()))?;
        }
        if let Some(text) = &self.half_life {
            half_life("--", text).map_err(|e| Failure::usage(e.to_string()))?;
        }
        if let Some(code) = &self.currency {
            let wrong = || usage("--currency", format!("`{code}` is no currency, such as EUR"));
            Currency::parse(code).ok_or_else(wrong)?;
        }
        Ok(())
    }

    /// Returns the settings file.
    fn toml(&self) -> String {
        let text = |text: &str| toml_text(text);
        let types: Vec<String> = self.subtract.iter().map(|of| toml_text(of)).collect();
        let given = |value: &Option<String>| value.as_deref().map(text);
        let lines = [
            Line {
                what: "Time zone for day boundaries.",
                key: "tz",
                given: given(&self.tz),
                otherwise: text("UTC"),
            },
            Line {
                what: "`lake prune` deletes events and aggregates that are older; without it, none.",
                key: "retention",
                given: given(&self.retention),
                otherwise: text("400d"),
            },
            Line {
                what: "Age at which an event has half the weight of a new one.",
                key: "half_life",
                given: given(&self.half_life),
                otherwise: text(RANKING_HALF_LIFE),
            },
            Line {
                what: "The window of categories with fewer eligible items is extended.",
                key: "min_items",
                given: self.min_items.map(|items| items.to_string()),
                otherwise: RANKING_MIN_ITEMS.to_string(),
            },
            Line {
                what: "Event types whose units and amounts are subtracted.",
                key: "subtract",
                given: (!types.is_empty()).then(|| format!("[{}]", types.join(", "))),
                otherwise: "[\"refund\", \"cancel\"]".to_owned(),
            },
            Line {
                what: "Only records in this currency are ingested; without it, all.",
                key: "currency",
                given: given(&self.currency),
                otherwise: text("EUR"),
            },
        ];
        let mut toml =
            "# Settings of this lake. `topsell config` shows all of them, and where each value comes from.\n"
                .to_owned();
        for Line { what, key, given, otherwise } in lines {
            let setting = match given {
                Some(value) => format!("{key} = {value}"),
                None => format!("# {key} = {otherwise}"),
            };
            toml.push_str(&format!("\n# {what}\n{setting}\n"));
        }
        toml
    }
}

/// Returns a text as TOML has it.
fn toml_text(text: &str) -> String {
    let mut toml = "\"".to_owned();
    for char in text.chars() {
        match char {
            '"' | '\\' => toml.extend(['\\', char]),
            char if char.is_control() => toml.push_str(&format!("\\U{:08X}", u32::from(char))),
            char => toml.push(char),
        }
    }
    toml.push('"');
    toml
}

/// Makes the lake.
///
/// # Errors
/// Fails where the folder has files that are of no lake, or a settings file is there already.
pub fn run(settings: &Settings, typed: &Init) -> Result<Exit, Failure> {
    typed.check()?;
    let store = settings.store()?;
    let file = store.location_of(SETTINGS_FILE);
    if store.is_there(SETTINGS_FILE) {
        return Err(Failure::usage(format!(
            "{file} exists already; edit it to change the settings of the lake"
        )));
    }
    Lake::open_or_create(store.clone(), None)?;
    store.put(SETTINGS_FILE, typed.toml().into()).map_err(|e| Failure::runtime(e.to_string()))?;
    settings.note(&format!("init: {} is a lake, its settings are in {file}", store.location()));
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_that_a_reader_of_toml_finds() {
        for text in ["", "Europe/Berlin", "a \"b\" \\c", "tab\tand\nlines\u{7f}", "né 名"] {
            let toml = format!("key = {}", toml_text(text));
            let table: toml::Table = toml.parse().expect("it is TOML");
            assert_eq!(table["key"].as_str(), Some(text), "{toml}");
        }
    }
}
