//! `topsell lake prune`: hours past the retention, files that nothing names, old rankings.

use std::time::Duration;

use expect_test::expect;
use topsell_core::delta::Commit;
use topsell_core::lake::Lake;
use topsell_core::storage::Store;

use crate::world::{World, fields_of};

/// A moment after any file's last change, from which nothing looks new.
const LATER: &str = "2100-01-01T00:00:00Z";

/// A lake with a sale in each of some hours of two days, aggregated and ranked.
fn shop() -> World {
    let world = World::new();
    let mut log = String::from("ts,event_id,item_id,category,quantity\n");
    for (day, hour) in [(12, 1), (12, 22), (12, 23), (14, 0), (14, 5)] {
        let line = format!("2017-01-{day}T{hour:02}:30:00Z,{day}-{hour},item{hour},Food/Fruit|A%2FB,2\n");
        log.push_str(&line);
    }
    world.write("log.csv", log);
    for command in ["ingest log.csv", "rank"] {
        let said = world.run(command);
        assert_eq!(said.code, Some(0), "{}", said.whole());
    }
    world
}

/// Returns the data files of both tables.
fn data_files(world: &World) -> Vec<String> {
    let mut files = world.files("data/lake");
    files.retain(|name| name.ends_with(".parquet") && !name.contains("_delta_log"));
    files.retain(|name| name.starts_with("events/") || name.starts_with("rollups/"));
    files
}

/// Commits to the `events` table until it has a version, no commit bringing a row.
fn commit_until(world: &World, version: u64) {
    let store = Store::open(&world.path("data/lake")).expect("a folder can be named");
    let lake = Lake::open(store).expect("the lake is there");
    let newest = || lake.events().newest().expect("the log can be read");
    while newest().number() < version {
        let commit = Commit { transactions: vec![("a".to_owned(), 1)], ..Commit::default() };
        newest().commit(&commit).expect("the log can be written");
    }
}

