//! What will run when, and what is wrong with how it is written down: `topsell schedule --list` and `--check`.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

use expect_test::expect;

use topsell_ops::job_spec::Sources;

use crate::world::{Said, World};

const NIGHTLY: &str = r#"
schedule = "30 2 * * *"
time_zone = "Europe/Berlin"
steps = ["lake compact --wait", { run = "rank --all-items", success_exit_codes = [6] }]
"#;
const CRONTAB: &str = "CRON_TZ=Australia/Lord_Howe\n15 2 1 10 *  echo 'spring' | mail%there\n";

/// The night before clocks in Berlin go forward.
fn at_night(world: &World, arguments: &str) -> Said {
    world.run_in(&[("TOPSELL_NOW", "2017-03-24T12:00:00Z")], arguments)
}

fn two_jobs() -> World {
    let world = World::new();
    world.write("jobs/nightly.toml", NIGHTLY);
    world.write("jobs/hand.toml", "steps = [{ exec = [\"true\"] }]");
    world.write("jobs/notes.txt", "no job");
    world.write("jobs/.hidden.toml", "no job either");
    world.write("tab", CRONTAB);
    world
}

fn set_mode(world: &World, name: &str, mode: u32) {
    fs::set_permissions(world.path(name), Permissions::from_mode(mode)).expect("a mode can be set");
}

fn is_root(world: &World) -> bool {
    fs::metadata(world.path(".")).expect("the world is there").uid() == 0
}

