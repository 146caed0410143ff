//! Segments are sealed by age and size, read, kept for consumers, and deleted; on the local disk, too.

use crate::log::error::LogError;
use crate::log::event_log::{EventLog, Options};
use crate::log::position::Site;
use crate::log::segment_name::SealedSegment;
use crate::log::tests::simulated_disk::SimulatedDisk;
use crate::log::tests::{SMALL, append, folder, open, path, position, positions, site};

const MINUTE: i64 = 60_000_000;

fn names(sealed: &[SealedSegment]) -> Vec<String> {
    sealed.iter().map(|segment| format!("{} to {}", segment.name, segment.last)).collect()
}

#[test]
fn a_segment_is_sealed_when_it_is_old_or_full() {
    let disk = SimulatedDisk::new(1);
    let (log, _, _) = open(&disk).expect("an empty log opens");
    assert_eq!(log.tick(MINUTE).expect("the disk works"), None);
    append(&log, MINUTE, b"one").expect("the disk works");
    assert_eq!(log.tick(2 * MINUTE - 1).expect("the disk works"), None);
    let sealed = log.tick(2 * MINUTE).expect("the disk works").expect("it is a minute old");
    assert_eq!((sealed.name.first, sealed.last, sealed.records()), (1, 1, 1));
    assert_eq!(log.roll().expect("the disk works"), None, "there is nothing to seal");
    append(&log, 3 * MINUTE, &[0; 500]).expect("the disk works");
    append(&log, 3 * MINUTE, &[0; 500]).expect("it begins a new segment");
    append(&log, 3 * MINUTE, &[0; 5000]).expect("its segment is larger");
    assert_eq!(log.tick(3 * MINUTE).expect("the disk works").map(|sealed| sealed.last), Some(4));
    append(&log, 3 * MINUTE, b"five").expect("the disk works");
    let set_back = log.tick(MINUTE).expect("the disk works").expect("a clock that was set back seals");
    assert_eq!(set_back.last, 5);
    assert_eq!(names(&log.sealed()), [1, 2, 3, 4, 5].map(|at| format!("main.0000000001-{at:016} to {at}")));
    assert_eq!(log.sealed().last(), Some(&set_back));
    assert_eq!(disk.bytes(&path(&set_back.file_name())).len() as u64, set_back.size_bytes);
}

#[test]
fn a_sealed_segment_gives_its_records() {
    let disk = SimulatedDisk::new(1);
    let (log, _, _) = open(&disk).expect("an empty log opens");
    append(&log, 10, b"one").expect("the disk works");
    append(&log, -20, b"").expect("the disk works");
    let sealed = log.roll().expect("the disk works").expect("there are records");
    let segment = log.read(&sealed).expect("it is intact");
    let records: Vec<_> =
        segment.records().map(|one| (one.position().to_string(), one.time_micros, one.payload)).collect();
    assert_eq!(records, [("main.1:1".to_owned(), 10, &b"one"[..]), ("main.1:2".to_owned(), -20, &b""[..])]);
    disk.edit(&path(&sealed.file_name()), |bytes| *bytes.last_mut().expect("it has bytes") ^= 1);
    assert!(matches!(log.read(&sealed), Err(LogError::Damaged { .. })));
}

