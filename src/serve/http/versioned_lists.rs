//! `/v1/lists`: versioned lists, what leads from a client's version to the newest, and changes.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{ACCEPT, CACHE_CONTROL, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::http::answers::{error, error_with_hint, json, not_done, respond, unavailable};
use crate::http::list_body::{EntriesForm, ListBody};
use crate::http::parameters::ParameterKind::{Text, Texts};
use crate::http::parameters::{Parameter, Parameters};
use crate::http::published_lists::{AnswerForm, Published};
use crate::http::state::State;
use topsell_core::model::parse_seconds;
use topsell_lists::{
    Change, ListError, ListKind, ListName, ListSettings, PREFIX_MEDIA_TYPE, Version, hex, json_head,
    prefix_head, time_text,
};

/// The parameters of a request for a list.
pub const LIST_PARAMETERS: &[Parameter] = &[
    Parameter::new("since", Text, "The version that the client holds; without it, the whole list"),
    Parameter::new("wait", Text, "How long to wait for another version where the client holds the newest"),
    Parameter::new("prefix", Texts, "8 hexadecimal digits: the full hashes that begin with them"),
];
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
/// The longest time that a client may ask to wait for.
const MAX_WAIT_SECONDS: u64 = 300;
/// How many full hashes may be asked for at once.
const MAX_PREFIXES: usize = 1_000;
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// How a list is created.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsBody {
    kind: ListKind,
    #[serde(default = "second")]
    publish_every: String,
    #[serde(default = "week")]
    keep: String,
    #[serde(default = "half_an_hour")]
    poll: String,
}

fn second() -> String {
    "1s".to_owned()
}

fn week() -> String {
    "7d".to_owned()
}

fn half_an_hour() -> String {
    "30min".to_owned()
}

#[derive(Serialize)]
struct Changed {
    schema: u32,
    version: String,
    added: u64,
    removed: u64,
    updated: u64,
    unchanged: u64,
}

#[derive(Serialize)]
struct ListRow {
    list: String,
    kind: ListKind,
    entries: u64,
    version: String,
    time: String,
    sha256: String,
}

#[derive(Serialize)]
struct AllLists {
    schema: u32,
    lists: Vec<ListRow>,
}

#[derive(Serialize)]
struct FullHash {
    prefix: String,
    sha256: String,
}

#[derive(Serialize)]
struct FullHashes {
    schema: u32,
    list: String,
    version: String,
    hashes: Vec<FullHash>,
}

/// Answers which lists there are.
pub fn all_lists(state: &State) -> Response<Body> {
    let row = |published: Arc<Published>| {
        let snapshot = &published.snapshot;
        ListRow {
            list: snapshot.name.to_string(),
            kind: snapshot.settings.kind,
            entries: snapshot.lines.len(),
            version: snapshot.version_text(),
            time: time_text(snapshot.time),
            sha256: hex(&snapshot.sha256),
        }
    };
    json(StatusCode::OK, &AllLists { schema: 1, lists: state.versioned.all().into_iter().map(row).collect() })
}

/// Answers a request for a list, or for a form of it.
pub async fn read_list(
    state: Arc<State>,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
) -> Response<Body> {
    for (end, form) in [(".txt", EntriesForm::Text), (".hosts", EntriesForm::Hosts)] {
        if let Some(name) = path.strip_suffix(end) {
            return whole_text(&state, name, form, &headers);
        }
    }
    match answer(&state, &path, query.as_deref(), &headers).await {
        Ok(response) | Err(response) => response,
    }
}

