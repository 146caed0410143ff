//! The options of `topsell publish`, and the command as a step of a job.

use crate::publish::one_lake;
use crate::world::World;

#[test]
fn wrong_options_are_named() {
    let world = one_lake();
    for (command, expected) in [
        ("publish ftp://host/x", "is a URL of an unknown scheme"),
        ("publish redis://host/x", "is not the URL of a Redis server"),
        ("publish http://", "is not the URL of an endpoint"),
        ("publish site --as sorted-set", "--as sorted-set: is for Redis"),
        ("publish site --password-file x", "--password-file: is for Redis and HTTP"),
        ("publish site --keep long", "--keep: "),
        ("publish site --timeout 0s", "--timeout: must be at least 1s"),
        ("publish site --limit 0", "--limit: must be at least 1"),
    ] {
        let said = world.run(command);
        assert_eq!(said.code, Some(2), "{command}: {}", said.whole());
        assert!(said.stderr.contains(expected), "{command}: {}", said.whole());
    }
    assert_eq!(world.files("site"), [""; 0]);
    let missing = world.run("publish http://127.0.0.1:9/ --password-file none.txt");
    assert_eq!(missing.code, Some(1), "{}", missing.whole());
}

#[test]
fn without_a_ranking_there_is_nothing_to_publish() {
    let world = World::new();
    let said = world.run("publish site");
    assert_eq!(said.code, Some(1), "{}", said.whole());
    assert!(said.stderr.contains("there is no lake in"), "{}", said.whole());
    world.write("log.csv", "ts,item_id\n2017-01-14T01:00:00Z,a\n");
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    let said = world.run("publish site");
    assert_eq!(said.code, Some(5), "{}", said.whole());
    assert!(said.stderr.contains("hint: publish one with `topsell rank`"), "{}", said.whole());
}

#[test]
fn a_job_publishes_after_it_has_ranked() {
    let world = World::new();
    world.write("log.csv", "ts,item_id,category\n2017-01-14T01:00:00Z,a,Tools\n");
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    world.write("job.toml", "schedule = \"@hourly\"\nsteps = [\"rank\", \"publish site\"]\n");
    let done = world.run("run job.toml");
    assert_eq!(done.code, Some(0), "{}", done.whole());
    assert!(done.stderr.contains("publish: 2 categories written"), "{}", done.whole());
    assert!(world.path("site/index.json").exists());
    let runs = world.run("runs --command publish --format csv");
    assert_eq!(runs.stdout.lines().count(), 2, "{}", runs.stdout);
    // What is wrong with a step is found before it runs, and said without the password.
    world.write("bad.toml", "steps = [\"rank\", \"publish redis://u:s3cret@host/x\"]\n");
    let refused = world.run("run bad.toml");
    assert_ne!(refused.code, Some(0), "{}", refused.whole());
    assert!(refused.stderr.contains("redis://u:***@host/x"), "{}", refused.whole());
    assert!(!refused.whole().contains("s3cret"), "{}", refused.whole());
}
