//! Files that grow while they are ingested: every line counts once, whatever the moments at which the
//! file is appended to, rotated, copied and truncated, and at which the runs are killed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use expect_test::expect;

use crate::ingest::formats::{gzip, zstd};
use crate::processes::{exits_within, next_random};
use crate::world::World;

const HEADER: &str = "ts,item_id,category,quantity\n";

fn line(item: &str, quantity: u32) -> String {
    format!("2017-01-14T10:00:00Z,{item},Food,{quantity}\n")
}

/// Returns `item=units` of all items, in byte order.
fn units(world: &World) -> String {
    let sold = world.sold();
    let fields = sold.lines().skip(1).filter_map(|line| line.split_once(','));
    let mut items: Vec<String> =
        fields.map(|(item, rest)| format!("{item}={}", rest.split(',').next().unwrap_or_default())).collect();
    items.sort_unstable();
    items.join(" ")
}

/// A file that had grown used to be ingested whole again.
#[test]
fn of_a_file_that_has_grown_only_the_new_lines_are_ingested() {
    let world = World::new();
    let mut log = format!("{HEADER}{}{}", line("a", 1), line("b", 2));
    world.write("shop.csv", &log);
    world.run("ingest shop.csv");
    log.push_str(&line("c", 3));
    world.write("shop.csv", &log);
    expect![[r#"
        stdout: shop.csv: CSV, delimiter `,`, quoted fields, UTF-8
        stdout: times     2017-01-14T10:00:00Z to 2017-01-14T10:00:00Z
        stdout: types     purchase 1
        stdout: ids       no event has an id; a line that comes twice counts twice
        stdout: 
        stdout: columns
        stdout: column    field     samples
        stdout: ts        ts        2017-01-14T10:00:00Z
        stdout: item_id   item_id   a  b  c
        stdout: category  category  Food
        stdout: quantity  quantity  1  2  3
        stdout: 
        stdout: first events
        stdout: ts                    event_type  item_id  quantity  categories
        stdout: 2017-01-14T10:00:00Z  purchase    c               3  Food
        stderr: note: shop.csv has grown: 2 lines already ingested, 1 new
        stderr: ingest: 3 read = 1 accepted + 2 duplicate + 0 rejected, 1 new batch; dry run, nothing was written
        exit code 0
    "#]].assert_eq(&world.run("ingest --dry-run shop.csv").whole());
    let grown = expect![[r#"
        stderr: note: shop.csv has grown: 2 lines already ingested, 1 new
        stderr: ingest: 3 read = 1 accepted + 2 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]];
    grown.assert_eq(&world.run("ingest shop.csv").whole());
    expect![[r#"
        stderr: skipped: shop.csv is already ingested
        stderr: ingest: 3 read = 0 accepted + 3 duplicate + 0 rejected, 0 new batches
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest shop.csv").whole());
    log.push_str(&line("d", 4));
    log.push_str("2017-01-14T10:00:00Z,never,Food,many\n");
    world.write("shop.csv", &log);
    expect![[r#"
        stderr: rejected: shop.csv:6: quantity `many` is not a number such as 12.34
        stderr: note: shop.csv has grown: 3 lines already ingested, 2 new
        stderr: ingest: 5 read = 1 accepted + 3 duplicate + 1 rejected, 1 new batch
        exit code 4
    "#]]
    .assert_eq(&world.run("ingest shop.csv").whole());
    assert_eq!(units(&world), "a=1 b=2 c=3 d=4");
    // The same content under another name, and compressed, is known as a whole.
    world.write("copy.csv.gz", gzip(log.as_bytes()));
    expect![[r#"
        stderr: skipped: copy.csv.gz is already ingested
        stderr: warning: 1 input has the content of another file, so 5 lines were not loaded: copy.csv.gz
        stderr: hint: if these are other sales, load each file with a --batch-id of its own, or add a column that differs
        stderr: ingest: 5 read = 0 accepted + 5 duplicate + 0 rejected, 0 new batches
        exit code 0
    "#]].assert_eq(&world.run("ingest copy.csv.gz").whole());
    expect![[r#"
        stderr: skipped: copy.csv.gz is already ingested
        stderr: ingest: 5 read = 0 accepted + 5 duplicate + 0 rejected, 0 new batches
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest copy.csv.gz").whole());
}

/// `…,1` was half of `…,12`.
#[test]
fn a_last_line_without_a_newline_is_replaced_when_it_grows() {
    let world = World::new();
    let write = |text: &str| world.write("shop.csv", text);
    let log = format!("{HEADER}{}{}", line("a", 1), line("b", 1).trim_end());
    write(&log);
    expect![[r#"
        stderr: ingest: 2 read = 2 accepted + 0 duplicate + 0 rejected, 2 new batches
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest shop.csv").whole());
    assert_eq!(units(&world), "a=1 b=1");
    write(&format!("{log}2"));
    expect![[r#"
        stderr: note: shop.csv has grown: 1 line already ingested, 1 new
        stderr: ingest: 2 read = 1 accepted + 1 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest shop.csv").whole());
    assert_eq!(units(&world), "a=1 b=12");
    let log = format!("{log}25\n{}", line("c", 1));
    write(&log);
    assert_eq!(world.run("ingest shop.csv").code, Some(0));
    assert_eq!(units(&world), "a=1 b=125 c=1");
    // It is complete after all, and then it is not even an event.
    let log = format!("{log}{}", line("d", 1).trim_end());
    write(&log);
    assert_eq!(world.run("ingest shop.csv").code, Some(0));
    assert_eq!(units(&world), "a=1 b=125 c=1 d=1");
    let ended = format!("{log}\n{}", line("e", 1));
    write(&ended);
    expect![[r#"
        stderr: note: shop.csv has grown: 4 lines already ingested, 1 new
        stderr: ingest: 5 read = 1 accepted + 4 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest shop.csv").whole());
    write(&format!("{ended}{}", line("f", 1).trim_end()));
    world.run("ingest shop.csv");
    write(&format!("{ended}{}x\n", line("f", 1).trim_end()));
    assert_eq!(world.run("ingest shop.csv").code, Some(4));
    assert_eq!(units(&world), "a=1 b=125 c=1 d=1 e=1");
    let verified = world.run("lake verify");
    assert_eq!(verified.code, Some(0), "{}", verified.whole());
}

#[test]
fn an_incomplete_last_line_that_is_no_event_yet_is_one_later() {
    let world = World::new();
    let event = |item: &str| format!("{{\"ts\":1484395200,\"item_id\":\"{item}\"}}\n");
    world.write("shop.log", format!("{}{}", event("a"), &event("b")[..9]));
    assert_eq!(world.run("ingest shop.log").code, Some(4));
    // Under another name, it is the same file.
    world.write("again/copy.log", format!("{}{}", event("a"), &event("b")[..9]));
    let said = world.run("ingest again/copy.log");
    assert!(said.stderr.contains("0 accepted + 2 duplicate"), "{}", said.whole());
    world.write("shop.log", format!("{}{}", event("a"), event("b")));
    expect![[r#"
        stderr: note: shop.log has grown: 1 line already ingested, 1 new
        stderr: ingest: 2 read = 1 accepted + 1 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest shop.log").whole());
    assert_eq!(units(&world), "a=1 b=1");
}

#[test]
fn rotated_files_are_known_by_their_content() {
    let world = World::new();
    let rename = |from: &str, to: &str| {
        std::fs::rename(world.path(from), world.path(to)).expect("a file can be renamed");
    };
    let first = format!("{HEADER}{}", line("a", 1));
    world.write("logs/shop.csv", &first);
    world.run("ingest logs");
    // Appended to, rotated, and a new one begins with the same header.
    world.write("logs/shop.csv", format!("{first}{}", line("b", 1)));
    rename("logs/shop.csv", "logs/shop.csv.1");
    world.write("logs/shop.csv", format!("{HEADER}{}", line("c", 1)));
    expect![[r#"
        stderr: note: logs/shop.csv.1 has grown: 1 line already ingested, 1 new
        stderr: ingest: 3 read = 2 accepted + 1 duplicate + 0 rejected, 2 new batches
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest logs").whole());
    // Copied and truncated: the copy has another number, and lines that were never read.
    let copied = format!("{HEADER}{}{}", line("c", 1), line("d", 1));
    rename("logs/shop.csv.1", "logs/shop.csv.2");
    world.write("logs/shop.csv.1", &copied);
    world.write("logs/shop.csv", format!("{HEADER}{}{}{}", line("e", 1), line("f", 1), line("g", 1)));
    let said = world.run("ingest logs");
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert_eq!(units(&world), "a=1 b=1 c=1 d=1 e=1 f=1 g=1");
    world.write("logs/shop.csv.2.zst", zstd(format!("{first}{}", line("b", 1)).as_bytes()));
    std::fs::remove_file(world.path("logs/shop.csv.2")).expect("it is there");
    let said = world.run("ingest logs");
    assert!(
        said.stderr.contains("6 read = 0 accepted + 6 duplicate")
            || said.stderr.contains("7 read = 0 accepted + 7 duplicate"),
        "{}",
        said.whole()
    );
    assert!(!said.stderr.contains("warning"), "{}", said.whole());
}

#[test]
fn a_file_under_another_name_is_no_growth_and_warned_about() {
    let world = World::new();
    let log = format!("{HEADER}{}{}", line("a", 1), line("b", 1));
    world.write("old.csv", &log);
    world.run("ingest old.csv");
    world.write("new.csv", format!("{log}{}", line("c", 1)));
    expect![[r#"
        stderr: warning: new.csv begins with 2 lines that are already ingested from another file; they were loaded again
        stderr: hint: if it is the same file under another name, pass --force to count its lines once
        stderr: ingest: 3 read = 3 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 4
    "#]].assert_eq(&world.run("ingest new.csv").whole());
    assert_eq!(units(&world), "a=2 b=2 c=1");
    expect![[r#"
        stderr: ingest: 3 read = 3 accepted + 0 duplicate + 0 rejected, 0 new batches, 1 batch replaced
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest --force new.csv").whole());
    assert_eq!(units(&world), "a=1 b=1 c=1");
}

#[test]
fn a_file_that_was_rewritten_is_loaded_and_warned_about() {
    let world = World::new();
    world.write("shop.csv", format!("{HEADER}{}{}{}", line("a", 1), line("b", 1), line("c", 1)));
    world.run("ingest shop.csv");
    world.write("shop.csv", format!("{HEADER}{}{}{}", line("a", 1), line("B", 1), line("c", 1)));
    expect![[r#"
        stderr: warning: shop.csv has changed since it was ingested: 3 lines of its earlier version stay in the lake, and 3 lines were loaded now
        stderr: hint: to replace a file that is rewritten each time, pass the same --batch-id with --force each time
        stderr: ingest: 3 read = 3 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 4
    "#]].assert_eq(&world.run("ingest shop.csv").whole());
    // Another day's file of the same name begins otherwise.
    world.write("shop.csv", format!("{HEADER}{}", line("x", 1)));
    expect![[r#"
        stderr: ingest: 1 read = 1 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest shop.csv").whole());
}

#[test]
fn a_forced_load_replaces_all_steps_in_which_a_file_grew() {
    let world = World::new();
    let mut log = String::from(HEADER);
    for item in ["a", "b", "c"] {
        log.push_str(line(item, 1).trim_end());
        world.write("shop.csv", &log);
        assert_eq!(world.run("ingest shop.csv").code, Some(0));
        log.push('\n');
    }
    assert_eq!(units(&world), "a=1 b=1 c=1");
    log.push_str(&line("d", 1));
    world.write("shop.csv", &log);
    let said = world.run("ingest --force shop.csv");
    assert!(
        said.stderr.ends_with("4 accepted + 0 duplicate + 0 rejected, 0 new batches, 1 batch replaced\n"),
        "{}",
        said.whole()
    );
    assert_eq!(units(&world), "a=1 b=1 c=1 d=1");
    log.push_str(&line("e", 1));
    world.write("shop.csv", &log);
    assert!(world.run("ingest shop.csv").stderr.contains("4 lines already ingested, 1 new"));
    assert_eq!(units(&world), "a=1 b=1 c=1 d=1 e=1");
}

#[test]
fn a_file_larger_than_a_slice_grows_and_is_known_under_another_name() {
    let world = World::new();
    let mut log = String::from(HEADER);
    let mut chance = 3;
    for step in 0..12 {
        for n in 0..next_random(&mut chance) % 900 {
            log.push_str(&line(&format!("item-{step}-{n}"), 1));
        }
        let cut = log.len() - (next_random(&mut chance) % 10) as usize;
        world.write("shop.csv", &log[..cut]);
        let said = world.run("ingest --slice-size 64KiB shop.csv");
        assert!(matches!(said.code, Some(0 | 4)), "{}", said.whole());
    }
    world.write("shop.csv", &log);
    assert!(matches!(world.run("ingest shop.csv").code, Some(0 | 4)));
    let lines = log.lines().count() - 1;
    world.write("other/copy.csv.gz", gzip(log.as_bytes()));
    let said = world.run("ingest other/copy.csv.gz");
    let expected =
        format!("ingest: {lines} read = 0 accepted + {lines} duplicate + 0 rejected, 0 new batches\n");
    assert!(said.stderr.ends_with(&expected), "{}", said.whole());
    assert_eq!(units(&world).split(' ').count(), lines);
    assert!(!units(&world).contains("=2"));
}

/// What the shop writes: the log, and what it has rotated.
struct Shop<'a> {
    world: &'a World,
    format: &'a str,
    /// What was written to the current file, what is about to be, and its lines.
    written: Vec<u8>,
    pending: Vec<u8>,
    lines: u64,
    expected: BTreeMap<String, u64>,
}

impl Shop<'_> {
    fn path(&self, rotated: &str) -> std::path::PathBuf {
        self.world.path(&format!("logs/shop.{}{rotated}", self.format))
    }

    fn sell(&mut self, chance: &mut u64) {
        let (item, quantity) = (format!("item{}", self.lines), 1 + next_random(chance) % 200);
        self.lines += 1;
        let hour = next_random(chance) % 20;
        let text = match self.format {
            "csv" => format!("2017-01-14T{hour:02}:00:00Z,{item},Food,{quantity}\n"),
            _ => format!(
                "{{\"ts\":\"2017-01-14T{hour:02}:00:00Z\",\"item_id\":\"{item}\",\"quantity\":{quantity}}}\n"
            ),
        };
        self.pending.extend(text.as_bytes());
        self.expected.insert(item, quantity);
    }

    /// Appends a piece of what is pending, up to a random byte.
    fn append(&mut self, chance: &mut u64) {
        if self.written.is_empty() && self.format == "csv" {
            self.put(HEADER.len(), HEADER.as_bytes().to_vec());
        }
        let length = next_random(chance) as usize % (self.pending.len() + 1);
        let rest = self.pending.split_off(length);
        let piece = std::mem::replace(&mut self.pending, rest);
        self.put(length, piece);
    }

    fn put(&mut self, _length: usize, piece: Vec<u8>) {
        std::fs::create_dir_all(self.world.path("logs")).expect("a folder can be made");
        let file = std::fs::File::options().create(true).append(true).open(self.path(""));
        file.and_then(|mut file| file.write_all(&piece)).expect("a file can be appended to");
        self.written.extend(piece);
    }

    /// Ends the line that is being written, and begins a new file.
    fn rotate(&mut self, copies: bool) {
        let rest = self.pending.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if !self.written.ends_with(b"\n") && !self.written.is_empty() {
            let piece = self.pending.drain(..rest).collect();
            self.put(rest, piece);
        }
        if !self.path("").exists() {
            return;
        }
        for number in (1..30).rev() {
            let _ = std::fs::rename(self.path(&format!(".{number}")), self.path(&format!(".{}", number + 1)));
        }
        if copies {
            std::fs::copy(self.path(""), self.path(".1")).expect("a file can be copied");
            std::fs::File::create(self.path("")).expect("a file can be truncated");
        } else {
            std::fs::rename(self.path(""), self.path(".1")).expect("a file can be renamed");
        }
        self.written.clear();
    }
}

fn check_shop(format: &str, seed: u64) {
    let world = World::new();
    let mut shop = Shop {
        world: &world,
        format,
        written: Vec::new(),
        pending: Vec::new(),
        lines: 0,
        expected: BTreeMap::new(),
    };
    let rounds = std::env::var("TOPSELL_KILL_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(40);
    let (mut chance, mut killed) = (seed, 0);
    for _ in 0..rounds {
        for _ in 0..next_random(&mut chance) % 120 {
            shop.sell(&mut chance);
        }
        shop.append(&mut chance);
        match next_random(&mut chance) % 12 {
            0 => shop.rotate(false),
            1 => shop.rotate(true),
            _ => {}
        }
        let arguments = ["-q", "ingest", "--slice-size", "64KiB", "--allow-rejects", "logs"];
        let mut child =
            world.command(&arguments).stderr(Stdio::null()).spawn().expect("the program under test starts");
        if next_random(&mut chance) % 9 > 2 {
            exits_within(Duration::from_micros(next_random(&mut chance) % 60_000), &mut child);
            child.kill().expect("a child can be killed");
        }
        let code = child.wait().expect("the run ends").code();
        killed += u64::from(code.is_none());
        assert!(matches!(code, None | Some(0)), "an ingest ended with {code:?}");
    }
    assert!(killed > 0, "no run was killed while it was at work");
    let rest = std::mem::take(&mut shop.pending);
    shop.put(0, rest);
    let said = world.run("ingest logs");
    assert_eq!(said.code, Some(0), "{}", said.whole());
    let mut expected = String::new();
    for (item, quantity) in &shop.expected {
        write!(expected, "{item}={quantity} ").expect("a text can grow");
    }
    let mut expected: Vec<&str> = expected.split_whitespace().collect();
    expected.sort_unstable();
    assert_eq!(units(&world), expected.join(" "), "seed {seed}");
    let said = world.run("ingest logs");
    assert!(said.stderr.contains(" 0 accepted"), "{}", said.whole());
    assert_eq!(world.run("lake verify").code, Some(0));
}

#[test]
fn every_line_of_a_growing_csv_log_counts_once() {
    check_shop("csv", 11);
}

#[test]
fn every_line_of_a_growing_ndjson_log_counts_once() {
    check_shop("ndjson", 5);
}
