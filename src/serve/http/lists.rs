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
use crate::live::{ListAnswer, ListKind, ListQuestion};
use topsell_core::lake;
use topsell_core::rank::LiveRules;
use topsell_core::rollup::{self, RollupError};
use topsell_output::answers::TopQuestion;

/// How long after it came a request still waits for other decayed lists.
const DECAYED_WAIT: Duration = Duration::from_secs(1);

/// How often is looked whether a list has been read into memory.
const LOOK: Duration = Duration::from_millis(20);

/// What is known of a list in memory.
enum InMemory {
    List(Arc<List>),
    /// It has to be computed from the lake.
    No,
    Warming,
}

/// Returns the answer to a question, with every event that was acknowledged before.
///
/// # Errors
/// Returns the response that says why there is none.
pub async fn list(state: &Arc<State>, question: &TopQuestion) -> Result<Arc<List>, Box<Response<Body>>> {
    let mut too_long = pin!(tokio::time::sleep(DECAYED_WAIT));
    loop {
        match in_memory(state, question).await? {
            InMemory::List(list) => return Ok(list),
            InMemory::No => break,
            InMemory::Warming => tokio::select! {
                biased;
                () = too_long.as_mut() => {
                    return Err(Box::new(unavailable("the list by score is being read")));
                }
                () = tokio::time::sleep(LOOK) => {}
            },
        }
    }
    let lists = &state.lists;
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

/// Returns the list from memory where it is kept there, and otherwise has it kept, if it is one of those.
async fn in_memory(state: &Arc<State>, question: &TopQuestion) -> Result<InMemory, Box<Response<Body>>> {
    let Some((asked, live)) = list_question(question).zip(state.live.get()) else { return Ok(InMemory::No) };
    match live.lists.answer(&asked, false) {
        ListAnswer::NotBuilt => {
            let (worker_state, question) = (Arc::clone(state), question.clone());
            let build = move || {
                let answer = worker_state.live.get().map(|live| live.lists.answer(&asked, true));
                found(&worker_state, &question, answer.unwrap_or(ListAnswer::NotKept))
            };
            state.readers.run(build).await.map_err(|why| Box::new(not_done(why)))
        }
        answer => Ok(found(state, question, answer)),
    }
}

fn found(state: &State, question: &TopQuestion, answer: ListAnswer) -> InMemory {
    match answer {
        ListAnswer::Found(found) => {
            let computed_at = (state.clock)();
            let body = question.answer_by(&found, json);
            body.map_or(InMemory::No, |body| {
                InMemory::List(Arc::new(List { body: body.into(), computed_at }))
            })
        }
        ListAnswer::Warming => InMemory::Warming,
        ListAnswer::NotBuilt | ListAnswer::NotKept => InMemory::No,
    }
}

/// Returns what to ask the lists in memory; none where no list of this kind is kept.
fn list_question(question: &TopQuestion) -> Option<ListQuestion> {
    let LiveRules { window, decay, measure } = question.live_rules()?;
    let event_types = question.event_types().clone();
    let kind = ListKind { event_types, hours: window.hours(), decay, measure };
    let (category, limit) = (question.category().map(str::to_owned), question.limit());
    Some(ListQuestion { kind, window, category, limit })
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
    if let Some(times) = question.minutes()
        && let Some(rows) = live.recent.all_by_minutes(question.event_types(), times, question.category())
        && let Ok(body) = question.answer_by_rows(&rows, json)
    {
        let list = List { body: body.into(), computed_at };
        return Some(Ok(Computed { list: Arc::new(list), state: of, began }));
    }
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
