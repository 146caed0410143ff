//! A hundred files of which three are invalid: the others are ingested, and the three are reported.

use expect_test::expect;

use crate::ingest::formats::gzip;
use crate::world::World;

#[test]
fn of_a_hundred_files_three_invalid_ones_fail_alone() {
    let world = World::new();
    for file in 0..97 {
        let log = format!("ts,item_id\n2017-01-14T10:00:00Z,item{file}\n2017-01-14T11:00:00Z,item{file}\n");
        world.write(&format!("logs/{file:03}.csv.gz"), gzip(log.as_bytes()));
    }
    let mut corrupt = gzip(b"ts,item_id\n2017-01-14T10:00:00Z,corrupt\n");
    let middle = corrupt.len() / 2;
    corrupt[middle..middle + 8].fill(0xff);
    world.write("logs/corrupt.csv.gz", corrupt);
    let link = |target: &str, name: &str| {
        std::os::unix::fs::symlink(target, world.path("logs").join(name)).expect("a link can be made");
    };
    link("nowhere.csv", "dangling.csv");
    // Whoever asks for a process's memory from its beginning is told of an I/O error, root too.
    link("/proc/self/mem", "unreadable.csv");
    let said = world.run("ingest logs");
    expect![[r#"
        stderr: failed: logs/dangling.csv: cannot be read: No such file or directory (os error 2)
        stderr: failed: logs/corrupt.csv.gz: ends in the middle of its gzip data; its last part was not ingested, so ingest the complete file again
        stderr: failed: logs/unreadable.csv: cannot be read: Input/output error (os error 5)
        stderr: ingest: 194 read = 194 accepted + 0 duplicate + 0 rejected, 97 new batches, 3 of 100 inputs failed
        exit code 4
    "#]].assert_eq(&said.whole());
    let lines =
        world.sold().lines().filter(|line| line.starts_with("item") && line.ends_with(",2,2,0.0000")).count();
    assert_eq!(lines, 97, "{}", world.sold());
    let rejects = world.records("rejects");
    let files: Vec<&str> = rejects.iter().filter_map(|reject| reject["file"].as_str()).collect();
    assert_eq!(files, ["logs/dangling.csv", "logs/corrupt.csv.gz", "logs/unreadable.csv"]);
    // Sent again as it should be, the rest comes in, and the others are known.
    std::fs::remove_file(world.path("logs/dangling.csv")).expect("a link can be removed");
    std::fs::remove_file(world.path("logs/unreadable.csv")).expect("a link can be removed");
    world.write("logs/corrupt.csv.gz", gzip(b"ts,item_id\n2017-01-14T10:00:00Z,mended\n"));
    let again = world.run("ingest logs");
    assert_eq!(again.code, Some(0), "{}", again.whole());
    assert!(again.stderr.contains("195 read = 1 accepted + 194 duplicate + 0 rejected"), "{}", again.whole());
}
