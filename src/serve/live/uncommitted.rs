//! The events of the log's segments that are not in the lake yet, in the form in which counts take them.
//!
//! A segment's records are encoded in pieces: those that came since the last answer are a new piece, and a piece that is
//! not much smaller than the one before it is merged with that, so that there are few and none is encoded often.
//!
//! Invariant: records are added in the order of the log, after they are durable; a segment is removed after its batch was
//! committed.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::log::{SealedSegment, SegmentId};
use topsell_core::lake::{LakeError, UncommittedBatch};
use topsell_core::model::{Currency, Events};

/// The segments, the oldest first.
#[derive(Default)]
pub struct Uncommitted {
    segments: Mutex<Segments>,
    /// Held while pieces are encoded, so that no two answers encode the same.
    encoding: Mutex<()>,
}

#[derive(Default)]
struct Segments {
    all: Vec<Segment>,
    /// How many records were added since the start.
    added: u64,
    /// The ids of batches that this server has committed.
    own: HashSet<String>,
}

struct Segment {
    id: SegmentId,
    /// A version of the lake's events without the segment.
    since: u64,
    currency: Option<Currency>,
    records: Vec<Arc<Events>>,
    pieces: Vec<Piece>,
}

/// Records that are encoded together.
#[derive(Clone)]
struct Piece {
    records: usize,
    events: usize,
    batch: Arc<UncommittedBatch>,
}

/// The events of a segment, as its batch.
pub struct SegmentBatch {
    pub id: String,
    pub events: Events,
    pub currency: Option<Currency>,
}

/// What the ids of all batches of servers begin with.
pub const BATCH_PREFIX: &str = "log/";

/// Returns the id of a segment's batch in the lake.
pub fn batch_id(segment: &SegmentId) -> String {
    format!("{BATCH_PREFIX}{segment}")
}

impl Uncommitted {
    /// Adds a record of a segment, and returns its number, from 1; `since` is asked for a version of the lake's events
    /// where the segment is new.
    pub fn add(
        &self,
        segment: &SegmentId,
        events: Arc<Events>,
        currency: Option<Currency>,
        since: impl FnOnce() -> u64,
    ) -> u64 {
        let mut segments = self.lock();
        if segments.all.last().is_none_or(|last| last.id != *segment) {
            let since = since();
            let (records, pieces) = (Vec::new(), Vec::new());
            segments.all.push(Segment { id: segment.clone(), since, currency: None, records, pieces });
            segments.own.insert(batch_id(segment));
        }
        let last = segments.all.last_mut().expect("one was just added");
        last.currency = last.currency.or(currency);
        last.records.push(events);
        segments.added += 1;
        segments.added
    }

    /// Returns whether a batch of the lake was a segment here.
    pub fn is_own(&self, batch_id: &str) -> bool {
        self.lock().own.contains(batch_id)
    }

    /// Returns the number of events.
    pub fn events(&self) -> usize {
        self.lock().all.iter().flat_map(|segment| &segment.records).map(|events| events.len()).sum()
    }

    /// Returns the ids of the batches that the segments will be.
    pub fn batch_ids(&self) -> Vec<String> {
        self.lock().all.iter().map(|segment| batch_id(&segment.id)).collect()
    }

    /// Returns the batch of a sealed segment; none where it is not known, as one without records.
    pub fn batch_of(&self, sealed: &SealedSegment) -> Option<SegmentBatch> {
        let (id, currency, records) = {
            let segments = self.lock();
            let segment = segments.all.iter().find(|segment| is_of(segment, sealed))?;
            (batch_id(&segment.id), segment.currency, segment.records.clone())
        };
        Some(SegmentBatch { id, events: together(&records), currency })
    }

    /// Forgets a sealed segment, whose batch is in the lake.
    pub fn remove(&self, sealed: &SealedSegment) {
        self.lock().all.retain(|segment| !is_of(segment, sealed));
    }

    /// Returns all events as batches to count with.
    ///
    /// # Errors
    /// Fails where an event cannot be encoded.
    pub fn batches(&self) -> Result<Vec<Arc<UncommittedBatch>>, LakeError> {
        self.batches_and_number().map(|(batches, _)| batches)
    }

    /// Returns the same, and the number of the last record that is among them.
    ///
    /// # Errors
    /// Fails where an event cannot be encoded.
    pub fn batches_and_number(&self) -> Result<(Vec<Arc<UncommittedBatch>>, u64), LakeError> {
        let _encoding = self.encoding.lock().expect("encoding does not panic");
        // All of one moment: a segment that is removed later is in the lake before the lake is read.
        let (plans, number): (Vec<EncodingPlan>, u64) = {
            let segments = self.lock();
            (segments.all.iter().map(EncodingPlan::of).collect(), segments.added)
        };
        let mut batches = Vec::new();
        for plan in plans {
            let (segment, is_new) = (plan.segment.clone(), !plan.records.is_empty());
            let pieces = plan.pieces()?;
            batches.extend(pieces.iter().map(|piece| Arc::clone(&piece.batch)));
            if is_new && let Some(known) = self.lock().all.iter_mut().find(|known| known.id == segment) {
                known.pieces = pieces;
            }
        }
        Ok((batches, number))
    }

    fn lock(&self) -> MutexGuard<'_, Segments> {
        self.segments.lock().expect("nothing panics while it holds the segments")
    }
}

/// Which pieces of a segment stay, and the records of the next one.
struct EncodingPlan {
    segment: SegmentId,
    since: u64,
    kept: Vec<Piece>,
    records: Vec<Arc<Events>>,
}

impl EncodingPlan {
    fn of(segment: &Segment) -> EncodingPlan {
        let mut kept = segment.pieces.clone();
        let encoded = |pieces: &[Piece]| pieces.iter().map(|piece| piece.records).sum::<usize>();
        let mut events: usize = segment.records[encoded(&kept)..].iter().map(|events| events.len()).sum();
        while events > 0
            && let Some(last) = kept.pop_if(|last| last.events <= 2 * events)
        {
            events += last.events;
        }
        let records = segment.records[encoded(&kept)..].to_vec();
        EncodingPlan { segment: segment.id.clone(), since: segment.since, kept, records }
    }

    fn pieces(self) -> Result<Vec<Piece>, LakeError> {
        let mut pieces = self.kept;
        if !self.records.is_empty() {
            let events = together(&self.records);
            let batch = UncommittedBatch::encode(&batch_id(&self.segment), self.since, &events)?;
            pieces.push(Piece { records: self.records.len(), events: events.len(), batch: Arc::new(batch) });
        }
        Ok(pieces)
    }
}

fn is_of(segment: &Segment, sealed: &SealedSegment) -> bool {
    (&segment.id.site, segment.id.incarnation, segment.id.first)
        == (&sealed.name.site, sealed.name.incarnation, sealed.name.first)
}

fn together(records: &[Arc<Events>]) -> Events {
    let mut events = Events::default();
    records.iter().for_each(|record| events.append(record));
    events
}
