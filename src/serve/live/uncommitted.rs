//! The events of the log's segments that are not in the lake yet, in the form in which counts take them.
//!
//! A segment's events are in parts, the last of which grows until an answer needs them encoded. A part that is not much
//! smaller than the one before it is then merged with that, so that there are few and none is encoded often.
//!
//! Invariant: records are added in the order of the log, after they are durable; a segment is removed after its batch was
//! committed.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::log::{SealedSegment, SegmentId};
use topsell_core::lake::{LakeError, UncommittedBatch};
use topsell_core::model::{Currency, Events};

/// The segments, the oldest first.
#[derive(Default)]
pub struct Uncommitted {
    segments: Mutex<Segments>,
    /// The number of events of all segments.
    events: AtomicUsize,
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
    parts: Vec<Part>,
    /// The newest events, in no part yet.
    newest: Events,
}

/// Events that are encoded together, once they are.
#[derive(Clone)]
struct Part {
    events: Arc<Events>,
    batch: Option<Arc<UncommittedBatch>>,
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
        events: &Events,
        currency: Option<Currency>,
        since: impl FnOnce() -> u64,
    ) -> u64 {
        let mut segments = self.lock();
        if segments.all.last().is_none_or(|last| last.id != *segment) {
            let since = since();
            let (parts, newest) = (Vec::new(), Events::default());
            segments.all.push(Segment { id: segment.clone(), since, currency: None, parts, newest });
            segments.own.insert(batch_id(segment));
        }
        let last = segments.all.last_mut().expect("one was just added");
        last.currency = last.currency.or(currency);
        last.newest.append(events);
        self.events.fetch_add(events.len(), Ordering::Relaxed);
        segments.added += 1;
        segments.added
    }

    /// Returns whether a batch of the lake was a segment here.
    pub fn is_own(&self, batch_id: &str) -> bool {
        self.lock().own.contains(batch_id)
    }

    /// Returns the number of events.
    pub fn events(&self) -> usize {
        self.events.load(Ordering::Relaxed)
    }

    /// Returns how many records were added since the start.
    pub fn records(&self) -> u64 {
        self.lock().added
    }

    /// Returns the ids of the batches that the segments will be.
    pub fn batch_ids(&self) -> Vec<String> {
        self.lock().all.iter().map(|segment| batch_id(&segment.id)).collect()
    }

    /// Returns the id of a sealed segment's batch; none where it is not known, as one without records.
    pub fn id_of(&self, sealed: &SealedSegment) -> Option<String> {
        self.lock().all.iter().find(|segment| is_of(segment, sealed)).map(|segment| batch_id(&segment.id))
    }

    /// Returns the batch of a sealed segment; none where it is not known, as one without records.
    pub fn batch_of(&self, sealed: &SealedSegment) -> Option<SegmentBatch> {
        let (id, currency, parts) = {
            let mut segments = self.lock();
            let segment = segments.all.iter_mut().find(|segment| is_of(segment, sealed))?;
            segment.close_part();
            (batch_id(&segment.id), segment.currency, segment.parts.clone())
        };
        Some(SegmentBatch { id, events: together(&parts), currency })
    }

    /// Forgets a sealed segment, whose batch is in the lake.
    pub fn remove(&self, sealed: &SealedSegment) {
        let mut segments = self.lock();
        if let Some(at) = segments.all.iter().position(|segment| is_of(segment, sealed)) {
            let removed = segments.all.remove(at);
            self.events.fetch_sub(removed.events(), Ordering::Relaxed);
        }
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
        let _encoding = self.encoding.lock().unwrap_or_else(PoisonError::into_inner);
        // All of one moment: a segment that is removed later is in the lake before the lake is read.
        let (plans, number): (Vec<EncodingPlan>, u64) = {
            let mut segments = self.lock();
            (segments.all.iter_mut().map(EncodingPlan::of).collect(), segments.added)
        };
        let mut batches = Vec::new();
        for plan in plans {
            let (segment, kept, merged) = (plan.segment.clone(), plan.kept.len(), plan.merged.len());
            let parts = plan.parts()?;
            batches.extend(parts.iter().filter_map(|part| part.batch.clone()));
            if merged > 0
                && let Some(known) = self.lock().all.iter_mut().find(|known| known.id == segment)
            {
                // Parts are closed by nobody else meanwhile but by the commit, whose own are behind these.
                known.parts.splice(kept..kept + merged, parts.into_iter().skip(kept));
            }
        }
        Ok((batches, number))
    }

    fn lock(&self) -> MutexGuard<'_, Segments> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Segment {
    fn events(&self) -> usize {
        self.parts.iter().map(|part| part.events.len()).sum::<usize>() + self.newest.len()
    }

    /// Makes a part of the newest events.
    fn close_part(&mut self) {
        if !self.newest.is_empty() {
            let events = Arc::new(std::mem::take(&mut self.newest));
            self.parts.push(Part { events, batch: None });
        }
    }
}

/// Which parts of a segment stay, and those that become one.
struct EncodingPlan {
    segment: SegmentId,
    since: u64,
    kept: Vec<Part>,
    merged: Vec<Part>,
}

impl EncodingPlan {
    fn of(segment: &mut Segment) -> EncodingPlan {
        segment.close_part();
        let mut kept = segment.parts.clone();
        let mut merged = Vec::new();
        let mut events = 0;
        while let Some(last) =
            kept.pop_if(|last| last.batch.is_none() || (events > 0 && last.events.len() <= 2 * events))
        {
            events += last.events.len();
            merged.insert(0, last);
        }
        EncodingPlan { segment: segment.id.clone(), since: segment.since, kept, merged }
    }

    fn parts(self) -> Result<Vec<Part>, LakeError> {
        let mut parts = self.kept;
        if !self.merged.is_empty() {
            let events = together(&self.merged);
            let batch = UncommittedBatch::encode(&batch_id(&self.segment), self.since, &events)?;
            parts.push(Part { events: Arc::new(events), batch: Some(Arc::new(batch)) });
        }
        Ok(parts)
    }
}

fn is_of(segment: &Segment, sealed: &SealedSegment) -> bool {
    (&segment.id.site, segment.id.incarnation, segment.id.first)
        == (&sealed.name.site, sealed.name.incarnation, sealed.name.first)
}

fn together(parts: &[Part]) -> Events {
    let mut events = Events::default();
    parts.iter().for_each(|part| events.append(&part.events));
    events
}
