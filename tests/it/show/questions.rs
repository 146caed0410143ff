//! What cannot be asked together, and what is said where there is nothing to say.

use expect_test::expect;

use crate::show::shop;

#[test]
fn one_thing_is_asked_at_a_time() {
    let world = shop();
    let refused = |arguments: &str| {
        let said = world.run(&format!("show {arguments}"));
        assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{arguments}");
        assert!(said.stderr.contains("cannot be used with"), "{arguments}: {}", said.stderr);
    };
    let views = ["--item x", "--history x", "--movers", "--new", "--dropped", "--categories", "--search x"];
    let diff = "--diff 2017-01-14T00:00:00Z 2017-01-15T00:00:00Z";
    for (at, view) in views.iter().enumerate() {
        views[at + 1..].iter().for_each(|other| refused(&format!("{view} {other}")));
        refused(&format!("{view} {diff}"));
    }
    for view in ["--categories", "--search x"] {
        refused(&format!("{view} --category Food"));
    }
    refused(&format!("{diff} --at 2017-01-15T00:00:00Z"));
    expect![[r#"
        stderr: error: --at `someday` is not a time; write a date (2017-01-10), RFC 3339 (2017-01-07T13:05:00Z), an epoch number, now, today, yesterday, or a duration before now (7d)
        exit code 2
    "#]]
    .assert_eq(&world.run("show --at someday").whole());
}

#[test]
fn what_is_not_there_is_answered_with_what_is() {
    let world = shop();
    expect![[r#"
        stderr: error: item `aple` is not ranked
        stderr: hint: did you mean `apple`?
        exit code 5
    "#]]
    .assert_eq(&world.run("show --item aple").whole());
    expect![[r#"
        stderr: error: item `4711` is not ranked
        stderr: hint: search for it with `topsell show --search TEXT`
        exit code 5
    "#]]
    .assert_eq(&world.run("show --history 4711").whole());
    expect![[r#"
        stderr: error: no ranked item has `rice` in its name or id
        exit code 5
    "#]]
    .assert_eq(&world.run("show --search rice").whole());
    expect![[r#"
        stderr: error: no published ranking ends at or before 2017-01-14T00:00:00Z
        stderr: hint: the oldest ranking is `--at 2017-01-15T00:00:00Z`
        exit code 5
    "#]]
    .assert_eq(&world.run("show --at 2017-01-14T00:00:00Z").whole());
    for view in ["--movers", "--new", "--dropped"] {
        let said = world.run(&format!("show {view}"));
        assert_eq!(said.code, Some(5), "{view}");
        assert_eq!(
            said.stderr, "error: there is no earlier ranking with the same settings to compare with\n",
            "{view}"
        );
    }
}

#[test]
fn a_list_in_which_nothing_changed_is_empty_and_no_failure() {
    let world = shop();
    let rules = "--window 24h --half-life 12h --min-items 1";
    let again = world.run(&format!("rank --as-of 2017-01-15T01:00:00Z {rules}"));
    assert_eq!(again.code, Some(0), "{}", again.whole());
    expect![[r#"
        stdout: Movers of the whole shop since 2017-01-15T00:00:00Z
        stdout: as of 2017-01-15T01:00:00Z, 24 hours from 2017-01-14T01:00:00Z, half-life 12 h
        stdout: none
        exit code 0
    "#]]
    .assert_eq(&world.run("show --movers --format table").whole());
    assert_eq!(world.run("show --movers --format ndjson").whole(), "exit code 0\n");
    let csv = world.run("show --new --format csv").stdout;
    assert_eq!(csv.lines().count(), 1, "only the header: {csv}");
    assert_eq!(world.run("show --new -o none.parquet").code, Some(0));
}

#[test]
fn a_ranking_is_stale_past_twice_the_time_between_two() {
    let world = shop();
    let rules = "--window 24h --half-life 12h --min-items 1";
    let told = |now: &str| {
        let said = world.run(&format!("show --now {now} --format table --limit 0 --width 0"));
        said.stdout.lines().nth(1).map(str::to_owned).expect("the second line tells of the ranking")
    };
    let alone = told("2017-01-20T00:00:00Z");
    assert_eq!(
        alone, "as of 2017-01-15T00:00:00Z (5 d old), 24 hours from 2017-01-14T00:00:00Z, half-life 12 h",
        "one ranking has no schedule"
    );
    assert_eq!(world.run(&format!("rank --as-of 2017-01-15T06:00:00Z {rules}")).code, Some(0));
    let on_time = told("2017-01-15T18:00:00Z");
    assert!(on_time.starts_with("as of 2017-01-15T06:00:00Z (12 h old), 24 hours"), "{on_time}");
    let late = told("2017-01-15T18:01:00Z");
    assert!(late.starts_with("as of 2017-01-15T06:00:00Z (12 h 1 min old), stale, 24 hours"), "{late}");
    let json = |now: &str| world.run(&format!("show --now {now} --limit 0")).stdout;
    let (first, later) = (json("2017-01-15T18:01:00Z"), json("2017-01-20T00:00:00Z"));
    assert_eq!(first, later, "an answer does not depend on when it was asked for");
    let then = world.run("show --now 2017-01-20T00:00:00Z --at 2017-01-15T06:00:00Z --format table").stdout;
    assert!(!then.contains("old") && !then.contains("stale"), "an old ranking was asked for: {then}");
}

#[test]
fn tables_are_as_wide_as_they_are_told() {
    let world = shop();
    let widest = |width: Option<&str>, arguments: &str| {
        let mut command = world.command(&arguments.split(' ').collect::<Vec<_>>());
        if let Some(cells) = width {
            command.env("COLUMNS", cells);
        }
        let output = command.output().expect("the program starts");
        let text = String::from_utf8(output.stdout).expect("it is text");
        text.lines().map(|line| line.chars().count()).max().expect("there are lines")
    };
    let table = "show --format table";
    assert_eq!(widest(None, table), 78, "a pipe takes lines of any length");
    assert!(widest(Some("50"), table) <= 50);
    assert!(widest(Some("50"), &format!("{table} --width 40")) <= 40);
    assert_eq!(widest(Some("50"), &format!("{table} --width 0")), 78);
    assert_eq!(widest(Some("wide"), table), 78);
}
