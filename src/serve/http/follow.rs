//! `/v1/top` as a stream: each change of the list as a server-sent event.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::http::answers::{respond, tag_of, unavailable};
use crate::http::event_stream::{Change, EventStream};
use crate::http::list_cache::List;
use crate::http::list_streams::{Followed, Topic};
use crate::http::lists::list;
use crate::http::state::State;
use crate::http::write_timeout::WritesWait;
use topsell_output::answers::{TopOptions, TopQuestion};

const CONTENT_TYPE: &str = "text/event-stream";
/// The header by which a client that comes back says what it has.
const LAST_EVENT_ID: &str = "last-event-id";
/// How often is looked whether there are new events.
const LOOK: Duration = Duration::from_millis(100);
/// How many looks there are in a second.
const LOOKS: u32 = 10;

/// Answers with a stream of the list that some options ask for, now by `question`.
pub async fn follow(
    state: Arc<State>,
    options: TopOptions,
    question: &TopQuestion,
    headers: &HeaderMap,
    writes_wait: WritesWait,
) -> Response<Body> {
    let Some(permit) = state.streams.permit() else { return unavailable("there are too many streams") };
    // Whatever is wrong is told by a status, not by a stream without events.
    let first = match list(&state, question).await {
        Ok(list) => change_of(&list),
        Err(refused) => return *refused,
    };
    let changes = match state.streams.follow(&format!("{options:?}"), first) {
        Followed::Known(changes) => changes,
        Followed::New(changes, topic) => {
            tokio::spawn(look_after(Arc::clone(&state), topic, options));
            changes
        }
        Followed::Refused => return unavailable("there are too many different lists that are followed"),
    };
    let known = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (ends, quiet_time) = (state.streams.ends(), state.limits.quiet_time);
    let body = EventStream::of((changes, ends), known, quiet_time, writes_wait, permit);
    let mut response = respond(StatusCode::OK, CONTENT_TYPE, Body::new(body));
    let into = response.headers_mut();
    into.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Or nginx keeps events until it has many.
    into.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// Has a list computed when there are new events, at most once a second, and otherwise asked for every second: others may
/// have changed the lake, or the hour or minute has turned. Ends when nobody follows it.
async fn look_after(state: Arc<State>, topic: Topic, options: TopOptions) {
    let mut known = None;
    let (mut since_change, mut since_asked) = (LOOKS, LOOKS);
    let mut ends = state.streams.ends();
    while !topic.is_left() {
        let records = state.live.get().map(|live| live.uncommitted.records());
        let is_new = records != known;
        if (is_new && since_change >= LOOKS) || since_asked >= LOOKS {
            since_change = if is_new { 0 } else { since_change };
            (known, since_asked) = (records, 0);
            tell(&state, &topic, &options).await;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = ends.wait_for(|ends| *ends) => return,
        }
        since_change += 1;
        since_asked += 1;
    }
}

/// Tells all streams what the list is now. A server that is busy, or a lake that cannot be read, leaves it as it was.
async fn tell(state: &Arc<State>, topic: &Topic, options: &TopOptions) {
    // The options were read before: only the time range changes.
    let Ok(question) = TopQuestion::of(options.clone(), (state.clock)()) else { return };
    if let Ok(list) = list(state, &question).await {
        topic.tell(change_of(&list));
    }
}

/// Returns a list as an event: its body, with the moment of its computation as the last field.
fn change_of(list: &List) -> Change {
    let body = str::from_utf8(&list.body).unwrap_or_default();
    let fields = body.trim_end().strip_suffix('}').unwrap_or_default();
    Change::of(&tag_of(&list.body), &format!("{fields},\"computed_at\":\"{}\"}}", list.computed_at))
}
