//! `topsell health`, and what runs leave for a monitor.

use expect_test::expect;

use crate::world::World;

const LOG: &str = "ts,item_id,category\n\
    2017-01-14T12:10:00Z,apple,Food\n\
    2017-01-14T20:20:00Z,bread,Food\n\
    no time,plum,Food\n";

fn shop() -> World {
    let world = World::new();
    world.write("log.csv", LOG);
    assert_eq!(world.run("ingest --allow-rejects log.csv").code, Some(0));
    world
}

#[test]
fn the_exit_code_says_whether_someone_must_look() {
    let world = World::new();
    expect![[r#"
        stdout: FAILED: there is no lake in WORLD/data/lake; no ranking; no sales; last failure: none
        exit code 1
    "#]]
    .assert_eq(&world.run("health").whole());
    assert_eq!(world.files("data"), [""; 0], "asking makes nothing");
    let world = shop();
    expect![[r#"
        stdout: OK: no ranking; newest sales hour 2017-01-14T20:00:00Z, ended 3 h ago; last failure: none
        exit code 0
    "#]]
    .assert_eq(&world.run("health").whole());
    expect![[r#"
        stdout: STALE: ranking older than 2 h; no ranking; newest sales hour 2017-01-14T20:00:00Z, ended 3 h ago; last failure: none
        exit code 7
    "#]].assert_eq(&world.run("health --max-age 2h --max-lag 3h").whole());
    assert_eq!(world.run("rank").code, Some(0));
    expect![[r#"
        stdout: OK: ranking as of 2017-01-15T00:00:00Z, 0 s old; newest sales hour 2017-01-14T20:00:00Z, ended 3 h ago; last failure: none
        exit code 0
    "#]].assert_eq(&world.run("health --max-age 2h --max-lag 3h").whole());
    let later = "--now 2017-01-15T02:30:00Z";
    expect![[r#"
        stdout: STALE: ranking older than 2 h; ranking as of 2017-01-15T00:00:00Z, 2 h 30 min old; newest sales hour 2017-01-14T20:00:00Z, ended 5 h 30 min ago; last failure: none
        exit code 7
    "#]].assert_eq(&world.run(&format!("health --max-age 2h --max-lag 12h {later}")).whole());
    assert_eq!(world.run(&format!("health --max-age 3h --max-lag 5h {later}")).code, Some(7));
    expect![[r#"
        stderr: error: --max-age: `1m`: m may be minutes or months; write min for minutes, and months in days, such as 30d
        exit code 2
    "#]].assert_eq(&world.run("health --max-age 1m").whole());
}

#[test]
fn what_failed_last_is_told_until_it_goes_well_again() {
    let world = shop();
    assert_eq!(world.run("rank --as-of 2019-01-01T00:00:00Z").code, Some(7));
    // An analyst's slip is nobody's alarm.
    assert_eq!(world.run("show --category Shoes").code, Some(5));
    expect![[r#"
        stdout: FAILED: rank, started 2017-01-15T00:00:00Z, failed with exit code 7 (no item is eligible in the hours looked at, so there is nothing to publish); no ranking; newest sales hour 2017-01-14T20:00:00Z, ended 3 h ago
        exit code 1
    "#]].assert_eq(&world.run("health").whole());
    assert_eq!(world.run("health --max-failed 1").code, Some(0));
    assert_eq!(world.run("rank --now 2017-01-15T00:00:01Z").code, Some(0));
    assert_eq!(world.run("health --now 2017-01-15T00:00:02Z").code, Some(0));
}

#[test]
fn a_run_of_the_future_neither_hides_what_happens_nor_fails_for_ever() {
    let world = shop();
    // The clock was wrong once.
    assert_eq!(world.run("rank --now 2031-01-15T00:00:00Z --max-lag 1h").code, Some(7));
    let said = world.run("health");
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert!(said.stdout.ends_with("; 1 run is recorded in the future and ignored\n"), "{}", said.whole());
    assert_eq!(world.run("rank --as-of 2019-01-01T00:00:00Z").code, Some(7));
    let said = world.run("health");
    assert!(
        said.code == Some(1) && said.stdout.starts_with("FAILED: rank, started 2017-"),
        "{}",
        said.whole()
    );
    let json = world.run("health --json");
    let answer: serde_json::Value = serde_json::from_str(&json.stdout).expect("it is JSON");
    assert_eq!(answer["future_runs"], 1);
}

#[test]
fn a_disk_with_little_space_is_told_before_it_is_full() {
    let world = shop();
    assert_eq!(world.run("health --min-free 1").code, Some(0));
    let said = world.run("health --min-free 900000000GB");
    assert_eq!(said.code, Some(1), "{}", said.whole());
    assert!(said.stdout.starts_with("FAILED: free space on the lake's disk: "), "{}", said.whole());
    assert_eq!(world.run("health --min-free much").code, Some(2));
}

#[test]
fn a_damaged_ranking_is_worse_than_all() {
    let world = shop();
    assert_eq!(world.run("rank").code, Some(0));
    world.write("data/lake/rankings/current.json", "{}");
    let said = world.run("health");
    assert_eq!(said.code, Some(3), "{}", said.whole());
    assert!(said.stdout.starts_with("CORRUPT: rankings/current.json is damaged"), "{}", said.stdout);
}

#[test]
fn the_answer_is_json_where_that_is_asked() {
    let world = shop();
    assert_eq!(world.run("rank").code, Some(0));
    let said = world.run("health --format json --max-lag 1h");
    assert_eq!(said.code, Some(7));
    let answer: serde_json::Value = serde_json::from_str(&said.stdout).expect("it is JSON");
    assert_eq!((&answer["schema"], &answer["health"]), (&1.into(), &"STALE".into()));
    assert_eq!(answer["lag_seconds"], 3 * 3_600);
    assert_eq!(answer["newest_hour"], "2017-01-14T20:00:00Z");
    let runs = answer["runs"].as_array().expect("runs are an array");
    let commands: Vec<&str> = runs.iter().filter_map(|run| run["command"].as_str()).collect();
    assert_eq!(commands, ["ingest", "rank"]);
}

/// Returns the samples of the file whose names have one of the texts in them.
fn samples(world: &World, names: &[&str]) -> String {
    let text = std::fs::read_to_string(world.path("topsell.prom")).expect("metrics were written");
    let is_asked = |line: &&str| !line.starts_with('#') && names.iter().any(|name| line.contains(name));
    // Runs take as long as they take, even while the clock stands still.
    let to_the_second = |line: &str| match line.split_once("_timestamp_seconds") {
        Some(_) => line.split('.').next().unwrap_or(line).to_owned(),
        None => line.to_owned(),
    };
    text.lines().filter(is_asked).map(|line| to_the_second(line) + "\n").collect()
}

#[test]
fn each_run_leaves_the_metrics_of_all() {
    let world = shop();
    let variables = [("TOPSELL_METRICS_FILE", "topsell.prom")];
    assert_eq!(world.run_in(&variables, "rank").code, Some(0));
    expect![[r#"
        topsell_ranking_as_of_timestamp_seconds 1484438400
        topsell_ranking_age_seconds 0
        topsell_newest_hour_end_timestamp_seconds 1484427600
        topsell_newest_hour_lag_seconds 10800
        topsell_last_run_failed{command="ingest",job=""} 0
        topsell_last_run_failed{command="rank",job=""} 0
        topsell_last_run_exit_code{command="ingest",job=""} 0
        topsell_last_run_exit_code{command="rank",job=""} 0
        topsell_last_run_lines{command="ingest",job="",outcome="accepted"} 2
        topsell_last_run_lines{command="ingest",job="",outcome="duplicate"} 0
        topsell_last_run_lines{command="ingest",job="",outcome="rejected"} 1
    "#]]
    .assert_eq(&samples(&world, &["ranking_", "newest_", "lines", "failed", "exit_code"]));
    assert_eq!(world.run("rollup --all --metrics-file topsell.prom").code, Some(0));
    assert_eq!(
        world.run_in(&variables, "rank --as-of 2019-01-01T00:00:00Z --now 2017-01-15T01:00:00Z").code,
        Some(7)
    );
    expect![[r#"
        topsell_ranking_as_of_timestamp_seconds 1484438400
        topsell_ranking_age_seconds 3600
        topsell_newest_hour_end_timestamp_seconds 1484427600
        topsell_newest_hour_lag_seconds 14400
        topsell_table_rows{table="events"} 2
        topsell_table_rows{table="rollups"} 2
        topsell_last_success_timestamp_seconds{command="ingest",job=""} 1484438400
        topsell_last_success_timestamp_seconds{command="rank",job=""} 1484438400
        topsell_last_success_timestamp_seconds{command="rollup",job=""} 1484438400
        topsell_last_run_failed{command="ingest",job=""} 0
        topsell_last_run_failed{command="rank",job=""} 1
        topsell_last_run_failed{command="rollup",job=""} 0
        topsell_last_run_exit_code{command="ingest",job=""} 0
        topsell_last_run_exit_code{command="rank",job=""} 7
        topsell_last_run_exit_code{command="rollup",job=""} 0
    "#]]
    .assert_eq(&samples(&world, &["ranking_", "newest_", "failed", "exit_code", "success", "table_rows"]));
    assert_eq!(
        world.files("."),
        {
            let mut files = world.files(".");
            files.retain(|name| !name.contains(".topsell-"));
            files
        },
        "nothing half written is left beside it"
    );
    // Who only looks leaves the file to those who work.
    world.write("topsell.prom", "mine");
    assert_eq!(world.run_in(&variables, "show").code, Some(0));
    assert_eq!(samples(&world, &[""]), "mine\n");
    // A monitor that cannot be told is no reason not to work.
    let said = world.run("rank --metrics-file none/topsell.prom");
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert!(said.stderr.contains("warning: cannot write metrics: none/topsell.prom"), "{}", said.whole());
}
