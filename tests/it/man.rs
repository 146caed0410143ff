//! `topsell man`: the manual pages.

use std::process::Command;

use crate::world::World;

/// Returns the commands that help lists below one, such as `lake`.
fn listed(world: &World, command: &str) -> Vec<String> {
    let help = world.run(&format!("{command} --help")).stdout;
    let lines = help.lines().skip_while(|line| !line.starts_with("Usage:"));
    let lines = lines.take_while(|line| !line.to_lowercase().ends_with("options:"));
    let indented = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    indented
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help" && name.starts_with(char::is_alphabetic))
        .map(str::to_owned)
        .collect()
}

fn page(world: &World, name: &str) -> String {
    std::fs::read_to_string(world.path("man").join(name)).expect("a page was written")
}

#[test]
fn every_command_has_a_page() {
    let world = World::new();
    let said = world.run("man man");
    assert_eq!((said.stdout.as_str(), said.code), ("", Some(0)), "{}", said.whole());
    let mut expected = vec!["topsell.1".to_owned()];
    let mut open = listed(&world, "");
    while let Some(command) = open.pop() {
        expected.push(format!("topsell-{}.1", command.replace(' ', "-")));
        open.extend(listed(&world, &command).iter().map(|below| format!("{command} {below}")));
    }
    expected.sort_unstable();
    assert!(expected.contains(&"topsell-lake-prune.1".to_owned()), "{expected:?}");
    assert_eq!(world.files("man"), expected);
    for name in expected {
        let page = page(&world, &name);
        for section in
            ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "\"EXIT STATUS\"", "\"SEE ALSO\""]
        {
            assert!(page.contains(&format!(".SH {section}\n")), "{name} has no {section}: {page}");
        }
    }
    let root = page(&world, "topsell.1");
    assert!(
        root.contains(".SH FILES\n")
            && root
                .contains("\\fBTOPSELL_WINDOW\\fR\nAs \\-\\-window of rank and rank plan and cluster local rank and top and serve."),
        "{root}"
    );
    let rank = page(&world, "topsell-rank.1");
    assert!(rank.contains(".SH ENVIRONMENT\n") && rank.contains("TOPSELL_WINDOW"), "{rank}");
    assert!(!rank.contains("TOPSELL_KEEP_VERSIONS"), "{rank}");
}

#[test]
fn pages_are_the_same_every_time() {
    let world = World::new();
    assert_eq!(world.run("man man").code, Some(0));
    assert_eq!(
        world
            .run_in(&[("COLUMNS", "200"), ("TZ", "Asia/Tokyo")], "man again --color always --threads 1")
            .code,
        Some(0)
    );
    for name in world.files("man") {
        let again = std::fs::read_to_string(world.path("again").join(&name)).expect("a page was written");
        assert_eq!(page(&world, &name), again, "{name}");
    }
    world.write("file", "");
    let said = world.run("man file");
    assert_eq!(said.code, Some(1), "{}", said.whole());
}

#[test]
fn a_reader_of_pages_has_nothing_to_complain_of() {
    let world = World::new();
    assert_eq!(world.run("man man").code, Some(0));
    for name in world.files("man") {
        let mut man = Command::new("man");
        man.args(["--warnings", "-E", "UTF-8", "-l", &format!("man/{name}")]).current_dir(world.path("."));
        // Where there is no `man`, there is nobody to ask.
        let Ok(said) = man.output() else { return };
        assert_eq!(
            (String::from_utf8_lossy(&said.stderr).as_ref(), said.status.code()),
            ("", Some(0)),
            "{name}"
        );
    }
}
