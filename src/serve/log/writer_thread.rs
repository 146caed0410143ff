//! The thread that writes what is queued, applies it, and tells those who wait.
//!
//! Invariant: a record is applied after it is durable, in the order of sequence numbers, and before its ticket
//! is completed.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::log::error::LogError;
use crate::log::position::Site;
use crate::log::queue::{Pending, Queue, SealRequest, Work};
use crate::log::record::Record;
use crate::log::ticket::Appended;
use crate::log::writer::Writer;

/// Ends the queue when the thread ends, also where `apply` panics.
struct EndOnDrop<R>(Arc<Queue<R>>);

impl<R> Drop for EndOnDrop<R> {
    fn drop(&mut self) {
        self.0.end(&LogError::Closed);
    }
}

/// Works until the queue is closed, then seals the current segment; ends early where the disk fails.
pub(super) fn run<R>(
    mut writer: Writer,
    queue: &Arc<Queue<R>>,
    site: &Site,
    mut apply: impl FnMut(Record<'_>) -> R,
) -> Result<(), LogError> {
    let _end = EndOnDrop(Arc::clone(queue));
    loop {
        match queue.next_work() {
            Work::Seal(request, completion) => {
                let sealed = match request {
                    SealRequest::IfDue { now_micros } => writer.tick(now_micros),
                    SealRequest::Now => writer.seal(),
                };
                let failure = sealed.as_ref().err().cloned();
                // Before the answer, after which the caller may rely on the refusal.
                failure.iter().for_each(|error| queue.end(error));
                completion.complete(sealed);
                if let Some(error) = failure {
                    return Err(error);
                }
            }
            Work::Write(mut batch) => {
                while !batch.is_empty() {
                    write_group(&mut writer, queue, site, &mut apply, &mut batch)?;
                }
            }
            Work::Close => return writer.seal().map(|_| ()),
        }
    }
}

/// Writes as much of a batch as goes into one group, and takes it from the batch.
fn write_group<R>(
    writer: &mut Writer,
    queue: &Queue<R>,
    site: &Site,
    apply: &mut impl FnMut(Record<'_>) -> R,
    batch: &mut VecDeque<Pending<R>>,
) -> Result<(), LogError> {
    let incarnation = writer.incarnation();
    let group = match writer.write(batch.iter().map(|one| (one.time_micros, one.payload.as_slice()))) {
        Ok(group) => group,
        Err(error) => {
            let may_go_on = matches!(error, LogError::Full { .. });
            if !may_go_on {
                queue.end(&error);
            }
            queue.release(batch.iter());
            batch.drain(..).for_each(|one| one.completion.complete(Err(error.clone())));
            return if may_go_on { Ok(()) } else { Err(error) };
        }
    };
    let written = usize::try_from(group.end - group.start).expect("it was in memory");
    let segment = writer.segment().expect("a group was just written to it");
    let applied: Vec<Appended<R>> = batch
        .iter()
        .zip(group)
        .map(|(one, sequence)| {
            let (time_micros, payload) = (one.time_micros, one.payload.as_slice());
            let record = Record { site, incarnation, sequence, time_micros, segment, payload };
            Appended { position: record.position(), applied: apply(record) }
        })
        .collect();
    // Before the answers, so that whoever appends one record after the other never finds the queue full.
    queue.release(batch.iter().take(written));
    batch.drain(..written).zip(applied).for_each(|(one, applied)| one.completion.complete(Ok(applied)));
    Ok(())
}
