//! What is on the disk: a log that ends anywhere, damage, compaction, ids, times, and several threads.

use std::path::Path;
use std::sync::Arc;

use topsell_core::storage::{LockTimeout, Store, temporary};

use crate::change::Change;
use crate::error::ListError;
use crate::held_list::HeldList;
use crate::kind::ListKind;
use crate::lists::{Lists, read_list};
use crate::tests::world::{SECOND, START, answer, change, list_of, name, open, settings};

fn created(store: &Store) -> Lists {
    let lists = open(store, START);
    lists.create(name(), settings(ListKind::Text), START).expect("it is new");
    lists
}

fn keys(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|number| format!("key {number}")).collect()
}

fn log_of(folder: &Path) -> std::path::PathBuf {
    let names = std::fs::read_dir(folder.join("lists/blocked")).expect("it is there");
    let mut logs: Vec<std::path::PathBuf> = names
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.to_string_lossy().contains("log-"))
        .collect();
    logs.sort();
    logs.pop().expect("there is a log")
}

#[test]
fn a_log_that_ends_anywhere_in_its_last_write_is_cut() {
    let (store, folder) = temporary();
    let list = created(&store);
    list_of(&list).change(change(&[], &keys(0..3)), START).expect("there is room");
    let before = std::fs::metadata(log_of(folder.path())).expect("it is there").len();
    list_of(&list).change(change(&[], &keys(3..5)), START).expect("there is room");
    drop(list);
    let log = std::fs::read(log_of(folder.path())).expect("it can be read");
    for length in before..=log.len() as u64 {
        let _ = std::fs::remove_dir_all(folder.path().join("copy"));
        copy(&folder.path().join("lists"), &folder.path().join("copy/lists"));
        let copied = Store::open(&folder.path().join("copy")).expect("a folder");
        let path = log_of(&folder.path().join("copy"));
        std::fs::write(&path, &log[..usize::try_from(length).expect("small")]).expect("there is room");
        let is_whole = length == log.len() as u64;
        // Read-only, it is cut in memory.
        assert_eq!(
            read_list(&copied, &name()).expect("it is whole").lines.len(),
            if is_whole { 5 } else { 3 }
        );
        let (lists, opened) =
            Lists::open(&copied, "a test", LockTimeout::NoWait, START).expect("nobody has it");
        let is_cut = !is_whole && length > before;
        assert_eq!(opened.cut.len(), usize::from(is_cut), "{length}");
        list_of(&lists).change(change(&[], &keys(9..10)), START).expect("there is room");
        drop(lists);
        assert_eq!(
            read_list(&copied, &name()).expect("it is whole").lines.len(),
            if is_whole { 6 } else { 4 }
        );
    }
}

#[test]
fn damage_is_refused_by_the_name_of_its_file() {
    let (store, folder) = temporary();
    let lists = created(&store);
    for number in 0..4 {
        list_of(&lists).change(change(&[], &keys(number..number + 1)), START).expect("there is room");
    }
    drop(lists);
    let log = log_of(folder.path());
    let base = folder.path().join("lists/blocked/base-0000000001.list");
    for (path, at) in [(&log, 30), (&base, 5), (&base, 60)] {
        let whole = std::fs::read(path).expect("it can be read");
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        std::fs::write(path, &flipped).expect("there is room");
        let error = read_list(&store, &name()).expect_err("it is damaged");
        assert!(error.is_damage() && error.to_string().contains(&path.display().to_string()), "{error}");
        let (lists, opened) = Lists::open(&store, "a test", LockTimeout::NoWait, START).expect("others open");
        assert_eq!(opened.damaged.len(), 1);
        assert!(matches!(lists.get(&name()), Err(ListError::Damaged { .. })));
        assert!(matches!(
            lists.create(name(), settings(ListKind::Text), START),
            Err(ListError::Exists { .. })
        ));
        std::fs::write(path, whole).expect("there is room");
    }
    // A log of which the first lines are missing does not follow its base.
    let whole = std::fs::read(&log).expect("it can be read");
    let second = whole.iter().position(|byte| *byte == b'\n').expect("it has lines") + 1;
    std::fs::write(&log, &whole[second..]).expect("there is room");
    assert!(read_list(&store, &name()).expect_err("a change is missing").is_damage());
}