async fn answer(
    state: &Arc<State>,
    path: &str,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response<Body>, Response<Body>> {
    let bad = |what: String| error(StatusCode::BAD_REQUEST, &what);
    let parameters = Parameters::of(query, LIST_PARAMETERS).map_err(bad)?;
    let name = ListName::parse(path).map_err(|e| of_error(&e))?;
    let prefixes = parameters.all("prefix");
    let since = parameters.one("since").map_err(bad)?;
    let wait = wait_of(parameters.one("wait").map_err(bad)?).map_err(bad)?;
    let mut newest = state.versioned.newest(&name).map_err(|e| of_error(&e))?;
    let mut published = Arc::clone(&newest.borrow_and_update());
    if !prefixes.is_empty() {
        return full_hashes(state, published, &prefixes).await;
    }
    if let (Some(since), Some(wait)) = (&since, wait)
        && published.snapshot.known(since) == Some(published.snapshot.version)
    {
        published = next_version(state, &mut newest, published, wait).await;
    }
    let since = since.and_then(|since| published.snapshot.known(&since));
    Ok(respond_with(state, published, since, form_of(headers)).await)
}

/// Waits for another version than the newest one, and returns the newest then.
async fn next_version(
    state: &State,
    newest: &mut tokio::sync::watch::Receiver<Arc<Published>>,
    known: Arc<Published>,
    wait: Duration,
) -> Arc<Published> {
    // Where too many wait, a client is answered at once, and comes again.
    let Some(_permit) = state.versioned.waits.try_acquire().ok() else { return known };
    let mut ends = state.streams.ends();
    let is_other = |of: &Arc<Published>| of.snapshot.version != known.snapshot.version;
    let next = async {
        tokio::select! {
            next = newest.wait_for(is_other) => next.ok().map(|next| Arc::clone(&next)),
            _ = ends.wait_for(|ends| *ends) => None,
        }
    };
    tokio::time::timeout(wait, next).await.ok().flatten().unwrap_or(known)
}

async fn respond_with(
    state: &Arc<State>,
    published: Arc<Published>,
    since: Option<Version>,
    form: AnswerForm,
) -> Response<Body> {
    let is_full = since.is_none();
    let wait_seconds = state.versioned.wait_seconds(&published.snapshot.settings);
    if form == AnswerForm::Prefixes && published.snapshot.settings.kind == ListKind::Map {
        return error(
            StatusCode::NOT_ACCEPTABLE,
            "a map has no form of hash prefixes; ask for application/json",
        );
    }
    let made = match published.is_quick(form, since.as_ref()) {
        true => Ok(published.answer(form, since.as_ref(), state.versioned.signing())),
        false => {
            let (of, worker_state) = (Arc::clone(&published), Arc::clone(state));
            let job = move || of.answer(form, since.as_ref(), worker_state.versioned.signing());
            state.readers.run(job).await
        }
    };
    let made = match made {
        Ok(made) => made,
        Err(why) => return not_done(why),
    };
    let (head, media_type): (Bytes, &'static str) = match form {
        AnswerForm::Json => (json_head(wait_seconds).into(), JSON),
        AnswerForm::Prefixes => (prefix_head(is_full, wait_seconds).to_vec().into(), PREFIX_MEDIA_TYPE),
    };
    let body = match form == AnswerForm::Json && is_full {
        true => {
            let (snapshot, end) = (Arc::clone(&published.snapshot), published.snapshot.json_end());
            ListBody::of_entries(vec![head, made], snapshot, EntriesForm::Json, Some(Bytes::from_static(end)))
        }
        false => ListBody::of_bytes(vec![head, made]),
    };
    let mut response = respond(StatusCode::OK, media_type, Body::new(body));
    response.headers_mut().insert(CACHE_CONTROL, REVALIDATE);
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    response
}

/// Answers with the whole list as text, or that it is the one that the client has.
fn whole_text(state: &State, name: &str, form: EntriesForm, headers: &HeaderMap) -> Response<Body> {
    let newest = ListName::parse(name).and_then(|name| state.versioned.newest(&name));
    let published = match newest {
        Ok(newest) => Arc::clone(&newest.borrow()),
        Err(e) => return of_error(&e),
    };
    if form == EntriesForm::Hosts && published.snapshot.settings.kind != ListKind::Host {
        return error(StatusCode::NOT_FOUND, "only a list of hosts has the form of a hosts file");
    }
    let tag = format!("\"{}\"", hex(&published.snapshot.sha256));
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = known.flat_map(|value| value.split(',')).map(str::trim);
    let mut response = match known.any(|value| value == "*" || value.trim_start_matches("W/") == tag) {
        true => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        }
        false => {
            let body = ListBody::of_entries(Vec::new(), Arc::clone(&published.snapshot), form, None);
            respond(StatusCode::OK, TEXT, Body::new(body))
        }
    };
    response
        .headers_mut()
        .insert(ETAG, HeaderValue::from_str(&tag).expect("hexadecimal digits are a header"));
    response.headers_mut().insert(CACHE_CONTROL, REVALIDATE);
    response
}

async fn full_hashes(
    state: &State,
    published: Arc<Published>,
    prefixes: &[String],
) -> Result<Response<Body>, Response<Body>> {
    let bad = |what: &str| error(StatusCode::BAD_REQUEST, what);
    if prefixes.len() > MAX_PREFIXES {
        return Err(bad("there are more than 1,000 prefixes; ask in parts"));
    }
    if published.snapshot.settings.kind == ListKind::Map {
        return Err(error(StatusCode::NOT_ACCEPTABLE, "a map has no form of hash prefixes"));
    }
    let number = |text: &String| u32::from_str_radix(text, 16).ok().filter(|_| text.len() == 8);
    let prefixes: Option<Vec<u32>> = prefixes.iter().map(number).collect();
    let prefixes = prefixes.ok_or_else(|| bad("a prefix is 8 hexadecimal digits"))?;
    let job = move || {
        let snapshot = &published.snapshot;
        let of_prefix = |prefix: u32| {
            let keys = snapshot.keys_with_prefix(prefix).into_iter();
            keys.map(move |key| FullHash {
                prefix: format!("{prefix:08x}"),
                sha256: topsell_lists::sha256_hex(&key),
            })
        };
        FullHashes {
            schema: 1,
            list: snapshot.name.to_string(),
            version: snapshot.version_text(),
            hashes: prefixes.into_iter().flat_map(of_prefix).collect(),
        }
    };
    match state.readers.run(job).await {
        Ok(hashes) => Ok(json(StatusCode::OK, &hashes)),
        Err(why) => Err(not_done(why)),
    }
}

