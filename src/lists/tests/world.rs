//! A lake in memory whose operations may fail, and lists in it.

use std::sync::Arc;
use std::time::Duration;

use object_store::memory::InMemory;
use topsell_core::storage::{BucketName, BucketTimes, LockTimeout, Store, checksum};

#[path = "../../../tests/it/faults/disk.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
pub mod disk;

use disk::Faults;

use crate::change::{Addition, Change};
use crate::kind::ListKind;
use crate::lists::Lists;
use crate::name::ListName;
use crate::open_list::OpenList;
use crate::snapshot::Snapshot;
use crate::state::ListSettings;

pub const SECOND: i64 = 1_000_000;
/// A moment to begin at.
pub const START: i64 = 1_790_000_000 * SECOND;

pub fn name() -> ListName {
    ListName::parse("blocked").expect("it is a name")
}

pub fn settings(kind: ListKind) -> ListSettings {
    ListSettings { kind, publish_every_ms: 1_000, keep_seconds: 7 * 86_400, poll_seconds: 1_800 }
}

/// Returns a store of objects in memory, reached through faults.
pub fn store(objects: &Arc<InMemory>, faults: &Faults) -> Store {
    store_with_lease(objects, faults, Duration::from_secs(60))
}

/// Does the same; locks are taken over after so long without their holder.
pub fn store_with_lease(objects: &Arc<InMemory>, faults: &Faults, lease: Duration) -> Store {
    let name = BucketName { bucket: "shop".to_owned(), prefix: "lake".to_owned() };
    let times = BucketTimes { lease, retry: Duration::from_millis(1) };
    Store::in_bucket(name, faults.before(Arc::<InMemory>::clone(objects)), times)
        .expect("threads can be started")
}

pub fn never() -> Faults {
    Faults::after(i64::MAX, disk::Manner::Undone)
}

pub fn open(store: &Store, now: i64) -> Lists {
    Lists::open(store, "a test", LockTimeout::Unlimited, now).expect("nobody else has it").0
}

pub fn list_of(lists: &Lists) -> Arc<OpenList> {
    lists.get(&name()).expect("it was created")
}

pub fn change(remove: &[String], add: &[String]) -> Change {
    Change {
        remove: remove.to_vec(),
        add: add.iter().map(|key| Addition::entry(key)).collect(),
        ..Change::default()
    }
}

/// Returns the JSON with which a server answers.
pub fn answer(snapshot: &Snapshot, since: Option<&str>) -> Vec<u8> {
    let known = since.and_then(|since| snapshot.known(since));
    let mut body = crate::json_form::json_head(1_800).into_bytes();
    match known {
        Some(since) => body.extend_from_slice(&snapshot.json_delta(&since, None)),
        None => {
            body.extend_from_slice(&snapshot.json_before_entries(None));
            for (number, part) in snapshot.lines.parts().enumerate() {
                body.extend_from_slice(&snapshot.json_part(part, number == 0));
            }
            body.extend_from_slice(snapshot.json_end());
        }
    }
    body
}

/// Returns the compact form with which a server answers.
pub fn prefix_answer(snapshot: &Snapshot, since: Option<&str>) -> Vec<u8> {
    let known = since.and_then(|since| snapshot.known(since));
    let mut body = crate::prefix_form::prefix_head(known.is_none(), 1_800).to_vec();
    body.extend_from_slice(&snapshot.prefix_body(known.as_ref(), &snapshot.prefixes_sha256(), None));
    body
}

/// Numbers that look random and are the same for the same seed.
pub struct Draw(u64, u64);

impl Draw {
    pub fn of(seed: u64) -> Draw {
        Draw(seed, 0)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.1 += 1;
        checksum(&[self.0.to_le_bytes(), self.1.to_le_bytes()].concat()) % limit
    }
}