#[test]
fn changes_of_several_threads_are_all_there_and_compaction_keeps_up() {
    let (store, folder) = temporary();
    let lists = created(&store);
    let list = list_of(&lists);
    let long = "x".repeat(900);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (list, long) = (Arc::clone(&list), &long);
            scope.spawn(move || {
                for number in 0..200 {
                    let key = format!("{thread} {number} {long}");
                    list.change(change(&[], std::slice::from_ref(&key)), START).expect("there is room");
                    if number % 2 == 0 {
                        list.change(change(&[key], &[]), START).expect("there is room");
                    }
                    list.compact_if_due().expect("there is room");
                }
            });
        }
    });
    drop((list, lists));
    let files = std::fs::read_dir(folder.path().join("lists/blocked")).expect("it is there").count();
    assert!(files <= 4, "{files} files");
    let read = read_list(&store, &name()).expect("it is whole");
    assert_eq!((read.lines.len(), read.version.sequence), (400, 1_200));
    assert!(!folder.path().join("lists/blocked/base-0000000001.list").exists(), "it was compacted");
}

#[test]
fn a_change_is_made_once_also_after_a_restart_and_a_compaction() {
    let (store, _folder) = temporary();
    let lists = created(&store);
    let with_id = |id: &str, key: &str| Change { id: Some(id.to_owned()), ..change(&[], &[key.to_owned()]) };
    let first = list_of(&lists).change(with_id("c-1", "a"), START).expect("there is room");
    list_of(&lists).change(change(&["a".to_owned()], &[]), START).expect("there is room");
    for round in 0..3 {
        let again = list_of(&lists).change(with_id("c-1", "a"), START + SECOND).expect("it is known");
        assert_eq!(again, first, "{round}");
        let other = list_of(&lists).change(with_id("c-1", "b"), START);
        assert!(matches!(other, Err(ListError::OtherChange { .. })));
    }
    drop(lists);
    let lists = open(&store, START);
    assert_eq!(list_of(&lists).change(with_id("c-1", "a"), START).expect("it is known"), first);
    list_of(&lists).prune(START).expect("there is room");
    drop(lists);
    let lists = open(&store, START);
    assert_eq!(list_of(&lists).change(with_id("c-1", "a"), START).expect("it is known"), first);
    assert_eq!(list_of(&lists).published().lines.len(), 0);
}

#[test]
fn entries_are_removed_when_their_time_is_over() {
    let (store, _folder) = temporary();
    let lists = created(&store);
    let for_seconds =
        |seconds, key: &str| Change { ttl_seconds: Some(seconds), ..change(&[], &[key.to_owned()]) };
    let list = list_of(&lists);
    list.change(for_seconds(10, "a"), START).expect("there is room");
    list.change(for_seconds(10, "b"), START).expect("there is room");
    list.change(for_seconds(10, "c"), START).expect("there is room");
    // Longer, and for good.
    list.change(for_seconds(60, "b"), START + SECOND).expect("there is room");
    list.change(change(&[], &["c".to_owned()]), START + SECOND).expect("there is room");
    let keys = |now: i64| {
        let lists = open_after(&store, &list, now);
        lists.join(" ")
    };
    assert_eq!(keys(START + 9 * SECOND), "a b c");
    assert_eq!(keys(START + 10 * SECOND), "b c");
    assert_eq!(keys(START + 61 * SECOND), "c");
    // A year passes.
    assert_eq!(keys(START + 366 * 86_400 * SECOND), "c");
}

/// Returns the entries after what is over was removed, as they are in memory and on the disk.
fn open_after(store: &Store, list: &crate::open_list::OpenList, now: i64) -> Vec<String> {
    list.expire(now).expect("there is room");
    let _ = list.publish(now);
    let read = read_list(store, &name()).expect("it is whole");
    let entries: Vec<String> = list.published().lines.iter().map(str::to_owned).collect();
    assert_eq!(read.lines.iter().collect::<Vec<_>>(), entries);
    entries
}

