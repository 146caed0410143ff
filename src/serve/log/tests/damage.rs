//! Damage is named, and only what nobody was told is durable is cut.

use std::path::PathBuf;

use crate::log::error::{Damage, LogError};
use crate::log::tests::simulated_disk::SimulatedDisk;
use crate::log::tests::{Seen, append, folder, open, path};

const FIRST: &str = "main.0000000001-0000000000000001-0000000000000002.sealed";
const SECOND: &str = "main.0000000001-0000000000000003-0000000000000003.sealed";
const OPEN: &str = "main.0000000001-0000000000000004.open";
/// Where the records begin.
const RECORDS: usize = 128;

/// Returns a log that crashed with two sealed segments and an open one: its groups are records 4, 5 and 6
/// with 7 and 8.
fn crashed() -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    let (log, _, _) = open(&disk).expect("an empty log opens");
    append(&log, 1, b"one").expect("the disk works");
    append(&log, 2, b"two").expect("the disk works");
    log.roll().expect("the disk works");
    append(&log, 3, b"three").expect("the disk works");
    log.roll().expect("the disk works");
    append(&log, 4, b"four").expect("the disk works");
    disk.hold_syncs();
    let fifth = log.append(5, b"five".to_vec()).expect("the queue has room");
    disk.wait_for_sync();
    // These three wait together, and so become one group.
    let group = [6, 7, 8].map(|time| log.append(time, vec![9; 20]).expect("the queue has room"));
    disk.release_syncs();
    fifth.wait().expect("the disk works");
    group.into_iter().for_each(|ticket| drop(ticket.wait().expect("the disk works")));
    let disk = disk.power_cut();
    assert_eq!(disk.names(folder()), ["incarnation", FIRST, SECOND, OPEN]);
    disk
}

/// Opens a log; what it holds, and how many bytes were cut.
fn read(disk: &SimulatedDisk) -> Result<(Vec<i64>, u64), LogError> {
    let (_log, recovered, seen) = open(disk)?;
    let seen: Vec<Seen> = seen.lock().expect("no test panics here").clone();
    Ok((seen.into_iter().map(|(_, time, _)| time).collect(), recovered.cut.map_or(0, |cut| cut.bytes)))
}

fn damage(disk: &SimulatedDisk) -> (PathBuf, u64, Damage) {
    let before = disk.names(folder());
    let (path, offset, damage) = match read(disk) {
        Err(LogError::Damaged { path, offset, damage }) => (path, offset, damage),
        other => panic!("{other:?}"),
    };
    assert_eq!(disk.names(folder()), before, "a damaged log is left as it was");
    (path, offset, damage)
}

/// A record's place in its segment: 48 bytes and the payload, in multiples of 8.
fn place(payload_bytes: &[usize]) -> usize {
    RECORDS + payload_bytes.iter().map(|bytes| 48 + bytes.next_multiple_of(8)).sum::<usize>()
}

#[test]
fn an_undamaged_log_is_read_in_whole() {
    assert_eq!(read(&crashed()).expect("it is intact"), (vec![1, 2, 3, 4, 5, 6, 7, 8], 0));
}

#[test]
fn a_flipped_byte_anywhere_is_named_unless_it_is_in_the_last_write_before_a_crash() {
    let crashed = crashed();
    let last_group = place(&[4, 4]);
    let end = place(&[4, 4, 20, 20, 20]);
    for name in [FIRST, SECOND, OPEN] {
        let path = path(name);
        for at in 0..crashed.bytes(&path).len() {
            let disk = crashed.copy();
            disk.edit(&path, |bytes| bytes[at] ^= 0x10);
            if name != OPEN || at < last_group {
                let (named, offset, damage) = damage(&disk);
                assert_eq!(named, path);
                assert!(offset <= at as u64, "{name} at {at}: {offset}: {damage}");
            } else {
                let (records, cut) = read(&disk).expect("it looks like a torn write");
                let intact = if at < end { 5 + (at - last_group) / (48 + 24) } else { 8 };
                assert_eq!(records.len(), intact, "{at}");
                assert!(cut > 0, "what was lost is reported");
            }
        }
    }
}