/// Changes a list, and answers once that is durable.
pub async fn change_list(state: Arc<State>, path: String, body: Bytes) -> Response<Body> {
    let worker_state = Arc::clone(&state);
    let job = move || {
        let name = ListName::parse(&path)?;
        let list = worker_state.versioned.open_list(&name)?;
        if name.is_ranking() {
            return Err(ListError::OfRanking { name: name.to_string() });
        }
        let change = Change::parse(&body, list.settings().kind)?;
        let (outcome, version) = list.change(change, (worker_state.clock)().micros())?;
        Ok(Changed {
            schema: 1,
            version: version.text(&name),
            added: outcome.added,
            removed: outcome.removed,
            updated: outcome.updated,
            unchanged: outcome.unchanged,
        })
    };
    match state.receivers.run(job).await {
        Ok(Ok(changed)) => json(StatusCode::OK, &changed),
        Ok(Err(e)) => of_error(&e),
        Err(why) => not_done(why),
    }
}

/// Creates a list.
pub async fn create_list(state: Arc<State>, path: String, body: Bytes) -> Response<Body> {
    let worker_state = Arc::clone(&state);
    let job = move || {
        let name = ListName::parse(&path)?;
        if name.is_ranking() {
            return Err(ListError::OfRanking { name: name.to_string() });
        }
        worker_state.versioned.create(&name, settings_of(&body)?, (worker_state.clock)())
    };
    match state.receivers.run(job).await {
        Ok(Ok(())) => json(StatusCode::CREATED, &serde_json::json!({ "schema": 1 })),
        Ok(Err(e)) => of_error(&e),
        Err(why) => not_done(why),
    }
}

fn settings_of(body: &[u8]) -> Result<ListSettings, ListError> {
    let bad = |what: String| ListError::Change { what };
    let body: SettingsBody =
        serde_json::from_slice(body).map_err(|e| bad(format!("is not as documented: {e}")))?;
    let seconds =
        |name: &str, text: &str| parse_seconds(text).map_err(|e| bad(format!("has a wrong {name}: {e}")));
    Ok(ListSettings {
        kind: body.kind,
        publish_every_ms: seconds("publish_every", &body.publish_every)?.saturating_mul(1_000),
        keep_seconds: seconds("keep", &body.keep)?,
        poll_seconds: seconds("poll", &body.poll)?,
    })
}

fn wait_of(text: Option<String>) -> Result<Option<Duration>, String> {
    let Some(text) = text else { return Ok(None) };
    let seconds = parse_seconds(&text).map_err(|e| format!("wait: {e}"))?;
    Ok(Some(Duration::from_secs(seconds.min(MAX_WAIT_SECONDS))))
}

/// Returns the form that a client takes.
fn form_of(headers: &HeaderMap) -> AnswerForm {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    match accepted.flat_map(|value| value.split(',')).any(|value| value.trim().starts_with(PREFIX_MEDIA_TYPE))
    {
        true => AnswerForm::Prefixes,
        false => AnswerForm::Json,
    }
}

fn of_error(e: &ListError) -> Response<Body> {
    let what = e.to_string();
    match e {
        ListError::None { .. } => {
            error_with_hint(StatusCode::NOT_FOUND, &what, "create it with `topsell list create`, or PUT")
        }
        ListError::Name { .. } | ListError::Change { .. } => error(StatusCode::BAD_REQUEST, &what),
        ListError::Entry { .. } => error(StatusCode::UNPROCESSABLE_ENTITY, &what),
        ListError::Exists { .. } | ListError::OtherChange { .. } | ListError::OfRanking { .. } => {
            error(StatusCode::CONFLICT, &what)
        }
        ListError::Damaged { .. } | ListError::Newer { .. } => {
            error(StatusCode::INTERNAL_SERVER_ERROR, &what)
        }
        ListError::NotDurable { .. } | ListError::Store(_) | ListError::Lock(_) => unavailable(&what),
    }
}
