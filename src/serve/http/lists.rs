//! The lists of `/v1/top`: from the cache where nothing has changed, or computed by a worker.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, StatusCode};

use crate::http::answers::{error, not_done, unavailable};
use crate::http::lake_answers::json;
use crate::http::list_cache::{Computed, List, ListState};
use crate::http::state::{Live, State};
use topsell_core::lake;
use topsell_core::rollup::{self, RollupError};
use topsell_output::answers::TopQuestion;

/// How long after it came a request still waits for other decayed lists.
const DECAYED_WAIT: Duration = Duration::from_secs(1);

/// Returns the answer to a question, with every event that was acknowledged before.
///
/// # Errors
/// Returns the response that says why there is none.
pub async fn list(state: &Arc<State>, question: &TopQuestion) -> Result<Arc<List>, Box<Response<Body>>> {
    let lists = &state.lists;
    let mut too_long = pin!(tokio::time::sleep(DECAYED_WAIT));
    let slot = lists.slot(question.key());
    let Some(mut turn) = lists.turn(&slot).await else {
        return Err(Box::new(unavailable("too many requests wait for lists")));
    };
    if let Some(list) = turn.computed_since() {
        lists.shared.fetch_add(1, Ordering::Relaxed);
        return Ok(list);
    }
    let _permit = match question.is_decayed() {
        true => tokio::select! {
            biased;
            permit = lists.decayed.acquire() => permit.ok(),
            () = too_long.as_mut() => {
                return Err(Box::new(unavailable("other decayed lists are being computed")));
            }
        },
        false => None,
    };
    let (worker_state, question, known) = (Arc::clone(state), question.clone(), turn.computed.clone());
    match state.readers.run(move || computed(&worker_state, &question, known)).await {
        Ok(Some(Ok(computed))) => {
            slot.set_bytes(&computed.list);
            let list = Arc::clone(&computed.list);
            *turn.computed = Some(computed);
            lists.make_room();
            Ok(list)
        }
        Ok(Some(Err(e))) => Err(Box::new(error(StatusCode::INTERNAL_SERVER_ERROR, &e.to_string()))),
        Ok(None) => Err(Box::new(unavailable("the server is reading its log"))),
        Err(why) => Err(Box::new(not_done(why))),
    }
}

/// Returns the list that is known if nothing has changed, or computes it; none while the log is being read.
fn computed(
    state: &State,
    question: &TopQuestion,
    known: Option<Computed>,
) -> Option<Result<Computed, RollupError>> {
    let live = state.live.get()?;
    // Both before anything else is read: what changes meanwhile makes the list one of an older state, never the other way
    // round.
    let (began, of) = (state.lists.moment(), list_state(state, live));
    if let Some(known) = known.filter(|known| known.state == of) {
        state.lists.shared.fetch_add(1, Ordering::Relaxed);
        return Some(Ok(Computed { began, ..known }));
    }
    state.lists.computed.fetch_add(1, Ordering::Relaxed);
    let computed_at = (state.clock)();
    // Before the lake is read, so that what is moved there meanwhile is found in either.
    let uncommitted = live.uncommitted.batches().map_err(RollupError::from);
    let body = uncommitted.and_then(|uncommitted| question.answer(&state.store, &uncommitted, json));
    Some(body.map(|body| {
        let list = List { body: body.into(), computed_at };
        Computed { list: Arc::new(list), state: of, began }
    }))
}

fn list_state(state: &State, live: &Live) -> ListState {
    let records = live.uncommitted.records();
    ListState { records, events: lake::version(&state.store), rollups: rollup::version(&state.store) }
}
