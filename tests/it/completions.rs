//! `topsell completions`: words and categories, in the shells that complete them.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::world::{NOW, World};

/// Whatever a shell could stumble over.
const ODD: &str = "Café & \"Thé\" of $HOME's: `x`=y;#\\z";

/// The same as bash is to find it in a line.
const ODD_QUOTED: &str = r#"Café\ \&\ \"Thé\"\ of\ \$HOME\'s:\ \`x\`=y\;\#\\z"#;

fn shop() -> World {
    let world = World::new();
    let mut log = String::new();
    for category in
        ["Books", "Books/Fiction", "Books/Law", "Two words/Or three words", &format!("{ODD}/½ sub")]
    {
        let event =
            serde_json::json!({"ts": "2017-01-14T12:00:00Z", "item_id": category, "category": category});
        writeln!(log, "{event}").expect("a text can grow");
    }
    world.write("log.ndjson", log);
    assert_eq!(world.run("--lake lake ingest log.ndjson").code, Some(0));
    assert_eq!(world.run("--lake lake rank").code, Some(0));
    world
}

/// Returns a shell in the world's folder that finds the program.
fn shell(world: &World, program: &str, arguments: &[&str]) -> Command {
    let folder = Path::new(env!("CARGO_BIN_EXE_topsell")).parent().expect("a program lies in a folder");
    let mut shell = Command::new(program);
    shell
        .args(arguments)
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
        .env("HOME", world.path("."))
        .env("TOPSELL_NOW", NOW)
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "dumb")
        .current_dir(world.path("."));
    shell
}

/// Returns what bash offers for the last word of a line, of which readline would replace `word`.
fn offered(world: &World, line: &str, word: &str) -> String {
    let script = r#"
        source <(topsell completions bash) || exit 1
        COMP_LINE=$1 COMP_POINT=${#1}
        read -ra COMP_WORDS <<<"$1"
        [[ $1 == *' ' ]] && COMP_WORDS+=('')
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _topsell_or_category topsell "$2" "${COMP_WORDS[COMP_CWORD-1]}"
        for found in "${COMPREPLY[@]}"; do printf '%s\n' "$found"; done
    "#;
    let said = world.said(&mut shell(world, "bash", &["--norc", "-c", script, "bash", line, word]), b"");
    assert_eq!((said.stderr.as_str(), said.code), ("", Some(0)), "{line}");
    said.stdout
}

#[test]
fn bash_offers_commands_options_and_their_values() {
    let world = World::new();
    let check = |line: &str, expected: &str| {
        let word = line.rsplit(' ').next().unwrap_or("");
        assert_eq!(
            offered(&world, line, word).split_whitespace().collect::<Vec<_>>().join(" "),
            expected,
            "{line}"
        );
    };
    check("topsell ra", "rank");
    check("topsell lake pr", "prune");
    check("topsell rank --half", "--half-life");
    check("topsell rank --measure ", "units purchases amount");
    check("topsell completions ", &offered_words(&world));
    check("topsell datag", "");
    check("topsell complete-c", "");
}

/// Returns what follows `topsell completions`: its options, and the shells.
fn offered_words(world: &World) -> String {
    let words = offered(world, "topsell completions ", "");
    assert!(words.contains("bash") && words.contains("zsh") && words.contains("fish"), "{words}");
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn bash_offers_categories_a_level_at_a_time_from_the_lake_of_the_line() {
    let world = shop();
    let check = |line: &str, word: &str, expected: &[&str]| {
        assert_eq!(offered(&world, line, word).lines().collect::<Vec<_>>(), expected, "{line}");
    };
    check("topsell --lake lake show --category ", "", &["Books", ODD_QUOTED, "Two\\ words"]);
    check("topsell --lake lake show --category B", "B", &["Books"]);
    check("topsell --lake lake show --category Books", "Books", &["Books/Fiction", "Books/Law"]);
    check("topsell --lake=lake show --category Books/L", "Books/L", &["Books/Law"]);
    check("topsell show --lake 'lake' --category=Tw", "Tw", &["Two\\ words"]);
    check("topsell show --lake l\\ake --category \"Two w", "Two w", &["Two words"]);
    check(
        "topsell show --lake ~/lake --category Two\\ words/",
        "Two\\ words/",
        &["Two\\ words/Or\\ three\\ words"],
    );
    check("topsell show --lake lake --category nothing", "nothing", &[]);
    // Nothing of the line is run.
    check("topsell show --lake $(touch${IFS}ran) --category B", "B", &[]);
    check("topsell show --lake `touch${IFS}ran` --category B", "B", &[]);
    assert!(!world.path("ran").exists());
}

#[test]
fn a_lake_that_is_set_is_asked_and_none_is_met_with_silence() {
    let world = shop();
    assert_eq!(offered(&world, "topsell show --category Bo", "Bo"), "", "no lake, no answer");
    let before = world.files(".");
    world.write(".config/topsell/config.toml", "lake = \"../../lake\"\n");
    assert_eq!(offered(&world, "topsell show --category Bo", "Bo"), "Books\n");
    world.write(".config/topsell/config.toml", "leak = 1\n");
    assert_eq!(offered(&world, "topsell show --category Bo", "Bo"), "");
    assert_eq!(world.files(".").len(), before.len() + 1, "asking leaves nothing behind");
}

#[test]
fn what_bash_puts_into_the_line_is_quoted_so_that_the_answer_comes() {
    let world = shop();
    // `script` has a terminal of its own, on which bash takes what is typed.
    let typed = |line: &str| {
        let keys = format!("source <(topsell completions bash); PS1=\n{line}\nexit\n");
        world
            .said(&mut shell(&world, "script", &["-qec", "bash --norc -i", "/dev/null"]), keys.as_bytes())
            .stdout
    };
    for line in [
        "topsell --lake lake show --format csv --category Caf\t/\t",
        "topsell --lake lake show --format csv --category=Caf\t/\t",
        "topsell --lake lake show --format csv --category Caf\t\t\t",
        "topsell --lake lake show --format csv --category \"Caf\t\t\t",
        "topsell --lake lake show --format csv --category 'Caf\t\t\t",
    ] {
        let said = typed(line);
        assert!(said.contains("½ sub\",1,\"Café"), "{line:?}: {said}");
    }
}

#[test]
fn the_other_shells_scripts_ask_for_categories_too() {
    let world = World::new();
    let zsh = world.run("completions zsh").stdout;
    assert!(zsh.starts_with("#compdef topsell\n") && zsh.contains("_topsell_categories()"), "{zsh}");
    assert!(zsh.contains("]:PATH:_topsell_categories' \\"), "--category is completed by it: {zsh}");
    assert!(!zsh.contains(":PATH:_default"), "no category is left to files: {zsh}");
    let fish = world.run("completions fish").stdout;
    let show = "complete -c topsell -n \"__fish_seen_subcommand_from show\" -s c -l category -x -k -a \"(__topsell_categories)\"";
    assert!(fish.contains(show) && fish.contains("function __topsell_categories"), "{fish}");
    for (shell, script) in [("bash", world.run("completions bash").stdout), ("zsh", zsh), ("fish", fish)] {
        assert!(!script.contains("datagen"), "{shell}: what is hidden is not completed");
    }
    let odd = world.run("completions tcsh");
    assert_eq!(odd.code, Some(2), "{}", odd.whole());
}