#[test]
fn a_segment_has_one_identity_which_no_other_log_gives_again() {
    let identities = |disk: &SimulatedDisk| {
        let (log, _, _) = open(disk).expect("the log opens");
        let sealed = log.sealed();
        let read = |segment| log.read(segment).expect("it is intact");
        let ids = sealed.iter().map(|segment| read(segment).id().clone());
        let of_records = sealed
            .iter()
            .flat_map(|segment| read(segment).records().map(|one| one.segment.clone()).collect::<Vec<_>>());
        assert_eq!(of_records.collect::<Vec<_>>(), ids.clone().collect::<Vec<_>>(), "a record each");
        ids.collect::<Vec<_>>()
    };
    let disks = [SimulatedDisk::new(1), SimulatedDisk::new(1)];
    for disk in &disks {
        let (log, _, _) = open(disk).expect("an empty log opens");
        for text in [b"one", b"two"] {
            append(&log, 10, text).expect("the disk works");
            log.roll().expect("the disk works");
        }
    }
    let [first, second] = disks.map(|disk| identities(&disk));
    assert_eq!(first.iter().map(|id| id.first).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(first.iter().zip(&second).filter(|(a, b)| a == b).count(), 0, "{first:?} {second:?}");
}

#[test]
fn a_segment_is_kept_until_every_consumer_has_passed_it() {
    let disk = SimulatedDisk::new(1);
    let (log, _, _) = open(&disk).expect("an empty log opens");
    assert_eq!(log.register("lake").expect("the disk works"), position("main.0:0"));
    log.register("follower-2").expect("the disk works");
    (0..2).for_each(|time| {
        append(&log, time, b"event").expect("the disk works");
        append(&log, time, b"event").expect("the disk works");
        log.roll().expect("the disk works");
    });
    let [first, second] = &log.sealed()[..] else { panic!("there are two") };
    log.advance("lake", &position("main.1:4")).expect("the disk works");
    log.advance("follower-2", &position("main.1:1")).expect("the disk works");
    assert_eq!(
        log.delete(&first.name).expect_err("one has not passed it").to_string(),
        "segment main.0000000001-0000000000000001 is kept for consumer follower-2, which is at main.1:1"
    );
    assert!(matches!(log.delete(&second.name), Err(LogError::NotOldest { .. })));
    log.advance("follower-2", &position("main.1:2")).expect("the disk works");
    log.advance("follower-2", &position("main.1:1")).expect("it does not go back");
    log.delete(&first.name).expect("all have passed it");
    assert!(matches!(log.delete(&first.name), Err(LogError::NotOldest { .. })));
    assert!(matches!(log.delete(&second.name), Err(LogError::Retained { .. })));
    drop(log);
    let (log, recovered, seen) = open(&disk.power_cut()).expect("an intact log opens");
    assert_eq!(
        (recovered.records, positions(&seen)),
        (2, vec!["main.1:3".to_owned(), "main.1:4".to_owned()])
    );
    let saved = log.positions().into_iter().map(|(name, position)| format!("{name} {position}"));
    assert_eq!(saved.collect::<Vec<_>>(), ["follower-2 main.1:2", "lake main.1:4"]);
    assert_eq!(log.register("lake").expect("the disk works"), position("main.1:4"));
    log.unregister("follower-2").expect("the disk works");
    log.unregister("follower-2").expect("it is gone already");
    log.delete(&second.name).expect("the only consumer has passed it");
    assert!(matches!(log.advance("follower-2", &position("main.1:9")), Err(LogError::NotRegistered { .. })));
    assert!(matches!(log.advance("lake", &position("fra.1:9")), Err(LogError::OtherSite { .. })));
    assert!(matches!(log.register("../x"), Err(LogError::ConsumerName { .. })));
}

#[test]
fn an_incarnation_is_never_used_twice_though_every_segment_was_deleted() {
    let disk = SimulatedDisk::new(1);
    for incarnation in 1..5 {
        let (log, recovered, seen) = open(&disk).expect("an intact log opens");
        assert_eq!((log.incarnation(), recovered.records), (incarnation, 0));
        assert_eq!(append(&log, 1, b"event").expect("the disk works"), format!("main.{incarnation}:1"));
        let sealed = log.roll().expect("the disk works").expect("there is a record");
        log.delete(&sealed.name).expect("there is no consumer");
        assert_eq!(positions(&seen).len(), 1);
    }
}

#[test]
fn the_records_of_several_incarnations_are_linked() {
    let disk = SimulatedDisk::new(1);
    for _ in 0..3 {
        let (log, _, _) = open(&disk).expect("an intact log opens");
        append(&log, 1, b"event").expect("the disk works");
        append(&log, 1, b"event").expect("the disk works");
    }
    let (_, _, seen) = open(&disk).expect("an intact log opens");
    assert_eq!(positions(&seen), ["main.1:1", "main.1:2", "main.2:1", "main.2:2", "main.3:1", "main.3:2"]);
    disk.remove_file(&path("main.0000000002-0000000000000001-0000000000000002.sealed"));
    let missing = open(&disk).err().expect("a segment is missing").to_string();
    assert!(missing.contains("it follows 2:2, but the folder has only up to 1:2"), "{missing}");
}

#[test]
fn the_log_of_another_site_is_refused() {
    let disk = SimulatedDisk::new(1);
    let (log, _, _) = open(&disk).expect("an empty log opens");
    append(&log, 1, b"event").expect("the disk works");
    drop(log);
    let fra = Site::new("fra").expect("it is valid");
    let refused = EventLog::open_on(std::sync::Arc::new(disk), folder(), fra, SMALL, |_| ());
    assert!(matches!(refused.err(), Some(LogError::OtherSite { found, .. }) if found == "main"));
}

#[test]
fn the_local_disk_keeps_what_the_simulated_one_does() {
    let folder = tempfile::tempdir().expect("there is space");
    let log_folder = folder.path().join("lake/log");
    let opened = || EventLog::open(&log_folder, site(), Options::default(), |record| record.payload.len());
    let (log, recovered) = opened().expect("an empty log opens");
    assert_eq!((recovered.records, recovered.incarnation), (0, 1));
    let locked = opened().err().expect("it is open").to_string();
    assert_eq!(locked, format!("{}: the log is open in another process", log_folder.join("lock").display()));
    let appended = log.append(1, vec![7; 1000]).expect("the queue has room").wait().expect("the disk works");
    assert_eq!((appended.position.to_string(), appended.applied), ("main.1:1".to_owned(), 1000));
    let open_file = log_folder.join("main.0000000001-0000000000000001.open");
    assert_eq!(open_file.metadata().expect("it is there").len(), 64 << 20);
    log.register("lake").expect("the disk works");
    log.advance("lake", &appended.position).expect("the disk works");
    log.close().expect("the disk works");
    let (log, recovered) = opened().expect("an intact log opens");
    assert_eq!((recovered.records, recovered.cut), (1, None));
    let sealed = log.sealed().remove(0);
    assert_eq!(log_folder.join(sealed.file_name()).metadata().expect("it is there").len(), sealed.size_bytes);
    assert_eq!(log.read(&sealed).expect("it is intact").records().count(), 1);
    log.delete(&sealed.name).expect("the consumer has passed it");
    assert!(!log_folder.join(sealed.file_name()).exists());
}
