//! The bodies of answers with a list: some bytes, or the whole text of a version, part by part.
//!
//! Invariant: the size is known from the start. A client that reads slowly holds the memory of one part besides the version, which it shares with others.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::HttpBody;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use topsell_lists::Snapshot;

/// What stands before each name in the format of hosts files: an address that nothing is reached at.
const NOWHERE: &str = "0.0.0.0 ";

/// How the entries of a whole list are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntriesForm {
    /// A line for each.
    Text,
    /// As a hosts file.
    Hosts,
    /// As members of a JSON array or object.
    Json,
}

/// The body.
pub struct ListBody {
    before: Vec<Bytes>,
    entries: Option<(Arc<Snapshot>, EntriesForm)>,
    next_part: usize,
    after: Option<Bytes>,
    size: u64,
}

impl ListBody {
    /// Returns a body of some bytes, one after another.
    pub fn of_bytes(bytes: Vec<Bytes>) -> ListBody {
        let size: u64 = bytes.iter().map(|some| some.len() as u64).sum();
        let mut before = bytes;
        before.reverse();
        ListBody { before, entries: None, next_part: 0, after: None, size }
    }

    /// Returns a body of the entries of a version, with bytes before and after them.
    pub fn of_entries(
        before: Vec<Bytes>,
        snapshot: Arc<Snapshot>,
        form: EntriesForm,
        after: Option<Bytes>,
    ) -> ListBody {
        let (bytes, lines) = (snapshot.lines.size_bytes(), snapshot.lines.len());
        let of_entries = match form {
            EntriesForm::Text => bytes,
            EntriesForm::Hosts => bytes + lines * NOWHERE.len() as u64,
            EntriesForm::Json => snapshot.json_bytes(),
        };
        let around = before.iter().chain(&after).map(|bytes| bytes.len() as u64).sum::<u64>();
        let size = of_entries + around;
        let mut before = before;
        before.reverse();
        ListBody { before, entries: Some((snapshot, form)), next_part: 0, after, size }
    }

    fn next(&mut self) -> Option<Bytes> {
        if let Some(bytes) = self.before.pop() {
            return Some(bytes);
        }
        if let Some((snapshot, form)) = &self.entries {
            if let Some(part) = snapshot.lines.part(self.next_part) {
                self.next_part += 1;
                return Some(written(snapshot, part, *form, self.next_part == 1));
            }
            self.entries = None;
        }
        self.after.take()
    }
}

fn written(snapshot: &Snapshot, part: Bytes, form: EntriesForm, is_first: bool) -> Bytes {
    match form {
        EntriesForm::Text => part,
        EntriesForm::Hosts => {
            let text = str::from_utf8(&part).unwrap_or_default();
            text.split_inclusive('\n').flat_map(|line| [NOWHERE, line]).collect::<String>().into()
        }
        EntriesForm::Json => snapshot.json_part(&part, is_first).into(),
    }
}

impl HttpBody for ListBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = std::iter::from_fn(|| self.next()).find(|bytes| !bytes.is_empty());
        self.size = self.size.saturating_sub(next.as_ref().map_or(0, |bytes| bytes.len() as u64));
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.size)
    }
}
