//! `topsell completions`: the script that completes topsell's words in a shell.

use std::io::{self, Write};

use clap::{Args as ClapArgs, Command, ValueEnum};
use clap_complete::aot;

use crate::failure::{Exit, Failure, unless_reader_left};

/// Print a shell completion script
///
/// Completes commands, options, their values, and categories of the current ranking.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  source <(topsell completions bash)
  topsell completions zsh > ~/.zfunc/_topsell        a directory of $fpath, before compinit
  topsell completions fish > ~/.config/fish/completions/topsell.fish
")]
pub struct Completions {
    /// Shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Shells that words are completed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

const NAME: &str = "topsell";
/// The option that takes a category, in whichever command.
const OPTION: &str = "category";
/// What zsh's script does for values that nothing is known of, and for a category's.
const ZSH_CATEGORY: (&str, &str) = (":PATH:_default'", ":PATH:_topsell_categories'");

/// Writes a shell's script.
///
/// # Errors
/// Fails where the output does.
pub fn run(typed: &Completions, root: &Command) -> Result<Exit, Failure> {
    let mut out = io::stdout().lock();
    let written = out.write_all(script(typed.shell, root).as_bytes()).and_then(|()| out.flush());
    written.or_else(unless_reader_left)?;
    Ok(Exit::Success)
}

fn script(shell: Shell, root: &Command) -> String {
    let mut command = visible(root);
    let generated = |generator: aot::Shell, command: &mut Command| {
        let mut script = Vec::new();
        aot::generate(generator, command, NAME, &mut script);
        String::from_utf8_lossy(&script).into_owned()
    };
    match shell {
        Shell::Bash => {
            generated(aot::Shell::Bash, &mut command) + include_str!("../completion/categories.bash")
        }
        Shell::Zsh => {
            let script = generated(aot::Shell::Zsh, &mut command);
            let (first, rest) = script.split_once('\n').unwrap_or(("#compdef topsell", &script));
            let rest = rest.replace(ZSH_CATEGORY.0, ZSH_CATEGORY.1);
            // The first line tells zsh what the file is; the last ones run it.
            format!("{first}\n\n{}{rest}", include_str!("../completion/categories.zsh"))
        }
        Shell::Fish => {
            let mut script =
                generated(aot::Shell::Fish, &mut command) + include_str!("../completion/categories.fish");
            for name in command.get_subcommands().filter(|command| takes_category(command)) {
                script.push_str(&format!(
                    "complete -c topsell -n \"__fish_seen_subcommand_from {}\" -s c -l {OPTION} -x -k -a \"(__topsell_categories)\"\n",
                    name.get_name()
                ));
            }
            script
        }
    }
}

fn takes_category(command: &Command) -> bool {
    command.get_arguments().any(|arg| arg.get_long() == Some(OPTION))
}

/// Returns the command without what is not shown.
fn visible(command: &Command) -> Command {
    let shown = command.get_subcommands().filter(|below| !below.is_hide_set()).cloned();
    let options = command.get_arguments().filter(|arg| !arg.is_hide_set()).cloned();
    let version = command.get_version().unwrap_or_default().to_owned();
    Command::new(NAME).version(version).disable_help_subcommand(true).args(options).subcommands(shown)
}
