//! Errors of answers as failures: what there is not, and what there is instead.

use crate::failure::Failure;
use topsell_core::model::escape_control;
use topsell_core::pipeline::StepError;
use topsell_output::answers::CountError;
use topsell_output::show::ShowError;

impl From<CountError> for Failure {
    fn from(error: CountError) -> Failure {
        match error {
            CountError::Rollup(error) => StepError::Rollup(error).into(),
            CountError::UnknownCategory { .. } => {
                let hint = "list the categories with `topsell show --categories`".to_owned();
                Failure::not_found(error.to_string()).with_hint(hint)
            }
        }
    }
}

impl From<ShowError> for Failure {
    fn from(error: ShowError) -> Failure {
        match error {
            ShowError::Snapshot(error) => error.into(),
            ShowError::Rollup(error) => StepError::Rollup(error).into(),
            ShowError::UnknownCategory { ref suggestions, .. } => {
                let hint = meant(suggestions, "list the categories with `topsell show --categories`");
                Failure::not_found(error.to_string()).with_hint(hint)
            }
            ShowError::UnknownItem { ref suggestions, .. } => {
                let hint = meant(suggestions, "search for it with `topsell show --search TEXT`");
                Failure::not_found(error.to_string()).with_hint(hint)
            }
            ShowError::UnknownName { ref names, .. } => {
                let hint = format!("the names with a ranking are {}", names.join(", "));
                Failure::not_found(error.to_string()).with_hint(hint)
            }
            ShowError::NoneAt { oldest, .. } => {
                let failure = Failure::not_found(error.to_string());
                match oldest {
                    Some(oldest) => failure.with_hint(format!("the oldest ranking is `--at {oldest}`")),
                    None => failure,
                }
            }
            ShowError::NothingBefore | ShowError::NoMatch { .. } => Failure::not_found(error.to_string()),
        }
    }
}

/// Suggests the nearest names, or else what to do.
fn meant(nearest: &[String], otherwise: &str) -> String {
    match nearest.is_empty() {
        true => otherwise.to_owned(),
        false => {
            let names: Vec<String> =
                nearest.iter().map(|name| format!("`{}`", escape_control(name))).collect();
            format!("did you mean {}?", names.join(", "))
        }
    }
}