#[test]
fn a_restored_backup_is_not_taken_for_what_came_after_it() {
    let (store, folder) = temporary();
    let lists = created(&store);
    list_of(&lists).change(change(&[], &keys(0..2)), START).expect("there is room");
    drop(lists);
    copy(&folder.path().join("lists"), &folder.path().join("backup"));
    // Another server goes on from here, and a client follows it.
    let lists = open(&store, START);
    list_of(&lists).change(change(&[], &keys(2..5)), START).expect("there is room");
    list_of(&lists).change(change(&[], &keys(5..6)), START).expect("there is room");
    let _ = list_of(&lists).publish(START);
    let lost = list_of(&lists).published();
    let held = HeldList::none(name()).updated(&answer(&lost, None), None, START).expect("it is right").held;
    drop(lists);
    std::fs::remove_dir_all(folder.path().join("lists")).expect("it is there");
    copy(&folder.path().join("backup"), &folder.path().join("lists"));
    let lists = open(&store, START);
    let list = list_of(&lists);
    for number in 10..14 {
        assert_eq!(list.published().known(&lost.version_text()), None, "{number}");
        list.change(change(&[], &keys(number..number + 1)), START).expect("there is room");
        let _ = list.publish(START);
    }
    let new = list.published();
    assert!(
        new.version.sequence > lost.version.sequence && new.version.incarnation == lost.version.incarnation
    );
    assert_eq!(new.known(&lost.version_text()), None, "its sequence is there, and means something else");
    let followed =
        held.updated(&answer(&new, held.version().as_deref()), None, START).expect("the whole list");
    assert!(followed.is_full);
    assert_eq!(followed.held.lines().text(), new.lines.text());
}

#[test]
fn what_a_client_holds_is_read_back_from_its_files() {
    let (store, _folder) = temporary();
    let lists = created(&store);
    let list = list_of(&lists);
    list.change(change(&[], &keys(0..500)), START).expect("there is room");
    let first = list.publish(START).expect("something changed");
    let held = HeldList::none(name()).updated(&answer(&first, None), None, START).expect("it is right").held;
    list.change(change(&keys(3..5), &keys(600..700)), START).expect("there is room");
    let second = list.publish(START + SECOND).expect("something changed");
    let followed =
        held.updated(&answer(&second, held.version().as_deref()), None, START).expect("it is right");
    assert_eq!((followed.is_full, followed.added, followed.removed), (false, 100, 2));
    let held = followed.held;
    let file = held.file().expect("something is held");
    let read = HeldList::of_file(&file, &name()).expect("it is whole");
    assert_eq!((read.version(), read.lines().text()), (held.version(), held.lines().text()));
    for at in [0, 40, file.len() / 2, file.len() - 20] {
        let mut flipped = file.clone();
        flipped[at] ^= 1;
        assert!(
            HeldList::of_file(&flipped, &name())
                .is_none_or(|read| read.lines().text() == held.lines().text())
        );
    }
    // A mirror answers its own clients from what it followed.
    let mirrored = crate::snapshot::Snapshot::of(held.state().expect("it is there"), held.time, None);
    assert_eq!(mirrored.version, second.version);
    assert_eq!(mirrored.known(&first.version_text()), Some(first.version));
    assert_eq!(mirrored.delta(&first.version), second.delta(&first.version));
    let (text, version) = held.text_and_version().expect("something is held");
    let read = HeldList::of_text(name(), &text, version.as_bytes());
    assert_eq!((read.version(), read.lines().text()), (held.version(), text.clone()));
    let read = HeldList::of_text(name(), &text[1..], version.as_bytes());
    assert_eq!(read.version(), None, "the text is not the one of that version");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("it can be made");
    for entry in std::fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("it can be listed");
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).expect("there is room")),
        }
    }
}
