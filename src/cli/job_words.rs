//! Checks the arguments of a job's step as the command line would.

use clap::FromArgMatches;
use clap::error::ErrorKind;

use crate::args::{self, Args, Command};
use crate::failure::Exit;
use crate::settings::Settings;

/// The commands that cannot be a step, since they do not end.
const ENDLESS: [&str; 2] = ["schedule", "serve"];

/// Checks the arguments of a `topsell` command.
///
/// # Errors
/// Returns what is wrong, in one line.
pub fn check(words: &[String]) -> Result<(), String> {
    let command = args::command().no_binary_name(true);
    let typed = command.try_get_matches_from(words).and_then(|typed| Args::from_arg_matches(&typed));
    let args = typed.map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            "prints help or a version, which is not a step".to_owned()
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "the subcommand is missing".to_owned(),
        _ => said(&error.render().to_string()),
    })?;
    let endless = words.iter().find(|word| ENDLESS.contains(&word.as_str()));
    if let Some(name) = endless.filter(|_| matches!(args.command, Command::Schedule(_) | Command::Serve(_))) {
        return Err(format!("`{name}` never ends, so it cannot be a step"));
    }
    let Args { command, global } = args;
    match Settings::of(global).and_then(|settings| command.check(&settings)) {
        // Other errors may be resolved by the time the step runs.
        Err(failure) if failure.exit == Exit::UsageError => Err(failure.to_string()),
        _ => Ok(()),
    }
}

/// Returns the error of the command-line parser without the usage line.
fn said(refusal: &str) -> String {
    let lines = refusal.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let text = lines.join("; ");
    text.strip_prefix("error: ").unwrap_or(&text).to_owned()
}
