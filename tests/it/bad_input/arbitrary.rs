//! Bytes of chance, and good logs with changes of chance: never a panic, and the account holds.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::ingest::formats::{gzip, purchases_as_parquet, zstd};
use crate::world::{Said, World};

const FORMATS: [&str; 4] = ["csv", "tsv", "ndjson", "parquet"];

/// A change of a log: at so many thousandths of it, something is put in the place of some bytes.
type Change = (usize, usize, Vec<u8>);

fn good_log(format: &str) -> Vec<u8> {
    let csv = "ts,event_id,item_id,category,event_type,quantity,amount\r\n\
        2017-01-14T10:00:00Z,1,apple,Food/Fruit|Gifts,purchase,1,1.50\n\
        1484388000,2,\"a \"\"b\"\"\nc\",\"Food\",,-2,1e2\n\
        1484388000123,,käse,,view,,\n";
    match format {
        "csv" => csv.as_bytes().to_vec(),
        "tsv" => csv.replace(',', "\t").into_bytes(),
        "ndjson" => {
            br#"{"ts":"2017-01-14T10:00:00Z","event_id":"1","item_id":"apple","category":"Food/Fruit"}
{"ts":1484388000,"item_id":7,"categories":[["Food","Fruit"],["Gifts"]],"quantity":-1,"amount":1.5e3}
"#
            .to_vec()
        }
        _ => purchases_as_parquet(),
    }
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let telling: &[&[u8]] =
        &[b"", b"\"", b"\n", b"\r", b",", b"\0", b"\xff", b"{", b"[", b"%", b"|", b"//", b"9999", b"-"];
    let put = prop_oneof![prop::sample::select(telling).prop_map(<[u8]>::to_vec), vec(any::<u8>(), 0..4)];
    vec((0..1_000_usize, 0..4_usize, put), 1..6)
}

fn changed(mut log: Vec<u8>, changes: Vec<Change>) -> Vec<u8> {
    for (place, length, put) in changes {
        let at = log.len() * place / 1_000;
        let until = log.len().min(at + length);
        log.splice(at..until, put);
    }
    log
}

/// Returns the four numbers of the summary.
fn account(said: &Said) -> Option<[u64; 4]> {
    let line = said.stderr.lines().find(|line| line.starts_with("ingest: "))?;
    let number = |before: &str| line.split_once(before)?.0.rsplit(' ').next()?.parse().ok();
    Some([number(" read")?, number(" accepted")?, number(" duplicate")?, number(" rejected")?])
}

/// Takes bytes in as a file and from standard input; `lines` is how many must be accounted for,
/// where that is known.
fn check(world: &World, format: &str, bytes: &[u8], lines: Option<u64>) -> Result<(), TestCaseError> {
    let name = format!("log.{format}");
    world.write(&name, bytes);
    let from_file = world.run(&format!("ingest {name}"));
    let again = world.run_with(&["ingest", "--format", format, "-"], bytes);
    for said in [&from_file, &again] {
        prop_assert!(matches!(said.code, Some(0 | 1 | 4)), "{}", said.whole());
        let Some([read, accepted, duplicate, rejected]) = account(said) else {
            return Err(TestCaseError::fail(format!("there is no summary: {}", said.whole())));
        };
        prop_assert_eq!(read, accepted + duplicate + rejected, "{}", said.whole());
        prop_assert!(lines.is_none_or(|lines| lines == read), "{:?} lines: {}", lines, said.whole());
        let is_whole = rejected == 0 && !said.stderr.contains("failed: ");
        prop_assert_eq!(said.code == Some(0), is_whole, "{}", said.whole());
    }
    // Only an input of which nothing could be read is read again, with nothing to show for it.
    let [_, first, ..] = account(&from_file).unwrap_or_default();
    let [_, accepted, _, rejected] = account(&again).unwrap_or_default();
    prop_assert_eq!(accepted, 0, "what was taken in once stays: {}", again.whole());
    prop_assert!(rejected == 0 || first == 0, "and is not looked at again: {}", again.whole());
    Ok(())
}

/// Counts the lines of NDJSON, each of which must be accounted for.
fn lines_to_account_for(format: &str, bytes: &[u8]) -> Option<u64> {
    let is_packed = bytes.starts_with(&[0x1f, 0x8b]) || bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    let lines = bytes.split(|&byte| byte == b'\n');
    let told = lines.filter(|line| !line.iter().all(u8::is_ascii_whitespace)).count() as u64;
    (format == "ndjson" && !is_packed).then_some(told)
}

fn run_cases(cases: u32, strategy: impl Strategy<Value = (usize, Vec<u8>)>) {
    let worlds = FORMATS.map(|_| World::new());
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&strategy, |(format, bytes)| {
        let lines = lines_to_account_for(FORMATS[format], &bytes);
        check(&worlds[format], FORMATS[format], &bytes, lines)
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    for world in worlds {
        let said = world.run("rank --window 365d");
        assert!(matches!(said.code, Some(0 | 1 | 5)), "what came in can be ranked: {}", said.whole());
    }
}

#[test]
fn bytes_of_chance_never_end_in_a_panic() {
    run_cases(40, (0..FORMATS.len(), vec(any::<u8>(), 0..200)));
}

#[test]
fn changed_logs_never_end_in_a_panic_and_are_accounted_for() {
    let logs = (0..FORMATS.len(), changes());
    run_cases(100, logs.prop_map(|(format, changes)| (format, changed(good_log(FORMATS[format]), changes))));
}

#[test]
fn changed_packed_logs_never_end_in_a_panic() {
    let logs = (0..FORMATS.len(), any::<bool>(), changes());
    run_cases(
        40,
        logs.prop_map(|(format, is_gzip, changes)| {
            let log = good_log(FORMATS[format]);
            (format, changed(if is_gzip { gzip(&log) } else { zstd(&log) }, changes))
        }),
    );
}