#[test]
fn a_torn_write_of_a_group_is_cut_though_later_records_of_it_are_there() {
    let disk = crashed();
    let (second_of_group, third_of_group) = (place(&[4, 4, 20]), place(&[4, 4, 20, 20]));
    disk.edit(&path(OPEN), |bytes| bytes[second_of_group..third_of_group].fill(0));
    let (log, recovered, _) = open(&disk).expect("nobody was told of the group");
    assert_eq!(recovered.records, 6);
    let cut = recovered.cut.expect("something was cut");
    assert_eq!((cut.path, cut.offset), (path(OPEN), second_of_group as u64));
    assert_eq!(cut.bytes, 2 * (48 + 24) - 4, "up to the last byte that is not padding");
    assert_eq!(log.sealed().last().map(|sealed| sealed.last), Some(6));
    drop(log);
    assert_eq!(read(&disk).expect("it is intact now"), (vec![1, 2, 3, 4, 5, 6], 0));
}

#[test]
fn a_group_of_which_only_the_end_was_written_is_cut() {
    let disk = crashed();
    disk.edit(&path(OPEN), |bytes| bytes[place(&[4, 4])..place(&[4, 4, 20])].fill(0));
    let (records, cut) = read(&disk).expect("nobody was told of the group");
    assert_eq!(records, [1, 2, 3, 4, 5]);
    assert_eq!(cut, 3 * (48 + 24) - 4);
}

#[test]
fn a_record_that_a_later_write_follows_is_damage() {
    let crashed = crashed();
    let fifth = place(&[4]);
    let zeros = crashed.copy();
    zeros.edit(&path(OPEN), |bytes| bytes[fifth..place(&[4, 4])].fill(0));
    let found = (path(OPEN), fifth as u64, Damage::BeforeLaterWrite { sequence: 5, later: 6 });
    assert_eq!(damage(&zeros), found);
    // The later write is torn itself: only the header of its last record is left.
    let torn = zeros.copy();
    torn.edit(&path(OPEN), |bytes| {
        let last = place(&[4, 4, 20, 20]);
        bytes[fifth..last].fill(0);
        bytes[last + 48..].fill(0);
    });
    let found = (path(OPEN), fifth as u64, Damage::BeforeLaterWrite { sequence: 5, later: 8 });
    assert_eq!(damage(&torn), found);
}

#[test]
fn a_payload_that_looks_like_a_record_is_none() {
    let disk = SimulatedDisk::new(1);
    let (log, _, _) = open(&disk).expect("an empty log opens");
    append(&log, 1, b"one").expect("the disk works");
    // Somebody has seen a segment, and sends the record with which it went on.
    let other = SimulatedDisk::new(1);
    let (other_log, _, _) = open(&other).expect("an empty log opens");
    (1..5).for_each(|time| drop(append(&other_log, time, b"fake").expect("the disk works")));
    let fake = other.bytes(&path("main.0000000001-0000000000000001.open"))[place(&[4, 4])..place(&[4, 4, 4])]
        .to_vec();
    append(&log, 2, &fake).expect("the disk works");
    let disk = disk.power_cut();
    // The record around it is torn: its checksum is wrong.
    disk.edit(&path("main.0000000001-0000000000000001.open"), |bytes| bytes[place(&[3])] ^= 1);
    assert_eq!(read(&disk).expect("it is a torn write").0, [1]);
}

#[test]
fn a_segment_that_is_missing_or_ends_early_is_named() {
    let crashed = crashed();
    let missing = crashed.copy();
    missing.remove_file(&path(SECOND));
    let (named, offset, found) = damage(&missing);
    assert_eq!((named, offset), (path(OPEN), 0));
    assert_eq!(
        found.to_string(),
        "segments are missing before this one: it follows 1:3, but the folder has only up to 1:2"
    );
    let short = crashed.copy();
    short.edit(&path(FIRST), |bytes| bytes.truncate(place(&[3])));
    assert_eq!(
        damage(&short),
        (path(FIRST), place(&[3]) as u64, Damage::LastRecord { expected: 2, found: 1 })
    );
    let oldest_gone = crashed.copy();
    oldest_gone.remove_file(&path(FIRST));
    assert_eq!(read(&oldest_gone).expect("it may have been deleted").0, [3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_message_says_what_to_do() {
    let disk = crashed();
    disk.edit(&path(FIRST), |bytes| bytes[RECORDS] ^= 1);
    assert_eq!(
        read(&disk).expect_err("it is damaged").to_string(),
        "log/main.0000000001-0000000000000001-0000000000000002.sealed: at byte 128: record 1 is damaged; \
         restore the missing or damaged file from a copy, or move it and every older segment to another \
         folder, which loses those of their records that are not yet in the lake"
    );
}
