//! The options that say what is aggregated, of `rollup` and `rollup plan`.

use clap::{ArgGroup, Args as ClapArgs};

use crate::failure::Failure;
use crate::lake_scope::lake_scope;
use topsell_core::model::Timestamp;
use topsell_core::rollup::{Replaces, Scope};

/// What is aggregated.
#[derive(ClapArgs, Debug)]
pub struct RollupScope {
    /// Recompute all hours from raw events, not only those that changed
    #[arg(long)]
    pub all: bool,
    /// Only days of TIME or later, and what changed since the last rollup; all of their hours are recomputed
    /// from raw events
    #[arg(long, value_name = "TIME", conflicts_with = "all")]
    pub since: Option<String>,
    /// One of N shares of the days, another one each day, besides what is --since a time: in N days, all of
    /// them are recomputed from raw events
    #[arg(long, value_name = "1/N", conflicts_with = "all")]
    pub share: Option<String>,
    /// Proceed even if aggregates differ from their events although these did not change, and replace them;
    /// without it, that is an error
    #[arg(long, requires = "recomputed")]
    pub yes: bool,
}

/// The options that choose what is recomputed although it did not change.
pub fn recomputed() -> ArgGroup {
    ArgGroup::new("recomputed").args(["all", "since", "share"]).multiple(true)
}

impl RollupScope {
    /// Returns what is aggregated and replaced, and what to note about the options.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn read(&self, now: Timestamp) -> Result<(Scope, Replaces, Option<String>), Failure> {
        let (part, note) = lake_scope(self.since.as_deref(), self.share.as_deref(), now)?;
        let scope = if self.all || !part.is_all() { Scope::Recomputed(part) } else { Scope::Changed };
        let replaces = if self.yes { Replaces::Differing } else { Replaces::DamagedOnly };
        Ok((scope, replaces, note))
    }
}
