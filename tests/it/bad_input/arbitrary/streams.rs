//! Streams that are committed piece by piece, and messages that are answered one by one.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::bad_input::arbitrary::{
    account, changed, changes, ended, good_log, harm_or_packing, json_lines, try_cases,
};
use crate::world::{Said, World};

/// Checks the only run's record against what the run said.
fn recorded(world: &World, said: &Said) -> Result<[u64; 4], TestCaseError> {
    let told = account(said)?;
    let runs = world.records("runs");
    prop_assert_eq!(runs.len(), 1, "a run leaves one record");
    for (name, told) in ["read", "accepted", "duplicate", "rejected"].into_iter().zip(told) {
        prop_assert_eq!(runs[0]["counts"][name].as_u64(), Some(told), "{}: {}", name, said.whole());
    }
    Ok(told)
}

#[test]
fn streams_of_chance_are_accounted_for_wherever_they_are_cut() {
    const FORMATS: [&str; 3] = ["csv", "tsv", "ndjson"];
    let cases = (0..FORMATS.len(), harm_or_packing(), 1..4_u8);
    try_cases("streams", 20, cases, |(format, harm, every)| {
        let (world, format) = (World::new(), FORMATS[format]);
        let stream = harm.done_to(good_log(format));
        let every = every.to_string();
        let said = world.run_with(&["ingest", "--commit-every", &every, "--format", format, "-"], &stream);
        ended(&said, &[0, 1, 4])?;
        let cut = recorded(&world, &said)?;
        if format == "ndjson" {
            let lines = json_lines(&stream);
            prop_assert!(lines.is_none_or(|lines| lines == cut[0]), "{:?} lines: {}", lines, said.whole());
            let whole = world.run_with(&["--lake", "whole", "ingest", "--format", format, "-"], &stream);
            ended(&whole, &[0, 1, 4])?;
            let [_, accepted, ..] = account(&whole)?;
            // Of a stream that breaks off in its packing, the lines before that are kept of both.
            prop_assert!(accepted <= cut[1], "{}{}", said.whole(), whole.whole());
        }
        Ok(stream.len())
    });
}

/// What a sender might send, right or wrong; without its line end.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let marks: &[&[u8]] = &[
        b"BEGIN TRANSACTION",
        b"COMMIT TRANSACTION",
        b"COMMIT TRANSACTION \r",
        b" BEGIN TRANSACTION",
        b"BEGIN",
        b"OK",
        b"",
        b" \t\r",
    ];
    let lines: Vec<Vec<u8>> =
        good_log("ndjson").split(|&byte| byte == b'\n').map(<[u8]>::to_vec).take(4).collect();
    let line = prop::sample::select(lines);
    prop_oneof![
        3 => prop::sample::select(marks).prop_map(<[u8]>::to_vec),
        2 => line.clone(),
        2 => (line, changes(1..4)).prop_map(|(line, changes)| changed(line, &changes)),
        1 => vec(any::<u8>(), 0..40),
    ]
}

/// Returns what must be answered to whole lines, and how many of them must be in or rejected.
fn answers(messages: &[u8]) -> (Vec<&'static str>, u64) {
    let (mut answers, mut read) = (vec!["OK"], 0);
    let mut open: Option<u64> = None;
    let whole = memchr::memrchr(b'\n', messages).map_or(&b""[..], |end| &messages[..end]);
    let lines =
        whole.split(|&byte| byte == b'\n').take(if messages.contains(&b'\n') { usize::MAX } else { 0 });
    for line in lines {
        let is_blank = line.iter().all(u8::is_ascii_whitespace);
        answers.push(match (line.trim_ascii_end(), open) {
            (b"BEGIN TRANSACTION", _) => {
                open = Some(0);
                "OK"
            }
            (b"COMMIT TRANSACTION", None) => "Error: there is no transaction to commit",
            (b"COMMIT TRANSACTION", Some(lines)) => {
                (open, read) = (None, read + lines);
                "OK"
            }
            (_, None) => {
                read += u64::from(!is_blank);
                "OK"
            }
            (_, Some(lines)) => {
                open = Some(lines + u64::from(!is_blank));
                "DEFER_COMMIT"
            }
        });
    }
    (answers, read)
}

/// Returns whether a line has an object and something behind it.
fn has_more_behind_object(stream: &[u8]) -> bool {
    stream.split(|&byte| byte == b'\n').any(|line| {
        let end = memchr::memchr(b'}', line);
        end.is_some_and(|end| !line[end + 1..].trim_ascii().is_empty())
    })
}

#[test]
fn every_message_of_chance_gets_its_one_answer() {
    let cases = (vec(message(), 0..20), any::<bool>());
    try_cases("messages", 20, cases, |(messages, is_ended)| {
        let world = World::new();
        let mut stream = messages.join(&b'\n');
        stream.extend(is_ended.then_some(b'\n'));
        let said = world.run_with(&["ingest", "--ack", "rsyslog", "-"], &stream);
        ended(&said, &[0, 4])?;
        let (expected, lines) = answers(&stream);
        prop_assert_eq!(said.stdout.lines().collect::<Vec<_>>(), expected, "{}", said.whole());
        let [read, _, duplicate, rejected] = recorded(&world, &said)?;
        // Behind an object a line may have another record.
        let is_as_many = read == lines || read > lines && has_more_behind_object(&stream);
        prop_assert!(is_as_many && duplicate == 0, "{lines} lines: {}", said.whole());
        prop_assert_eq!(said.code == Some(4), rejected > 0, "{}", said.whole());
        Ok(stream.len())
    });
}
