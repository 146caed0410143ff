//! Tries what a bucket's store must promise, with objects that are removed afterwards.
//!
//! Invariant: touches nothing but the folder `PROBES`.

use bytes::Bytes;
use object_store::{Error, GetOptions, ObjectStore, ObjectStoreExt, PutMode, UpdateVersion};

use crate::storage::bucket::Bucket;
use crate::storage::error::StoreError;
use crate::storage::store::{Root, Store};
use crate::storage::unique_id::unique_id;

/// The folder of the objects that are written.
pub const PROBES: &str = "doctor";
/// How many clients create one object at once, and how often.
const RACERS: usize = 8;
const ROUNDS: usize = 5;
/// Beyond this, times of files are not comparable with the clock.
const MAX_CLOCK_DIFFERENCE_MS: i64 = 60_000;

/// Something that a store must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreCheck {
    pub what: &'static str,
    /// What is wrong, where it does not do it.
    pub problem: Option<String>,
}

impl Store {
    /// Tries what the store of a bucket must do; none where the store is a folder. `now_ms` is what the clock says.
    ///
    /// # Errors
    /// Fails where the bucket cannot be reached.
    pub fn check_promises(&self, now_ms: i64) -> Result<Option<Vec<StoreCheck>>, StoreError> {
        let Root::Bucket(bucket) = &self.root else { return Ok(None) };
        bucket.head(&format!("{PROBES}/none"))?;
        let folder = format!("{PROBES}/{}", unique_id());
        let tries: [(&'static str, Result<(), String>); 6] = [
            ("read and write objects", round_trip(self, &folder)),
            ("create an object once, of many who try (If-None-Match)", creates_once(bucket, &folder)),
            ("replace only the version that was read (If-Match)", replaces_what_was_read(bucket, &folder)),
            ("list what was just written, and not what was removed", lists_at_once(self, &folder)),
            ("take large objects in parts", takes_parts(self, &folder)),
            ("a clock like this machine's", clock(bucket, &folder, now_ms)),
        ];
        let left = self.files(&folder)?;
        self.remove(left.iter())?;
        let checks = tries.into_iter().map(|(what, tried)| StoreCheck { what, problem: tried.err() });
        Ok(Some(checks.collect()))
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn expect(is_so: bool, otherwise: &str) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(otherwise.to_owned()) }
}

fn round_trip(store: &Store, folder: &str) -> Result<(), String> {
    let path = format!("{folder}/object");
    for content in ["one", "two"] {
        store.put(&path, content.into()).map_err(text)?;
        expect(store.get(&path).map_err(text)? == content, "an object was read as it was before")?;
    }
    store.delete(&path).map_err(text)?;
    expect(!store.is_there(&path), "an object that was removed is still there")
}

fn creates_once(bucket: &Bucket, folder: &str) -> Result<(), String> {
    for round in 0..ROUNDS {
        let key = bucket.key(&format!("{folder}/created-{round}")).map_err(text)?;
        let outcomes: Vec<bool> = bucket.wait(async {
            let puts = (0..RACERS).map(|racer| {
                let bytes = Bytes::from(format!("racer {racer}"));
                bucket.disk.put_opts(&key, bytes.into(), PutMode::Create.into())
            });
            futures::future::join_all(puts).await.iter().map(Result::is_ok).collect()
        });
        let winners = outcomes.iter().filter(|is_won| **is_won).count();
        expect(winners == 1, &format!("of {RACERS} who created an object at once, {winners} succeeded"))?;
    }
    Ok(())
}

fn replaces_what_was_read(bucket: &Bucket, folder: &str) -> Result<(), String> {
    let key = bucket.key(&format!("{folder}/replaced")).map_err(text)?;
    bucket.wait(async {
        bucket.disk.put(&key, "one".into()).await.map_err(text)?;
        let read = bucket.disk.get_opts(&key, GetOptions::default()).await.map_err(text)?;
        let version = UpdateVersion { e_tag: read.meta.e_tag.clone(), version: read.meta.version.clone() };
        expect(version.e_tag.is_some(), "an object has no ETag")?;
        let update = |bytes: &'static str| {
            bucket.disk.put_opts(&key, bytes.into(), PutMode::Update(version.clone()).into())
        };
        update("two").await.map_err(text)?;
        match update("three").await {
            Ok(_) => Err("an object was replaced that was another one by then".to_owned()),
            Err(Error::Precondition { .. }) => Ok(()),
            Err(error) => Err(text(error)),
        }
    })
}

fn lists_at_once(store: &Store, folder: &str) -> Result<(), String> {
    let folder = format!("{folder}/listed");
    for number in 0..10 {
        store.put(&format!("{folder}/{number}"), "x".into()).map_err(text)?;
        let count = store.files(&folder).map_err(text)?.len();
        expect(count == number + 1, &format!("of {} objects {count} were listed", number + 1))?;
    }
    store.delete(&format!("{folder}/0")).map_err(text)?;
    let count = store.files(&folder).map_err(text)?.len();
    expect(count == 9, "an object that was removed was listed")
}

fn takes_parts(store: &Store, folder: &str) -> Result<(), String> {
    let (path, piece) = (format!("{folder}/parts"), Bytes::from(vec![7_u8; 10 << 20]));
    let bulk = store.bulk_writer(folder).map_err(text)?;
    let mut stream = bulk.stream(&path).map_err(text)?;
    for _ in 0..2 {
        stream.append(piece.clone()).map_err(text)?;
    }
    stream.finish().map_err(text)?;
    bulk.finish().map_err(text)?.keep();
    let size = store.size_of(&path);
    expect(size == Some(2 * piece.len() as u64), "an object that was sent in parts has another size")
}

fn clock(bucket: &Bucket, folder: &str, now_ms: i64) -> Result<(), String> {
    let path = format!("{folder}/clock");
    let key = bucket.key(&path).map_err(text)?;
    bucket.wait(bucket.disk.put(&key, "x".into())).map_err(text)?;
    let meta = bucket.head(&path).map_err(text)?.ok_or("an object that was just written is not there")?;
    let difference = meta.last_modified.timestamp_millis() - now_ms;
    let seconds = difference.abs() / 1_000;
    expect(
        difference.abs() <= MAX_CLOCK_DIFFERENCE_MS,
        &format!("the two clocks differ by {seconds} seconds"),
    )
}
