//! When to use colors: one rule for help, errors and tables.

use std::env;
use std::ffi::OsString;
use std::io::IsTerminal;

use clap::ColorChoice;

/// What the environment says about colors.
struct Surroundings {
    no_color: bool,
    force_color: bool,
    is_dumb: bool,
    is_terminal: bool,
}

/// Returns the typed `--color`, which help and usage errors follow too.
pub fn typed(words: impl Iterator<Item = OsString>) -> Option<ColorChoice> {
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let after = words.iter().position(|word| word == "--color").and_then(|at| words.get(at + 1));
    let joined = words.iter().find_map(|word| word.strip_prefix("--color="));
    joined.or(after.map(String::as_str))?.parse().ok()
}

/// Returns whether what is written to a stream is colored.
///
/// A choice goes before `NO_COLOR`, that before `FORCE_COLOR`, that before `TERM=dumb`, and that
/// before whether the stream is a terminal.
pub fn is_bright(choice: ColorChoice, stream: &impl IsTerminal) -> bool {
    let value = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let surroundings = Surroundings {
        no_color: value("NO_COLOR").is_some(),
        force_color: value("FORCE_COLOR").is_some_and(|value| value != "0"),
        is_dumb: is_dumb(),
        is_terminal: stream.is_terminal(),
    };
    decide(choice, &surroundings)
}

/// Returns whether the terminal can do nothing but print.
pub fn is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "dumb")
}

fn decide(choice: ColorChoice, surroundings: &Surroundings) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if surroundings.no_color => false,
        ColorChoice::Auto if surroundings.force_color => true,
        ColorChoice::Auto => surroundings.is_terminal && !surroundings.is_dumb,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_says_before_the_next() {
        let check = |choice, words: &str, expected: bool| {
            let surroundings = Surroundings {
                no_color: words.contains("NO_COLOR"),
                force_color: words.contains("FORCE_COLOR"),
                is_dumb: words.contains("dumb"),
                is_terminal: words.contains("terminal"),
            };
            assert_eq!(decide(choice, &surroundings), expected, "{choice:?} {words}");
        };
        check(ColorChoice::Always, "NO_COLOR dumb", true);
        check(ColorChoice::Never, "FORCE_COLOR terminal", false);
        check(ColorChoice::Auto, "NO_COLOR FORCE_COLOR terminal", false);
        check(ColorChoice::Auto, "FORCE_COLOR dumb", true);
        check(ColorChoice::Auto, "dumb terminal", false);
        check(ColorChoice::Auto, "terminal", true);
        check(ColorChoice::Auto, "", false);
    }
}