#[test]
fn hours_past_the_retention_expire_with_their_aggregates_and_the_plan_lists_them() {
    let world = shop();
    let before = world.files_of_lake();
    expect![[r#"
        stdout: expire 2017-01-12T01:00:00Z
        stdout: expire 2017-01-12T22:00:00Z
        stdout: expire 2017-01-12T23:00:00Z
        stderr: prune: 3 hours before 2017-01-13T00:00:00Z would expire, 6 rows in 2 files
        stderr: prune: 0 unreferenced files and 0 old rankings would be removed, 0 B
        stderr: warning: without --yes this would be refused: 6 of 10 rows, more than half of the lake, are of hours before 2017-01-13T00:00:00Z
        exit code 0
    "#]]
    .assert_eq(&world.run("lake prune --retention 48h --dry-run").whole());
    assert_eq!(world.files_of_lake(), before, "a dry run removes nothing");
    expect![[r#"
        stderr: prune: 3 hours before 2017-01-13T00:00:00Z expired, 6 rows in 2 files
        stderr: prune: 0 unreferenced files and 0 old rankings removed, 0 B
        exit code 0
    "#]]
    .assert_eq(&world.run("lake prune --retention 48h --yes").whole());
    expect![[r#"
        item,units,purchases,amount
        item0,2,1,0.0000
        item5,2,1,0.0000
        A%2FB: 2
        Food: 2
        Food/Fruit: 2
    "#]]
    .assert_eq(&world.sold());
    expect![[r#"
        stderr: gap: no events for 4 hours from 2017-01-14T01:00:00Z
        stderr: verify: 2 event files, 1 rollup file, 6 log files, 2 rankings, aggregates of 2 category days recomputed; no problems found
        exit code 0
    "#]].assert_eq(&world.run("lake verify").whole());
    expect![[r#"
        stderr: prune: no hours before 2017-01-13T00:00:00Z
        stderr: prune: 0 unreferenced files and 0 old rankings removed, 0 B
        exit code 0
    "#]]
    .assert_eq(&world.run("lake prune --retention 48h --yes").whole());
}

#[test]
fn without_a_retention_every_hour_stays() {
    let world = shop();
    let sold = world.sold();
    expect![[r#"
        stderr: prune: all hours are kept; neither --retention nor topsell.toml limits them
        stderr: prune: 0 unreferenced files and 0 old rankings removed, 0 B
        exit code 0
    "#]]
    .assert_eq(&world.run("lake prune").whole());
    assert_eq!(world.sold(), sold);
}

#[test]
fn the_lakes_own_retention_governs_what_is_dropped_and_what_is_taken_in() {
    let world = shop();
    let older = world.run_with(&["ingest", "-"], b"ts,item_id\n2017-01-11T23:59:59Z,older\n");
    assert_eq!(older.code, Some(0), "{}", older.whole());
    world.write("data/lake/topsell.toml", "retention = \"49h\"\n");
    let log = "ts,item_id\n2017-01-11T23:59:59Z,old\n2017-01-12T00:00:00Z,kept\n";
    let said = world.run_with(&["ingest", "-"], log.as_bytes());
    expect![[r#"
        stderr: rejected: -:2: ts `2017-01-11T23:59:59Z` is past the lake's retention, which starts at 2017-01-12T00:00:00Z
        stderr: ingest: 2 read = 1 accepted + 0 duplicate + 1 rejected, 1 new batch
        exit code 4
    "#]].assert_eq(&said.whole());
    expect![[r#"
        stderr: prune: 1 hour before 2017-01-12T00:00:00Z expired, 1 row in 1 file
        stderr: prune: 0 unreferenced files and 0 old rankings removed, 0 B
        exit code 0
    "#]]
    .assert_eq(&world.run("lake prune").whole());
    expect![[r#"
        item,units,purchases,amount
        item0,2,1,0.0000
        item1,2,1,0.0000
        item22,2,1,0.0000
        item23,2,1,0.0000
        item5,2,1,0.0000
        kept,1,1,0.0000
        A%2FB: 5
        Food: 5
        Food/Fruit: 5
    "#]]
    .assert_eq(&world.sold());
}

/// An id counts once a day, in its smallest version. When the retention ended at any hour, the
/// larger version began to count as soon as the smaller one's hour was dropped.
#[test]
fn a_day_goes_whole_so_that_no_other_version_of_an_event_comes_to_count() {
    let world = World::new();
    world.write(
        "log.csv",
        "ts,event_id,item_id,quantity\n2017-01-14T00:59:00Z,e1,A,2\n2017-01-14T01:05:00Z,e1,A,3\n\
         2017-01-15T00:00:00Z,e2,C,1\n",
    );
    assert_eq!(world.run("ingest --now 2017-01-15T01:00:00Z log.csv").code, Some(4));
    for (now, left) in [
        ("2017-01-15T01:00:00Z", "A,2 C,1"),
        ("2017-01-15T02:00:00Z", "A,2 C,1"),
        ("2017-01-15T23:59:59Z", "A,2 C,1"),
        ("2017-01-16T00:00:00Z", "C,1"),
    ] {
        assert_eq!(world.run(&format!("lake prune --yes --retention 24h --now {now}")).code, Some(0));
        assert_eq!(world.run(&format!("rank --now {now} --no-decay")).code, Some(0));
        let shown = world.run("show --format csv").stdout;
        let items = fields_of(&shown, ["item_id", "units"]);
        let items: Vec<String> = items.iter().map(|row| row.join(",")).collect();
        assert_eq!(items.join(" "), left, "at {now}: {shown}");
    }
}

#[test]
fn settings_that_make_no_sense_are_refused_and_nothing_is_lost() {
    let world = shop();
    for (settings, what) in [
        ("retention = 400\n", "is not a duration"),
        ("retention = \"400\"\n", "is not a duration"),
        ("retention = \"90min\"\n", "whole number of hours"),
        ("retentoin = \"400d\"\n", "unknown setting `retentoin`\nhint: did you mean `retention`?"),
        ("retention = \"400d", "invalid TOML"),
        ("\u{0}", "invalid TOML"),
    ] {
        world.write("data/lake/topsell.toml", settings);
        for command in ["lake prune", "ingest log.csv"] {
            let said = world.run(command);
            assert_eq!(said.code, Some(2), "{}", said.whole());
            assert!(
                said.stderr.contains("topsell.toml:1: ") && said.stderr.contains(what),
                "{}",
                said.whole()
            );
        }
    }
    std::fs::remove_file(world.path("data/lake/topsell.toml")).expect("a file can be removed");
    assert!(world.run("lake prune").stderr.contains("all hours are kept"));
}

#[test]
fn files_that_no_kept_version_names_go_and_the_others_stay() {
    let world = shop();
    let ranking = world.snapshot("data/lake");
    world.write("more.csv", "ts,item_id,category\n2017-01-12T01:30:00Z,more,Food/Fruit\n");
    for command in ["ingest more.csv", "rollup", "lake compact"] {
        assert_eq!(world.run(command).code, Some(0));
    }
    // What a killed run leaves: a file that no commit names, and one that was never finished.
    let folder = "data/lake/events/event_type=purchase/category_group=~09/date=2017-01-12";
    world.write(&format!("{folder}/0123456789abcdef-00000.parquet"), "litter");
    world.write(&format!("{folder}/fedcba9876543210-00000.parquet#1"), "half");
    world.write("data/lake/events/_delta_log/00000000000000000099.json#1", "half");
    // Somebody else's: below a folder that the format tells us to leave alone, or of no kind of ours.
    let foreign = ["_somebody/else.parquet", "_somebody/else.parquet#1", "deletion_vector_1.bin", "notes#1"];
    for name in foreign {
        world.write(&format!("data/lake/events/{name}"), "not ours");
    }
    let all = data_files(&world);
    expect![[r#"
        stderr: prune: all hours are kept; neither --retention nor topsell.toml limits them
        stderr: prune: 0 unreferenced files and 0 old rankings removed, 0 B
        exit code 0
    "#]]
    .assert_eq(&world.run("lake prune").whole());
    assert_eq!(data_files(&world), all, "all are newer than a week");
    let said = world.run(&format!("lake prune --yes --now {LATER} --keep-versions 0s"));
    assert!(said.stderr.contains("6 unreferenced files and 0 old rankings removed"), "{}", said.whole());
    let left = world.files("data/lake/events");
    let litter = ["0123456789abcdef", "fedcba9876543210", "99.json#1"];
    assert!(!left.iter().any(|name| litter.iter().any(|litter| name.contains(litter))), "{left:?}");
    assert!(foreign.iter().all(|name| left.iter().any(|left| left == name)), "{left:?}");
    let stats: serde_json::Value =
        serde_json::from_str(&world.run("lake stats").stdout).expect("stats are JSON");
    let live = stats["events"]["files"].as_u64().zip(stats["rollups"]["files"].as_u64());
    let live = live.map(|(events, rollups)| events + rollups + 1);
    assert_eq!(Some(data_files(&world).len() as u64), live, "what is named is all that is left");
    assert_eq!(world.snapshot("data/lake"), ranking);
    assert_eq!(world.run("lake verify").code, Some(0));
}

/// Listed through the object store, one such name below the table stopped every prune for ever.
#[cfg(unix)]
#[test]
fn names_that_are_no_text_stop_no_prune_and_stay() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let world = shop();
    world.write("data/lake/events/litter.parquet", "litter");
    let strange = [&b"\xff.parquet"[..], b"\xff.parquet#1", b"a\nb.parquet"];
    let strange = strange.map(|name| world.path("data/lake/events").join(OsStr::from_bytes(name)));
    let folder = world.path("data/lake/events").join(OsStr::from_bytes(b"\xfe"));
    std::fs::create_dir(&folder).expect("a folder can be made");
    for path in strange.iter().chain([&folder.join("in.parquet")]) {
        std::fs::write(path, "not ours").expect("a file can be written");
    }
    let said = world.run(&format!("lake prune --yes --now {LATER} --keep-versions 0s"));
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert!(said.stderr.contains("1 unreferenced file and"), "{}", said.whole());
    assert!(strange.iter().chain([&folder.join("in.parquet")]).all(|path| path.exists()));
}

#[test]
fn old_rankings_go_but_never_the_newest() {
    let world = shop();
    assert_eq!(world.run("rank --as-of 2017-01-14T00:00:00Z").code, Some(0));
    let newest = world.snapshot("data/lake");
    let rankings = |world: &World| world.files("data/lake/rankings").len();
    assert_eq!(rankings(&world), 5, "two rankings, a pointer beside each, and the current one");
    world.run("lake prune");
    assert_eq!(rankings(&world), 5, "both are new");
    let said = world.run(&format!("lake prune --yes --now {LATER} --keep-weekly 0s"));
    assert!(said.stderr.contains(" and 1 old ranking removed"), "{}", said.whole());
    assert_eq!((rankings(&world), world.snapshot("data/lake")), (3, newest));
}

/// A run that was killed while it wrote what every item comes to left hundreds of megabytes behind,
/// which nothing ever removed.
#[test]
fn what_a_killed_ranking_left_half_written_goes() {
    let world = shop();
    assert_eq!(world.run("rank --all-items").code, Some(0));
    let [rankings, totals] = ["rankings", "totals"].map(|folder| world.files(&format!("data/lake/{folder}")));
    world.write("data/lake/rankings/2017-01-15T00Z-0123456789abcdef.parquet#1", "half");
    world.write("data/lake/totals/2017-01-15T00Z-0123456789abcdef.parquet#27", "half");
    let said = world.run("lake prune");
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert_eq!(world.files("data/lake/rankings"), rankings);
    assert_eq!(world.files("data/lake/totals"), totals);
    assert_eq!(world.run("rank --as-of 2017-01-14T00:00:00Z --all-items").code, Some(0));
    let said = world.run(&format!("lake prune --yes --now {LATER}"));
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert_eq!(world.files("data/lake/totals").len(), 2, "the newest and its pointer");
    assert_eq!(world.run("lake verify").code, Some(0));
}

#[test]
fn the_last_ranking_of_each_week_stays_for_longer() {
    let world = shop();
    // From Monday to Sunday; one that is taken as Monday begins is of the week before.
    for as_of in ["16T00", "16T01", "22T00", "23T00", "23T01"] {
        let said = world.run(&format!("rank --as-of 2017-01-{as_of}:00:00Z --window 1000h --promote"));
        assert_eq!(said.code, Some(0), "{}", said.whole());
    }
    let left = |world: &World| -> Vec<String> {
        let files = world.files("data/lake/rankings").into_iter();
        files.filter(|name| name.ends_with(".parquet")).map(|name| name[8..13].to_owned()).collect()
    };
    assert_eq!(left(&world), ["15T00", "16T00", "16T01", "22T00", "23T00", "23T01"]);
    world.run(&format!("lake prune --yes --now {LATER} --keep-weekly 5000w"));
    // The first was made with other options, and is the last of its own in its week.
    assert_eq!(left(&world), ["15T00", "16T00", "23T00", "23T01"]);
    assert_eq!(world.files("data/lake/rankings").len(), 9, "each has its pointer beside");
    world.run(&format!("lake prune --yes --now {LATER} --keep-weekly 1w"));
    assert_eq!(left(&world), ["23T01"], "the newest");
}

/// A year of batches a minute must not make every look at the log longer.
#[test]
fn the_log_is_cut_where_its_summary_begins_and_says_the_same_after() {
    let world = World::new();
    for batch in 0..60 {
        let log = format!("ts,item_id,quantity\n2017-01-14T10:{batch:02}:00Z,a,1\n");
        let said = world.run_with(&["-q", "ingest", "--format", "csv", "-"], log.as_bytes());
        assert_eq!(said.code, Some(0), "{}", said.whole());
    }
    let sold = world.sold();
    let log = |world: &World| world.files("data/lake/events/_delta_log").len();
    let before = log(&world);
    assert_eq!(world.run(&format!("lake prune --yes --now {LATER} --keep-versions 0s")).code, Some(0));
    assert!(log(&world) < before / 2, "{before} files became {}", log(&world));
    assert_eq!(world.sold(), sold);
    let again = world
        .run_with(&["ingest", "--format", "csv", "-"], b"ts,item_id,quantity\n2017-01-14T10:00:00Z,a,1\n");
    assert!(again.stderr.contains("1 duplicate"), "the first batch is still known: {}", again.whole());
    assert_eq!(world.run("lake verify").code, Some(0));
}

/// A disk that is full stops the rollup before anything is removed, and then fills for ever.
#[test]
fn unreferenced_files_are_removed_even_where_the_rollup_fails() {
    let world = shop();
    commit_until(&world, 60);
    world.write("more.csv", "ts,item_id,category\n2017-01-12T01:30:00Z,more,New\n");
    assert_eq!(world.run("ingest more.csv").code, Some(0));
    let new = data_files(&world).into_iter().find(|name| name.contains("category_group=~05/"));
    let new = format!("data/lake/{}", new.expect("the batch has a file"));
    let bytes = std::fs::read(world.path(&new)).expect("a file can be read");
    world.write(&new, "damaged");
    world.write("data/lake/events/litter.parquet", "litter");
    let log = world.files("data/lake/events/_delta_log");
    let prune = format!("lake prune --yes --now {LATER} --keep-versions 0s");
    let said = world.run(&prune);
    assert_eq!(said.code, Some(3), "{}", said.whole());
    assert!(said.stderr.contains(".parquet is damaged"), "the damaged file is named: {}", said.whole());
    assert!(!world.path("data/lake/events/litter.parquet").exists());
    assert_eq!(world.files("data/lake/events/_delta_log"), log, "the next rollup needs it");
    world.write(&new, bytes);
    assert_eq!(world.run(&prune).code, Some(0));
    assert!(world.files("data/lake/events/_delta_log").len() < log.len());
    assert_eq!(world.run("lake verify").code, Some(0));
}

/// While somebody waits to be alone in the writers' room, nobody enters it.
#[test]
fn a_prune_gives_up_where_a_batch_is_being_written_for_long_and_the_next_does_the_work() {
    let world = shop();
    world.write("data/lake/events/litter.parquet", "litter");
    let writing = std::fs::File::open(world.path("data/lake/writers.lock")).expect("the lock is there");
    writing.lock_shared().expect("nobody is alone");
    let prune = format!("lake prune --yes --now {LATER} --keep-versions 0s");
    expect![[r#"
        stderr: prune: all hours are kept; neither --retention nor topsell.toml limits them
        stderr: prune: 0 unreferenced files and 0 old rankings removed, 0 B; event files were being written and are left for the next run
        stderr: prune: 0 run records archived, 1 old archive removed
        exit code 0
    "#]].assert_eq(&world.run(&prune).whole());
    assert!(world.path("data/lake/events/litter.parquet").exists());
    world.write("more.csv", "ts,item_id\n2017-01-12T01:30:00Z,more\n");
    assert_eq!(world.run("ingest more.csv").code, Some(0), "the door is open again");
    drop(writing);
    expect![[r#"
        stderr: prune: all hours are kept; neither --retention nor topsell.toml limits them
        stderr: prune: 1 unreferenced file and 0 old rankings removed, 6 B
        stderr: prune: 0 run records archived, 1 old archive removed
        exit code 0
    "#]]
    .assert_eq(&world.run(&prune).whole());
    assert!(!world.path("data/lake/events/litter.parquet").exists());
}

/// A sum that is old was the newest a moment ago, where batches are rare, and may be being read.
#[test]
fn a_sum_of_the_log_stays_for_an_hour_after_the_next_one_is_there() {
    let world = shop();
    commit_until(&world, 160);
    let log = "data/lake/events/_delta_log";
    let sums = || -> Vec<String> {
        world.files(log).into_iter().filter(|name| name.ends_with(".checkpoint.parquet")).collect()
    };
    let [first, between, last] = sums().try_into().expect("every fifty commits are summed up");
    let now = std::fs::metadata(world.path("data/lake/events/_delta_log").join(&last));
    let now = now.and_then(|file| file.modified()).expect("a file has a time");
    let set = |name: &String, minutes: u64| {
        let file = std::fs::File::options().write(true).open(world.path(log).join(name));
        let then = now - Duration::from_secs(60 * minutes);
        file.and_then(|file| file.set_modified(then)).expect("a file's time can be set");
    };
    for name in
        world.files(log).iter().filter(|name| name.as_str() < &first[..20] || name.starts_with(&first[..20]))
    {
        set(name, 10 * 24 * 60);
    }
    // No pause of the lake counts for more than half of what is kept.
    for (days, commits) in [(6, 51..60), (3, 60..70)] {
        commits.for_each(|commit| set(&format!("{commit:020}.json"), days * 24 * 60));
    }
    let prune = format!("lake prune --now {}", jiff::Timestamp::try_from(now).expect("a good moment"));
    for (made, next_made, left) in [(600, 1, 3), (1, 59, 3), (600, 61, 2)] {
        set(&between, made);
        set(&last, next_made);
        assert_eq!(world.run(&prune).code, Some(0));
        assert_eq!(sums().len(), left, "made {made} minutes ago, the next one {next_made}");
    }
    assert_eq!(sums(), [first, last]);
    assert_eq!(world.run("lake verify").code, Some(0));
}

/// The version that was the newest when the kept time began is kept whole.
#[test]
fn whoever_began_to_read_within_the_kept_time_reads_on() {
    let world = shop();
    world.write("clock", "");
    let now = std::fs::metadata(world.path("clock")).and_then(|file| file.modified());
    let now = now.expect("a file has a time");
    let old = now - Duration::from_secs(10 * 86_400);
    for name in world.files("data/lake") {
        let file = std::fs::File::options().write(true).open(world.path("data/lake").join(name));
        file.and_then(|file| file.set_modified(old)).expect("a file's time can be set");
    }
    let standing = data_files(&world);
    world.write("more.csv", "ts,item_id,category\n2017-01-12T01:30:00Z,more,Food/Fruit\n");
    for command in ["ingest more.csv", "rollup", "lake compact"] {
        assert_eq!(world.run(command).code, Some(0));
    }
    let now = jiff::Timestamp::try_from(now + Duration::from_secs(60)).expect("a good moment");
    let said = world.run(&format!("lake prune --now {now}"));
    assert!(said.stderr.contains("0 unreferenced files"), "{}", said.whole());
    let left = data_files(&world);
    assert!(standing.iter().all(|name| left.contains(name)), "of {standing:?} is left {left:?}");
    let said = world.run(&format!("lake prune --now {now} --keep-versions 0s"));
    assert!(!said.stderr.contains("0 unreferenced files"), "{}", said.whole());
}

/// With a clock twenty years ahead, everything would be past its retention.
#[test]
fn a_clock_far_ahead_of_the_lake_removes_nothing_unless_it_is_confirmed() {
    let world = shop();
    let before = world.files_of_lake();
    let wrong = "lake prune --retention 400d --now 2100-01-01T00:00:00Z";
    let said = world.run(wrong);
    assert_eq!(said.code, Some(1), "{}", said.whole());
    let first = said.stderr.lines().next().unwrap_or_default();
    assert!(
        first.starts_with(
            "error: it is 2100-01-01T00:00:00Z by the clock of this machine, more than a week after"
        ),
        "{first}"
    );
    assert!(said.stderr.contains("pass --yes"), "{}", said.whole());
    assert_eq!(world.files_of_lake(), before, "nothing was removed");
    let plan = world.run(&format!("{wrong} --dry-run"));
    assert_eq!(plan.code, Some(0), "{}", plan.whole());
    assert!(
        plan.stderr.contains("warning: without --yes this would be refused: it is 2100"),
        "{}",
        plan.whole()
    );
    let said = world.run(&format!("{wrong} --yes"));
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert!(said.stderr.contains("5 hours before"), "{}", said.whole());
}

/// A retention of hours where days were meant.
#[test]
fn more_than_half_of_a_lake_expires_only_if_it_is_confirmed() {
    let world = shop();
    expect![[r#"
        stderr: error: 6 of 10 rows, more than half of the lake, are of hours before 2017-01-14T00:00:00Z
        stderr: hint: nothing was removed; look at the plan with --dry-run, and if it is as meant, pass --yes
        exit code 1
    "#]]
    .assert_eq(&world.run("lake prune --retention 24h").whole());
    assert_eq!(world.run("lake prune --retention 24h --yes").code, Some(0));
    let said = world.run("lake prune --retention 24h");
    assert_eq!(said.code, Some(0), "what is left is kept: {}", said.whole());
}

/// Sets the times of those files of both tables that were written since the last time, to one long ago.
fn set_times(world: &World, time: &str) {
    let time: jiff::Timestamp = time.parse().expect("a good moment");
    let long_ago = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(50 * 365 * 86_400);
    for table in ["data/lake/events", "data/lake/rollups"] {
        for name in world.files(table) {
            let file = std::fs::File::options().write(true).open(world.path(table).join(name));
            let file = file.expect("a listed file can be opened");
            let modified = file.metadata().and_then(|file| file.modified()).expect("a file has a time");
            if modified > long_ago {
                file.set_modified(time.into()).expect("a file's time can be set");
            }
        }
    }
}

/// Beside the tables, too, a run that is killed leaves what it was writing.
#[test]
fn what_killed_runs_left_unfinished_is_removed_when_it_is_old() {
    let world = shop();
    let left = ["inputs/0a.txt#1", "rejects/a.ndjson#2", "rejects/a.ndjson.0123", "runs/a.json#3"];
    let kept = ["rejects/b.ndjson", "runs/note#"];
    let left_in_tables = ["events/_checksums/00000000000000000001-0123456789abcdef#1", "rollups/a.parquet#1"];
    for name in left.iter().chain(&kept).chain(&left_in_tables) {
        world.write(&format!("data/lake/{name}"), "half");
    }
    let is_there = |name: &str| world.path("data/lake").join(name).exists();
    assert_eq!(world.run("lake prune").code, Some(0));
    assert!(left.iter().chain(&kept).chain(&left_in_tables).all(|name| is_there(name)), "they are new");
    let said = world.run(&format!("lake prune --yes --now {LATER}"));
    assert!(said.stderr.contains("6 unreferenced files"), "{}", said.whole());
    assert!(!left.iter().chain(&left_in_tables).any(|name| is_there(name)), "{}", said.whole());
    assert!(kept.iter().all(|name| is_there(name)), "{}", said.whole());
}

/// The clock had jumped before the last ingest, whose commit then said that the clock is right.
#[test]
fn a_commit_by_a_wrong_clock_does_not_make_it_a_right_one() {
    let world = shop();
    set_times(&world, "2017-01-14T06:00:00Z");
    world.write("more.csv", "ts,item_id,category\n2017-01-14T01:30:00Z,more,Food/Fruit\n");
    assert_eq!(world.run("ingest more.csv --now 2037-05-01T00:00:00Z").code, Some(0));
    set_times(&world, "2037-05-01T00:00:00Z");
    let before = world.files_of_lake();
    let said = world.run("lake prune --retention 400d --now 2037-05-02T00:00:00Z");
    assert_eq!(said.code, Some(1), "{}", said.whole());
    assert!(said.stderr.contains("more than a week after the newest event"), "{}", said.whole());
    assert_eq!(world.files_of_lake(), before, "nothing was removed");
    // An event of these days says so, too.
    world.write("new.csv", "ts,item_id,category\n2037-05-01T01:30:00Z,new,Food/Fruit\n");
    assert_eq!(world.run("ingest new.csv --now 2037-05-02T00:00:00Z").code, Some(0));
    assert_eq!(world.run("lake prune --now 2037-05-02T00:00:00Z").code, Some(0));
}

/// A clock that is some days ahead is not noticed; what was replaced a minute ago must stay for those who read it.
#[test]
fn one_jump_of_the_clock_removes_nothing_that_was_just_replaced() {
    let world = shop();
    world.write("more.csv", "ts,item_id,category\n2017-01-12T01:30:00Z,more,Food/Fruit\n");
    for command in ["ingest more.csv", "rollup", "lake compact"] {
        assert_eq!(world.run(command).code, Some(0));
    }
    let all = data_files(&world);
    set_times(&world, "2017-01-15T00:00:00Z");
    let prune = "lake prune --keep-versions 1d --now";
    assert_eq!(world.run(&format!("{prune} 2017-01-21T00:00:00Z")).code, Some(0));
    assert_eq!(data_files(&world), all, "six days by the clock, none by the commits");
    // The clock is right: there are commits of the days between.
    for day in [16, 17] {
        let line = format!("ts,item_id,category\n2017-01-14T02:{day}:00Z,more,Food/Fruit\n");
        world.write("more.csv", line);
        for command in ["ingest more.csv", "rollup"] {
            assert_eq!(world.run(command).code, Some(0));
        }
        set_times(&world, &format!("2017-01-{day}T00:00:00Z"));
    }
    let said = world.run(&format!("{prune} 2017-01-17T12:00:00Z"));
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert!(all.iter().any(|file| !data_files(&world).contains(file)), "{}", said.whole());
    assert_eq!(world.run("lake verify").code, Some(0));
}
