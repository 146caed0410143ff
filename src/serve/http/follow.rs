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
use topsell_output::answers::{TopOptions, TopQuestion};

const CONTENT_TYPE: &str = "text/event-stream";
/// The header by which a client that comes back says what it has.
const LAST_EVENT_ID: &str = "last-event-id";
/// How often is looked whether there are new events.
const LOOK: Duration = Duration::from_millis(100);
/// How many looks there are between two computations of a list.
const LOOKS: u32 = 10;

/// Answers with a stream of the list that some options ask for, now by `question`.
pub async fn follow(
    state: Arc<State>,
    options: TopOptions,
    question: &TopQuestion,
    headers: &HeaderMap,
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
    let body = EventStream::of(changes, ends, known, quiet_time, permit);
    let mut response = respond(StatusCode::OK, CONTENT_TYPE, Body::new(body));
    let into = response.headers_mut();
    into.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Or nginx keeps events until it has many.
    into.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// Computes a list when something has changed, at most once a second, until nobody follows it.
async fn look_after(state: Arc<State>, topic: Topic, options: TopOptions) {
    let mut last = None;
    let mut looks = LOOKS;
    let mut ends = state.streams.ends();
    while !topic.is_left() {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => looks += 1,
            _ = ends.wait_for(|ends| *ends) => return,
        }
        // The options were read before, and only the hours change. A clock that is beyond the calendar's end is no reason
        // to end the stream.
        let Ok(question) = TopQuestion::of(options.clone(), (state.clock)()) else { continue };
        let records = state.live.get().map(|live| live.uncommitted.records());
        let now = Some((question.key(), records));
        // After the last look, what others have done to the lake is asked for, too.
        if looks >= LOOKS && (now != last || looks >= 2 * LOOKS) {
            (last, looks) = (now, 0);
            // A server that is busy, or a lake that cannot be read, leaves the list as it was.
            if let Ok(list) = list(&state, &question).await {
                topic.tell(change_of(&list));
            }
        }
    }
}

/// Returns a list as an event: its body, with the moment of its computation as the last field.
fn change_of(list: &List) -> Change {
    let body = str::from_utf8(&list.body).unwrap_or_default();
    let fields = body.trim_end().strip_suffix('}').unwrap_or_default();
    Change::of(&tag_of(&list.body), &format!("{fields},\"computed_at\":\"{}\"}}", list.computed_at))
}
