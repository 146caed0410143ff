//! The options that say how a ranking is published, of `rank` and `rank merge`.

use clap::Args as ClapArgs;

use crate::failure::Failure;
use topsell_core::rankings::{Promote, Publication, RankingName};

/// How to publish.
#[derive(ClapArgs, Debug)]
pub struct PublishOptions {
    /// Name under which the ranking is published, for rankings of several kinds side by side
    /// [default: default]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Show the ranking under its name also if it is older than the one that the name shows, or made
    /// with other options
    #[arg(long)]
    pub promote: bool,
}

impl PublishOptions {
    /// Checks the options of a ranking that may have item totals, which only the default name has.
    ///
    /// # Errors
    /// Says what a name may have.
    pub fn publication_of(&self, all_items: bool) -> Result<Publication, Failure> {
        let publication = self.publication()?;
        match all_items && !publication.name.is_default() {
            true => Err(Failure::usage("--all-items and --name cannot be used together".to_owned())),
            false => Ok(publication),
        }
    }

    /// Checks the options.
    ///
    /// # Errors
    /// Says what a name may have.
    pub fn publication(&self) -> Result<Publication, Failure> {
        let promote = if self.promote { Promote::Yes } else { Promote::IfNewer };
        Ok(Publication { name: ranking_name(self.name.as_deref())?, promote })
    }
}

/// Returns the name that `--name` has; the default one without it.
///
/// # Errors
/// Says what a name may have.
pub fn ranking_name(text: Option<&str>) -> Result<RankingName, Failure> {
    let name = text.map(RankingName::parse).transpose();
    Ok(name.map_err(|e| Failure::usage(format!("--name {e}")))?.unwrap_or_default())
}
