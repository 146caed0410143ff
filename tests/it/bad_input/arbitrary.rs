//! Random bytes, and valid bytes with random changes, wherever the program reads: never a
//! panic, a documented exit code, and a summary that adds up.
//!
//! `TOPSELL_FUZZ_CASES` sets the number of cases of each property; the default is small. Each
//! property reports at its end how much it tried.

mod described;
mod lakes;
mod logs;
mod streams;

use std::cell::Cell;
use std::fmt::Debug;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::ingest::formats::{bzip2, gzip, xz, zip_of, zstd};
use crate::world::Said;

/// A change of something: at so many thousandths of it, something is put in the place of some bytes.
type Change = (usize, usize, Vec<u8>);

/// A function that compresses a log.
type Packing = fn(&[u8]) -> Vec<u8>;

/// Every compression of a log.
const PACKINGS: [Packing; 5] = [gzip, zstd, bzip2, xz, zip_of];

/// How a good file becomes a bad one.
#[derive(Clone, Debug)]
enum Harm {
    Bytes(Vec<u8>),
    Changes(Vec<Change>),
    /// Changes before it is packed, and changes after.
    Packed {
        packing: usize,
        before: Vec<Change>,
        after: Vec<Change>,
    },
}

impl Harm {
    fn done_to(&self, good: Vec<u8>) -> Vec<u8> {
        match self {
            Harm::Bytes(bytes) => bytes.clone(),
            Harm::Changes(changes) => changed(good, changes),
            Harm::Packed { packing, before, after } => {
                let whole = changed(good, before);
                changed(PACKINGS[*packing](&whole), after)
            }
        }
    }
}

fn changes(of: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Change>> {
    let telling: &[&[u8]] =
        &[b"", b"\"", b"\n", b"\r", b",", b"\0", b"\xff", b"{", b"[", b"%", b"|", b"//", b"9999", b"-"];
    let put = prop_oneof![prop::sample::select(telling).prop_map(<[u8]>::to_vec), vec(any::<u8>(), 0..4)];
    vec((0..1_000_usize, 0..4_usize, put), of)
}

/// Changes a plain file, or replaces it.
fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        1 => vec(any::<u8>(), 0..200).prop_map(Harm::Bytes),
        3 => changes(1..6).prop_map(Harm::Changes),
    ]
}

/// Changes a file, packed or not, or replaces it.
fn harm_or_packing() -> impl Strategy<Value = Harm> {
    let packed = (0..PACKINGS.len(), changes(0..4), changes(0..4));
    prop_oneof![
        3 => harm(),
        2 => packed.prop_map(|(packing, before, after)| Harm::Packed { packing, before, after }),
    ]
}

fn changed(mut whole: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for (place, length, put) in changes {
        let at = whole.len() * place / 1_000;
        let until = whole.len().min(at + length);
        whole.splice(at..until, put.iter().copied());
    }
    whole
}

/// Checks so many cases, each of which says how many bytes it tried.
#[expect(clippy::print_stdout, reason = "with --nocapture, the amount that was tried is reported")]
fn try_cases<T: Debug>(
    what: &str,
    cases: u32,
    strategy: impl Strategy<Value = T>,
    check: impl Fn(T) -> Result<usize, TestCaseError>,
) {
    let wanted = std::env::var("TOPSELL_FUZZ_CASES").ok().and_then(|text| text.parse().ok());
    let cases = wanted.unwrap_or(cases);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let (tried, bytes) = (Cell::new(0_u64), Cell::new(0));
    let outcome = TestRunner::new(config).run(&strategy, |case| {
        let size = check(case)?;
        tried.set(tried.get() + 1);
        bytes.set(bytes.get() + size as u64);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{what}: {failure}");
    }
    assert_eq!(tried.get(), u64::from(cases), "{what}: every case was tried");
    println!("{what}: {} cases, {} bytes", tried.get(), bytes.get());
}

/// Checks that a run has ended in one of these ways, and not by a panic.
fn ended(said: &Said, codes: &[i32]) -> Result<(), TestCaseError> {
    let is_good = said.code.is_some_and(|code| codes.contains(&code));
    prop_assert!(is_good && !said.stderr.contains("panicked"), "{}", said.whole());
    Ok(())
}

/// Returns the four numbers of an ingest's summary, after a check that they add up.
fn account(said: &Said) -> Result<[u64; 4], TestCaseError> {
    let numbers = said.stderr.lines().find(|line| line.starts_with("ingest: ")).and_then(|line| {
        let number = |before: &str| line.split_once(before)?.0.rsplit(' ').next()?.parse().ok();
        Some([
            number(" read").or_else(|| number(" events"))?,
            number(" accepted")?,
            number(" duplicate")?,
            number(" rejected")?,
        ])
    });
    let Some([read, accepted, duplicate, rejected]) = numbers else {
        return Err(TestCaseError::fail(format!("there is no summary: {}", said.whole())));
    };
    prop_assert_eq!(read, accepted + duplicate + rejected, "{}", said.whole());
    Ok([read, accepted, duplicate, rejected])
}

/// Returns a log of a few events that are read without a complaint.
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
shop.web: [1484388000.123456789, {"item_id":"pear","category":["Food","Fruit"]}]
{"date":"2017-01-14 10:00:00.123456","item_id":"plum","quantity":2.0}
"#
            .to_vec()
        }
        _ => crate::ingest::formats::purchases_as_parquet(),
    }
}

/// Counts the records of plain NDJSON, each of which must be accounted for; `None` where the first line is
/// not one object, so that it may be in another framing or packed.
fn json_lines(bytes: &[u8]) -> Option<u64> {
    let mut lines =
        bytes.split(|&byte| byte == b'\n').filter(|line| !line.iter().all(u8::is_ascii_whitespace));
    let is_object = |line: &[u8]| {
        let object: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_slice(line);
        object.is_ok()
    };
    let first = lines.next()?;
    is_object(first).then(|| 1 + lines.map(records).sum::<u64>())
}

/// Counts the objects of a line, and what follows them.
fn records(line: &[u8]) -> u64 {
    let mut parser = serde_json::Deserializer::from_slice(line).into_iter::<serde_json::Value>();
    let (mut count, mut end) = (0, 0);
    while let Some(Ok(value)) = parser.next() {
        if !value.is_object() {
            break;
        }
        (count, end) = (count + 1, parser.byte_offset());
    }
    count + u64::from(!line[end..].trim_ascii().is_empty())
}
