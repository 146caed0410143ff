//! Each operation of the storage may fail: what was acknowledged stays, and the list goes on once the storage does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use object_store::memory::InMemory;

use crate::change::Change;
use crate::kind::ListKind;
use crate::lists::{Lists, read_list};
use crate::tests::world::disk::{Faults, Manner};
use crate::tests::world::{
    SECOND, START, change, list_of, name, never, open, settings, store, store_with_lease,
};
use topsell_core::storage::LockTimeout;

/// What a client was told, and what it was not told of.
#[derive(Default)]
struct Told {
    acknowledged: BTreeMap<String, bool>,
    unknown: Vec<String>,
}

const CHANGES: u32 = 12;

/// Makes changes, of which the storage fails some, then all others again by the same ids.
fn make_changes(lists: &Lists, faults: &Faults) -> Told {
    let mut told = Told::default();
    let list = list_of(lists);
    for number in 0..CHANGES {
        let key = format!("key {number}");
        let of = Change { id: Some(format!("c-{number}")), ..change(&[], std::slice::from_ref(&key)) };
        match list.change(of, START) {
            Ok(_) => drop(told.acknowledged.insert(key, true)),
            Err(_) => told.unknown.push(key),
        }
        if number % 5 == 4 {
            let _ = list.prune(START);
        }
        let _ = list.publish(START + SECOND);
    }
    assert!(told.unknown.is_empty() || faults.have_struck());
    told
}

fn check(objects: &Arc<InMemory>, told: &Told) {
    let read = read_list(&store(objects, &never()), &name()).expect("it can be read");
    for key in told.acknowledged.keys() {
        assert!(read.lines.get(key).is_some(), "`{key}` was acknowledged");
    }
    let mut others = read.lines.iter().filter(|line| !told.acknowledged.contains_key(*line));
    assert!(others.all(|line| told.unknown.iter().any(|key| key == line)), "nobody sent more");
}

#[test]
fn what_was_acknowledged_stays_whichever_operation_fails() {
    for manner in [Manner::Undone, Manner::DoneUntold] {
        for operations in 0.. {
            let objects = Arc::new(InMemory::new());
            let lists = open(&store(&objects, &never()), START);
            lists.create(name(), settings(ListKind::Text), START).expect("it is new");
            drop(lists);
            let faults = Faults::after(i64::MAX, manner);
            let lists = open(&store(&objects, &faults), START);
            faults.left.store(operations, Ordering::SeqCst);
            let told = make_changes(&lists, &faults);
            let have_struck = faults.have_struck();
            check(&objects, &told);
            // The storage works again: the same changes are made, each once.
            faults.left.store(i64::MAX, Ordering::SeqCst);
            let told = make_changes(&lists, &faults);
            assert_eq!(told.acknowledged.len(), CHANGES as usize, "after {operations} operations");
            check(&objects, &told);
            drop(lists);
            let reopened = open(&store(&objects, &never()), START);
            assert_eq!(list_of(&reopened).published().lines.len(), u64::from(CHANGES));
            if !have_struck {
                break;
            }
        }
    }
}

#[test]
fn an_opening_that_fails_can_be_done_again() {
    for manner in [Manner::Undone, Manner::DoneUntold] {
        for operations in 0.. {
            let objects = Arc::new(InMemory::new());
            let lists = open(&store(&objects, &never()), START);
            lists.create(name(), settings(ListKind::Text), START).expect("it is new");
            make_changes(&lists, &never());
            drop(lists);
            let faults = Faults::after(operations, manner);
            let failing = store_with_lease(&objects, &faults, Duration::from_millis(300));
            let opened = Lists::open(&failing, "a test", LockTimeout::Unlimited, START);
            let have_struck = faults.have_struck();
            faults.left.store(i64::MAX, Ordering::SeqCst);
            drop(opened);
            let reopened = open(&failing, START);
            // A list that could not be read is named then, and is there the next time.
            assert_eq!(list_of(&reopened).published().lines.len(), u64::from(CHANGES));
            if !have_struck {
                break;
            }
        }
    }
}
