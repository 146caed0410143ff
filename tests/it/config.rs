//! `topsell config`, and that every command goes by what is set once.

use expect_test::expect;

use crate::world::{Said, World};

/// What two items sold at noon of the 14th, and on the days before.
const LOG: &str = "ts,item_id,quantity,amount\n\
    2017-01-14T12:00:00Z,new,1,9\n\
    2017-01-10T12:00:00Z,old,5,1\n\
    2017-01-10T12:00:00Z,older,3,2\n";

const USER: &str = ".config/topsell/config.toml";
const LAKE: &str = "data/lake/topsell.toml";

fn shop() -> World {
    let world = World::new();
    world.write("log.csv", LOG);
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    world
}

/// Returns the order of the items of a ranking made with the variables and arguments.
fn order(world: &World, variables: &[(&str, &str)], arguments: &str) -> String {
    let ranked = world.run_in(variables, &format!("rank --promote {arguments}"));
    assert_eq!(ranked.code, Some(0), "{}", ranked.whole());
    let items = world.run_in(variables, "show --format csv");
    items
        .stdout
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(2).unwrap_or("?"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Returns the lines of a table that begin with one of the names.
fn lines(said: &Said, names: &[&str]) -> String {
    let is_asked = |line: &&str| names.iter().any(|name| line.starts_with(&format!("{name} ")));
    said.stdout.lines().filter(is_asked).map(|line| format!("{line}\n")).collect()
}

#[test]
fn what_nobody_set_is_built_in() {
    let world = World::new();
    expect![[r#"
        stdout: setting        value      from
        stdout: lake           data/lake  built in
        stdout: threads                   not set
        stdout: color          auto       built in
        stdout: metrics_file              not set
        stdout: catalog                   not set
        stdout: catalog_map               not set
        stdout: currency                  not set
        stdout: max_skew       1h         built in
        stdout: max_rejects    64MiB      built in
        stdout: window         150h       built in
        stdout: half_life      48h        built in
        stdout: decay                     not set
        stdout: no_decay                  not set
        stdout: limit          100        built in
        stdout: measure        units      built in
        stdout: event_types    purchase   built in
        stdout: subtract                  not set
        stdout: tz             UTC        built in
        stdout: min_items      10         built in
        stdout: max_lookback   365d       built in
        stdout: max_lag                   not set
        stdout: retention                 not set
        stdout: keep_versions  7d         built in
        stdout: keep_rankings  35d        built in
        stdout: keep_weekly    53w        built in
        stdout: keep_runs      90d        built in
        stdout: record_reads   0          built in
        stdout: format                    not set
        stdout: 
        stdout: WORLD/data/lake/topsell.toml: not found
        stdout: WORLD/.config/topsell/config.toml: not found
        exit code 0
    "#]]
    .assert_eq(&world.run("config --format table").whole());
    assert_eq!(world.files("."), [""; 0], "asking makes nothing");
}

#[test]
fn flags_go_before_the_environment_that_before_the_lake_that_before_the_user() {
    let world = World::new();
    let asked = |variables: &[(&str, &str)], arguments: &str| {
        lines(&world.run_in(variables, &format!("config --format table {arguments}")), &["limit", "threads"])
    };
    world.write(USER, "# mine\nlimit = 1\nthreads = 1\n");
    expect![[r#"
        threads        1          WORLD/.config/topsell/config.toml:3
        limit          1          WORLD/.config/topsell/config.toml:2
    "#]]
    .assert_eq(&asked(&[], ""));
    world.write(LAKE, "limit = 2\nthreads = 2\n");
    expect![[r#"
        threads        2          WORLD/data/lake/topsell.toml:2
        limit          2          WORLD/data/lake/topsell.toml:1
    "#]]
    .assert_eq(&asked(&[], ""));
    let environment = [("TOPSELL_LIMIT", "3"), ("TOPSELL_THREADS", "3")];
    expect![[r#"
        threads        3          TOPSELL_THREADS
        limit          3          TOPSELL_LIMIT
    "#]]
    .assert_eq(&asked(&environment, ""));
    expect![[r#"
        threads        4          command line
        limit          3          TOPSELL_LIMIT
    "#]]
    .assert_eq(&asked(&environment, "--threads 4"));
    let empty = [("TOPSELL_LIMIT", ""), ("TOPSELL_THREADS", "")];
    assert_eq!(asked(&empty, ""), asked(&[], ""), "an empty variable says nothing");
}

#[test]
fn a_ranking_goes_by_the_nearest_layer() {
    let world = shop();
    assert_eq!(order(&world, &[], ""), "old new older", "as built in");
    world.write(USER, "no_decay = true\n");
    assert_eq!(order(&world, &[], ""), "old older new");
    world.write(LAKE, "measure = \"amount\"\n");
    assert_eq!(order(&world, &[], ""), "new older old", "what one layer leaves open, the next one says");
    assert_eq!(order(&world, &[("TOPSELL_MEASURE", "units"), ("TOPSELL_LIMIT", "2")], ""), "old older");
    assert_eq!(order(&world, &[("TOPSELL_MEASURE", "units"), ("TOPSELL_LIMIT", "2")], "--limit 1"), "old");
}

#[test]
fn how_old_sales_fade_is_decided_by_one_layer() {
    let world = shop();
    world.write(USER, "no_decay = true\n");
    let fade = |variables: &[(&str, &str)], arguments: &str| {
        order(&world, variables, arguments);
        let pointer = world.run("show").stdout;
        let half_life = pointer.split("\"half_life_hours\":").nth(1).expect("an answer says how sales fade");
        half_life.split(',').next().unwrap_or("?").to_owned()
    };
    assert_eq!(fade(&[], ""), "null");
    assert_eq!(fade(&[], "--half-life 5h"), "5.0", "a typed way keeps out those that are set");
    assert_eq!(fade(&[("TOPSELL_HALF_LIFE", "6h")], ""), "6.0");
    world.write(LAKE, "half_life = \"1d\"\n");
    assert_eq!(fade(&[], ""), "24.0");
    assert_eq!(fade(&[("TOPSELL_NO_DECAY", "true")], ""), "null");
    let fades = ["half_life", "decay", "no_decay"];
    expect![[r#"
        half_life                 not set
        decay          0.01       TOPSELL_DECAY
        no_decay                  not set
    "#]]
    .assert_eq(&lines(&world.run_in(&[("TOPSELL_DECAY", "0.01")], "config --format table"), &fades));
    world.write(LAKE, "half_life = \"1d\"\nno_decay = true\n");
    expect![[r#"
        stderr: error: WORLD/data/lake/topsell.toml:2: no_decay: conflicts with `half_life` in the same place; remove one of them
        exit code 2
    "#]]
    .assert_eq(&world.run("config").whole());
}

#[test]
fn a_path_in_a_file_counts_from_the_files_folder() {
    let world = World::new();
    world.write("shop/log.csv", LOG);
    world.write("shop/names.csv", "item_id,name\nnew,A new one\n");
    world.write("mine/topsell/config.toml", "lake = \"../../shop/lake\"\nlimit = 1\nformat = \"csv\"\n");
    let config = world.path("mine").display().to_string();
    let mine = [("XDG_CONFIG_HOME", config.as_str())];
    assert_eq!(world.run_in(&mine, "ingest shop/log.csv").code, Some(0));
    world.write("shop/lake/topsell.toml", "catalog = \"../names.csv\"\n");
    assert_eq!(world.run_in(&mine, "rank --measure amount --no-decay").code, Some(0));
    expect![[r#"
        stdout: category,rank,item_id,score,units,purchases,amount,name,movement,previous_rank,share_percent,weeks,units_by_day,units_week,window_units,window_purchases,window_amount,window_share_percent
        stdout: ,1,new,9,1,1,9.0000,A new one,,,75.00,1,0 0 0 0 0 0 1,1,1,1,9.0000,75.00
        exit code 0
    "#]]
    .assert_eq(&world.run_in(&mine, "show").whole());
    assert_eq!(world.run("show").code, Some(1), "a relative XDG_CONFIG_HOME or none is not this one");
}

#[test]
fn the_name_of_a_file_tells_its_form_whatever_is_set() {
    let world = shop();
    assert_eq!(world.run("rank").code, Some(0));
    let set = [("TOPSELL_FORMAT", "csv")];
    assert_eq!(world.run_in(&set, "show -o best.json").code, Some(0));
    assert!(std::fs::read(world.path("best.json")).expect("a file was written").starts_with(b"{"));
    assert!(world.run_in(&set, "count new").stdout.starts_with("item"), "one setting for all answers");
    assert!(world.run_in(&set, "count new --format json").stdout.starts_with('{'));
}

#[test]
fn what_cannot_be_set_is_refused_with_file_line_and_what_to_write() {
    let world = World::new();
    let mut said = String::new();
    for (file, text) in [
        (LAKE, "limit = 5\n\nwindw = \"7d\"\n"),
        (LAKE, "limit = 5\nzzzzzzzzz = 1\n"),
        (LAKE, "window = \"90m\"\n"),
        (LAKE, "window = 150\n"),
        (LAKE, "limit = 0\n"),
        (LAKE, "limit = 1.5\n"),
        (LAKE, "limit = -1\n"),
        (LAKE, "limit = 0x10\n"),
        (LAKE, "measure = \"unit\"\n"),
        (LAKE, "decay = \"fast\"\n"),
        (LAKE, "no_decay = 1\n"),
        (LAKE, "window = [\"7d\"]\n"),
        (LAKE, "event_types = []\n"),
        (LAKE, "event_types = [\"purchase\", 1979-05-27]\n"),
        (LAKE, "[rank]\nwindow = \"7d\"\n"),
        (LAKE, "catalog = \"\"\n"),
        (LAKE, "lake = \"elsewhere\"\n"),
        (LAKE, "limit = 1\nlimit = 2\n"),
        (LAKE, "limit == 1\n"),
        (USER, "retention = \"400d\"\n"),
        (USER, "max-skew = \"2h\"\n"),
    ] {
        world.write(file, text);
        let ingest = world.run("ingest log.csv").whole();
        assert_eq!(ingest, world.run("show").whole(), "whoever goes by the settings is told");
        said.push_str(&ingest);
        std::fs::remove_file(world.path(file)).expect("a file can be removed");
    }
    for (name, value) in [
        ("TOPSELL_LIMIT", "many"),
        ("TOPSELL_WINDOW", "12m"),
        ("TOPSELL_RETENTION", "400d"),
        ("TOPSELL_NO_DECAY", "yes"),
    ] {
        said.push_str(&world.run_in(&[(name, value)], "rank").whole());
    }
    let said = said.replace("\nexit code 2", "").replace("stderr: ", "").replace("error: WORLD/", "");
    expect![[r#"
        data/lake/topsell.toml:3: unknown setting `windw`
        hint: did you mean `window`?
        data/lake/topsell.toml:2: unknown setting `zzzzzzzzz`
        hint: list the settings with `topsell config`
        data/lake/topsell.toml:1: window: `90m`: m may be minutes or months; write min for minutes, and months in days, such as 30d
        data/lake/topsell.toml:1: window: `150` is not a duration; pass a whole number and a unit (s, min, h, d, w, y), such as 150h or 7d
        data/lake/topsell.toml:1: limit: `0` is not an integer from 1 to 4294967295
        data/lake/topsell.toml:1: limit: `1.5` is not an integer from 1 to 4294967295
        data/lake/topsell.toml:1: limit: `-1` is not an integer from 1 to 4294967295
        data/lake/topsell.toml:1: limit: `0x10` is not an integer from 1 to 4294967295
        data/lake/topsell.toml:1: measure: `unit` is not one of units, purchases, amount; did you mean `units`?
        data/lake/topsell.toml:1: decay: `fast` is not a number greater than 0
        data/lake/topsell.toml:1: no_decay: `1` is not true or false
        data/lake/topsell.toml:1: window: must be a single value
        data/lake/topsell.toml:1: event_types: must not be empty
        data/lake/topsell.toml:1: event_types: a date is not allowed
        data/lake/topsell.toml:1: `rank` is a table; write settings at the top level
        data/lake/topsell.toml:1: catalog: must not be empty
        data/lake/topsell.toml:1: lake: not allowed in the lake's topsell.toml; set it in your own config.toml
        data/lake/topsell.toml:2: invalid TOML: duplicate key
        data/lake/topsell.toml:1: invalid TOML: extra `=`, expected nothing
        .config/topsell/config.toml:1: retention: only allowed in the lake's topsell.toml
        .config/topsell/config.toml:1: unknown setting `max-skew`
        hint: did you mean `max_skew`?
        error: TOPSELL_LIMIT: `many` is not an integer from 1 to 4294967295
        error: TOPSELL_WINDOW: `12m`: m may be minutes or months; write min for minutes, and months in days, such as 30d
        error: TOPSELL_RETENTION: only allowed in the lake's topsell.toml
        error: TOPSELL_NO_DECAY: `yes` is not true or false
    "#]].assert_eq(&said);
}

#[test]
fn a_variable_that_sets_nothing_is_told_by_config_alone() {
    let world = World::new();
    let slips = [("TOPSELL_WINDWO", "7d"), ("TOPSELL_KILL_ROUNDS", "9")];
    let said = world.run_in(&slips, "config --format table");
    expect![[r#"
        warning: unknown environment variable TOPSELL_KILL_ROUNDS
        warning: unknown environment variable TOPSELL_WINDWO; did you mean TOPSELL_WINDOW?
    "#]]
    .assert_eq(&said.stderr);
    assert_eq!((said.stdout, said.code), (world.run("config --format table").stdout, Some(0)));
    assert!(!world.run_in(&slips, "show").stderr.contains("TOPSELL"));
}

#[test]
fn what_was_typed_in_vain_is_told_in_the_words_that_were_typed() {
    let world = World::new();
    world.write(USER, "limit = 5\n");
    let said = world.run("rank --windw 7d");
    assert!(said.stderr.contains("a similar argument exists: '--window'"), "{}", said.whole());
    assert_eq!(world.run("rank --limit 0").whole(), world.run("rank --limit=0").whole());
    let help = world.run("rank --help");
    assert!(help.stdout.contains("[default: 100]"), "help tells what is built in: {}", help.whole());
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let world = World::new();
    std::fs::create_dir_all(world.path(USER)).expect("a folder can be made");
    let said = world.run("show");
    assert_eq!(said.code, Some(1), "{}", said.whole());
    assert!(said.stderr.starts_with("error: WORLD/.config/topsell/config.toml: "), "{}", said.whole());
}