#[test]
fn due_runs_are_listed_in_the_order_of_their_times() {
    let world = two_jobs();
    let said = at_night(&world, "schedule --jobs jobs --crontab tab --list --limit 3 --format table");
    expect![[r#"
        stdout: due                        UTC                   job           what
        stdout: 2017-03-25T02:30:00+01:00  2017-03-25T01:30:00Z  nightly       lake compact --wait; rank --all-items
        stdout: 2017-03-26T03:00:00+02:00  2017-03-26T01:00:00Z  nightly       lake compact --wait; rank --all-items
        stdout: 2017-03-27T02:30:00+02:00  2017-03-27T00:30:00Z  nightly       lake compact --wait; rank --all-items
        stdout: 2017-10-01T02:30:00+11:00  2017-09-30T15:30:00Z  tab-91943513  echo 'spring' | mail
        stdout: 2018-10-01T02:15:00+10:30  2018-09-30T15:45:00Z  tab-91943513  echo 'spring' | mail
        stdout: 2019-10-01T02:15:00+10:30  2019-09-30T15:45:00Z  tab-91943513  echo 'spring' | mail
        stderr: note: jobs without a schedule: hand
        exit code 0
    "#]].assert_eq(&said.whole());
    // Neither a lake is needed, nor a folder to be named.
    let said = at_night(&world, "schedule --list --limit 1 --format csv");
    expect![[r#"
        stdout: due,utc,job,time_zone,schedule,what
        stdout: 2017-03-25T02:30:00+01:00,2017-03-25T01:30:00Z,nightly,Europe/Berlin,30 2 * * *,lake compact --wait; rank --all-items
        stderr: note: jobs without a schedule: hand
        exit code 0
    "#]].assert_eq(&said.whole());
    let said = at_night(&world, "schedule --list --until 2017-03-27T00:30:01Z --format ndjson --quiet");
    expect![[r#"
        stdout: {"due":"2017-03-25T02:30:00+01:00","job":"nightly","schedule":"30 2 * * *","time_zone":"Europe/Berlin","utc":"2017-03-25T01:30:00Z","what":["lake compact --wait","rank --all-items"]}
        stdout: {"due":"2017-03-26T03:00:00+02:00","job":"nightly","schedule":"30 2 * * *","time_zone":"Europe/Berlin","utc":"2017-03-26T01:00:00Z","what":["lake compact --wait","rank --all-items"]}
        stdout: {"due":"2017-03-27T02:30:00+02:00","job":"nightly","schedule":"30 2 * * *","time_zone":"Europe/Berlin","utc":"2017-03-27T00:30:00Z","what":["lake compact --wait","rank --all-items"]}
        exit code 0
    "#]].assert_eq(&said.whole());
    let said = at_night(&world, "schedule --list --limit 1");
    expect![[r#"
        stdout: {
        stdout:   "schema": 1,
        stdout:   "after": "2017-03-24T12:00:00Z",
        stdout:   "runs": [
        stdout:     {"due":"2017-03-25T02:30:00+01:00","job":"nightly","schedule":"30 2 * * *","time_zone":"Europe/Berlin","utc":"2017-03-25T01:30:00Z","what":["lake compact --wait","rank --all-items"]}
        stdout:   ],
        stdout:   "unscheduled": ["hand"]
        stdout: }
        stderr: note: jobs without a schedule: hand
        exit code 0
    "#]].assert_eq(&said.whole());
}

#[test]
fn a_zone_is_taken_for_schedules_that_name_none() {
    let world = World::new();
    world.write("jobs/a.toml", "schedule = '@daily'\nsteps = ['rank']");
    world.write("tab", "@daily x\n");
    let said =
        at_night(&world, "schedule --jobs jobs --crontab tab --list --limit 1 --tz asia/tokyo --format csv");
    expect![[r#"
        stdout: due,utc,job,time_zone,schedule,what
        stdout: 2017-03-25T00:00:00+09:00,2017-03-24T15:00:00Z,a,Asia/Tokyo,@daily,rank
        stdout: 2017-03-25T00:00:00+09:00,2017-03-24T15:00:00Z,tab-6a4775a1,Asia/Tokyo,@daily,x
        exit code 0
    "#]]
    .assert_eq(&said.whole());
    let said = world.run("schedule --list --tz Asia/Nowhere");
    expect![[r#"
        stderr: error: --tz: `Asia/Nowhere` is not a time zone; pass a name such as Europe/Berlin, or UTC
        exit code 2
    "#]]
    .assert_eq(&said.whole());
}

#[test]
fn all_well_is_said_and_all_that_is_wrong_is_named() {
    let world = two_jobs();
    expect![[r#"
        stderr: 3 jobs, no errors found
        exit code 0
    "#]]
    .assert_eq(&world.run("schedule --check --crontab tab --jobs jobs").whole());
    world.write("jobs/bad.toml", "schedule = \"30 25 * * *\"\nsteps = [\"rank --windw 3h\", \"rank --window 3x\", \"schedule\", \"rank --help\", \"lake\", \"rank --wait\"]\n");
    world.write("jobs/broken.toml", "schedule = ");
    world.write("jobs/twin.toml", "name = \"hand\"\nsteps = [\"rank\"]");
    world.write("jobs/latin.toml", b"steps = ['\n\xe9']");
    world.write("tab", "MAILTO=root\n@reboot x\n* * * *\n");
    let said = world.run("schedule --check --crontab tab --crontab none --jobs jobs");
    expect![[r#"
        stderr: warning: tab:1: MAILTO is not supported: no mail is sent; the end of the output is kept in the run record
        stderr: warning: tab:2: @reboot is not supported; start `x` together with the scheduler
        stderr: error: jobs/bad.toml:1:12: invalid schedule `30 25 * * *`: invalid hour `25`: expected 0 to 23
        stderr: error: jobs/bad.toml:2:10: step `rank --windw 3h`: unexpected argument '--windw' found; tip: a similar argument exists: '--window'
        stderr: error: jobs/bad.toml:2:29: step `rank --window 3x`: --window: `3x` is not a duration; pass a whole number and a unit (s, min, h, d, w, y), such as 150h or 7d
        stderr: error: jobs/bad.toml:2:49: step `schedule`: `schedule` never ends, so it cannot be a step
        stderr: error: jobs/bad.toml:2:61: step `rank --help`: prints help or a version, which is not a step
        stderr: error: jobs/bad.toml:2:76: step `lake`: 'lake' requires a subcommand but one was not provided; [subcommands: compact, prune, copy, verify, repair, upgrade, stats]
        stderr: error: jobs/broken.toml:1:12: invalid TOML: string values must be quoted, expected literal string
        stderr: error: jobs/latin.toml:2:1: not valid UTF-8
        stderr: error: jobs/twin.toml:1: job `hand` is already defined at jobs/hand.toml:1; rename one of them
        stderr: error: tab:3:1: expected a variable, or a schedule of five fields and a command
        stderr: error: none: No such file or directory (os error 2)
        stderr: 2 jobs; 11 errors
        exit code 2
    "#]].assert_eq(&said.whole());
    // What can be told is told.
    let said = at_night(&world, "schedule --list --limit 1 --jobs jobs --format csv --quiet");
    assert_eq!((said.code, said.stdout.lines().count()), (Some(2), 2), "{}", said.whole());
    let empty = World::new();
    empty.write("jobs/none.txt", "");
    expect![[r#"
        stderr: error: no jobs found
        exit code 5
        stderr: error: no jobs found
        exit code 5
        stderr: error: nowhere: No such file or directory (os error 2)
        stderr: 0 jobs; 1 error
        exit code 2
    "#]]
    .assert_eq(
        &["schedule --check", "schedule --list", "schedule --check --jobs nowhere"]
            .map(|words| empty.run(words).whole())
            .concat(),
    );
}

#[test]
fn a_file_that_others_may_write_is_refused() {
    let world = World::new();
    world.write("jobs/a.toml", "steps = [\"rank\"]");
    world.write("tab", "@daily x\n");
    let check = |expected: Option<&str>| {
        let said = world.run("schedule --check --jobs jobs --crontab tab");
        assert_eq!(said.code, Some(if expected.is_some() { 2 } else { 0 }), "{}", said.whole());
        assert!(said.stderr.contains(expected.unwrap_or("2 jobs, no errors found")), "{}", said.whole());
    };
    check(None);
    for (name, mode, fault) in [
        (
            "jobs/a.toml",
            0o664,
            "jobs/a.toml: writable by group or others (mode 664), who could change what runs",
        ),
        ("jobs/a.toml", 0o646, "jobs/a.toml: writable by group or others (mode 646)"),
        ("tab", 0o620, "tab: writable by group or others (mode 620)"),
        ("jobs", 0o775, "jobs: writable by group or others (mode 775)"),
        ("jobs", 0o1777, "jobs: writable by group or others (mode 1777)"),
    ] {
        let before = fs::metadata(world.path(name)).expect("it is there").mode() & 0o7777;
        set_mode(&world, name, mode);
        check(Some(fault));
        set_mode(&world, name, before);
    }
    check(None);
    // Only root can give a file away.
    if is_root(&world) {
        for name in ["jobs/a.toml", "tab", "jobs"] {
            chown(world.path(name), Some(12_345), None).expect("root gives a file away");
            check(Some(&format!("{name}: owned by uid 12345, expected root or the current user")));
            chown(world.path(name), Some(0), None).expect("root takes it back");
        }
    }
    fs::remove_file(world.path("tab")).expect("a file can be removed");
    fs::create_dir(world.path("tab")).expect("a folder can be made");
    check(Some("tab: not a regular file"));
}

#[test]
fn a_change_of_any_file_can_be_seen_from_outside() {
    let world = two_jobs();
    let sources = Sources {
        folder: Some(world.path("jobs")),
        crontabs: vec![world.path("tab"), world.path("later")],
        accounts: None,
        time_zone: "UTC".to_owned(),
    };
    let mut before = sources.file_stamps();
    assert_eq!(before, sources.file_stamps());
    let mut check = |what: &str| {
        let after = sources.file_stamps();
        assert_ne!(before, after, "{what}");
        before = after;
    };
    world.write("jobs/nightly.toml", NIGHTLY.replace("30 2", "30 12"));
    check("a file has grown");
    world.write("new", NIGHTLY.replace("30 2", "40 12"));
    fs::rename(world.path("new"), world.path("jobs/nightly.toml")).expect("a file can be renamed");
    check("a file is another");
    world.write("jobs/more.toml", NIGHTLY);
    check("there is one more");
    world.write("later", CRONTAB);
    check("one is there at last");
    set_mode(&world, "tab", 0o666);
    check("others may write it");
    fs::remove_file(world.path("tab")).expect("a file can be removed");
    check("one is gone");
}

#[test]
fn crontabs_of_all_accounts_are_for_root() {
    let world = World::new();
    let home = |name: &str| world.path("home").join(name).display().to_string();
    let accounts = format!(
        "root:x:0:0:root:{}:/bin/bash\nann:x:12345:12346:Ann:{}:/bin/bash\nbob:x:12347:12346::{}:/bin/sh\n\
         eve:x:12348:12346::{}:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\nnonsense\n+::::::\n",
        home("root"),
        home("ann"),
        home("bob"),
        home("eve")
    );
    world.write("accounts", accounts);
    let list = "schedule --all-users --accounts accounts --list --limit 1 --format ndjson";
    world.write("home/ann/.crontab", "MAILTO=ann\n30 4 * * * $HOME/bin/report\n");
    if !is_root(&world) {
        let said = at_night(&world, list);
        assert_eq!(said.code, Some(2), "{}", said.whole());
        assert!(said.stderr.contains("by root only"), "{}", said.whole());
        return;
    }
    chown(world.path("home/ann/.crontab"), Some(12_345), None).expect("root gives a file away");
    // A link leads to what may be anybody's; a file of root's is not bob's to have run.
    fs::create_dir_all(world.path("home/eve")).expect("a folder can be made");
    symlink(world.path("home/ann/.crontab"), world.path("home/eve/.crontab")).expect("a link can be made");
    world.write("home/bob/.crontab", "@daily id\n");
    let said = at_night(&world, list);
    expect![[r#"
        stdout: {"due":"2017-03-25T04:30:00+00:00","job":"ann-2f7355ce","schedule":"30 4 * * *","time_zone":"UTC","utc":"2017-03-25T04:30:00Z","what":["$HOME/bin/report"]}
        stderr: warning: WORLD/home/ann/.crontab:1: MAILTO is not supported: no mail is sent; the end of the output is kept in the run record
        stderr: error: WORLD/home/bob/.crontab: owned by uid 0, expected the owner of the home folder, uid 12347
        stderr: error: WORLD/home/eve/.crontab: symbolic links are not allowed here
        exit code 2
    "#]].assert_eq(&said.whole());
    // Another name of a file may lie where someone else decides.
    fs::hard_link(world.path("home/ann/.crontab"), world.path("home/ann/other")).expect("a link can be made");
    let said = at_night(&world, list);
    assert!(said.stderr.contains("home/ann/.crontab: has more than one hard link"), "{}", said.whole());
    assert_eq!(said.stdout, "");
}
