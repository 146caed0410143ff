//! When help, errors and tables are colored.

use std::process::Stdio;

use crate::world::World;

const LOG: &str = "ts,item_id\n2017-01-14T12:00:00Z,a\n";

fn shop() -> World {
    let world = World::new();
    world.write("log.csv", LOG);
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    assert_eq!(world.run("rank").code, Some(0));
    world
}

#[test]
fn help_errors_and_tables_are_colored_by_one_rule() {
    let world = shop();
    let asked = ["show --format table", "show --help", "--help", "show --category Nowhere", "show --limti 3"];
    let check = |variables: &[(&str, &str)], flags: &str, expected: bool| {
        for words in asked {
            let said = world.run_in(variables, &format!("{words} {flags}"));
            let is_bright = said.whole().contains('\x1b');
            assert_eq!(is_bright, expected, "{variables:?} {words} {flags}: {}", said.whole());
        }
    };
    check(&[], "", false);
    check(&[], "--color always", true);
    check(&[], "--color=always", true);
    check(&[("NO_COLOR", "1"), ("TERM", "dumb")], "--color always", true);
    check(&[("FORCE_COLOR", "1")], "", true);
    check(&[("FORCE_COLOR", "1")], "--color never", false);
    check(&[("FORCE_COLOR", "0")], "", false);
    check(&[("FORCE_COLOR", "")], "", false);
    check(&[("FORCE_COLOR", "1"), ("TERM", "dumb")], "", true);
    check(&[("FORCE_COLOR", "1"), ("NO_COLOR", "1")], "", false);
    check(&[("FORCE_COLOR", "1"), ("NO_COLOR", "")], "", true);
    check(&[("TOPSELL_COLOR", "always")], "", true);
    check(&[("TOPSELL_COLOR", "never"), ("FORCE_COLOR", "1")], "", false);
    check(&[("TOPSELL_COLOR", "never")], "--color always", true);
    world.write(".config/topsell/config.toml", "color = \"always\"\n");
    check(&[], "", true);
    check(&[], "--color never", false);
    check(&[("TOPSELL_COLOR", "auto")], "", false);
}

#[test]
fn a_terminal_is_colored_unless_it_is_dumb() {
    let world = shop();
    // `script` runs a command on a terminal of its own.
    let on_terminal = |variables: &[(&str, &str)]| {
        let program = env!("CARGO_BIN_EXE_topsell");
        let mut script = std::process::Command::new("script");
        script
            .args(["-qec", &format!("{program} show"), "/dev/null"])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", world.path("."))
            .env("TOPSELL_NOW", crate::world::NOW)
            .envs(variables.iter().copied())
            .current_dir(world.path("."))
            .stderr(Stdio::piped());
        world.said(&mut script, b"").stdout
    };
    let bright = on_terminal(&[("TERM", "xterm")]);
    assert!(bright.contains("Best sellers") && bright.contains("\x1b[1m"), "{bright:?}");
    assert!(!on_terminal(&[("TERM", "dumb")]).contains("\x1b[1m"));
    assert!(!on_terminal(&[("TERM", "xterm"), ("NO_COLOR", "1")]).contains("\x1b[1m"));
}
