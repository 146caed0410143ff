//! The paths of a server that follows another one: rankings and lists from memory, and writes that are passed on.
//!
//! Invariant: each answer says in its headers of when it is, when the other server was last asked, and whether it is stale.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State as Shared};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use axum::routing::{any, get};
use serde::Serialize;

use crate::config::Access;
use crate::edge::{Forwarded, Freshness, Mirror, Mirrors, forward};
use crate::http::answers::{error, error_with_hint, json, not_done, respond, tagged, unavailable};
use crate::http::openapi::openapi;
use crate::http::parameters::Parameters;
use crate::http::router::{counted, permitted, permitted_body};
use crate::http::show::{CACHE_CONTROL, SHOW_PARAMETERS};
use crate::http::state::State;
use crate::http::status::health;
use crate::http::versioned_lists::{all_lists, read_list};
use topsell_core::model::check_path;
use topsell_core::rankings::RankingName;
use topsell_lists::{ListName, time_text};

/// The key of the whole shop in a ranking.
const WHOLE_SHOP: &str = "/";
const CATEGORY: &str = "category";
const NAME: &str = "name";
/// Ends of the paths of other forms of a list.
const FORMS: [&str; 2] = [".txt", ".hosts"];
const TEXT: &str = "text/plain; charset=utf-8";

/// What the handlers share.
#[derive(Clone)]
struct Edge {
    state: Arc<State>,
    mirrors: Arc<Mirrors>,
}

#[derive(Serialize)]
struct Status {
    schema: u32,
    ready: bool,
    upstreams: usize,
    lists: Vec<ListStatus>,
}

#[derive(Serialize)]
struct ListStatus {
    list: String,
    version: Option<String>,
    entries: u64,
    as_of: Option<String>,
    synced: Option<String>,
    stale: bool,
}

/// Returns the router of all paths of a server that follows another one.
pub fn edge_router(state: Arc<State>, mirrors: Arc<Mirrors>) -> Router {
    Router::new()
        .route("/healthz", get(async || health()))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/v1/status", get(status))
        .route("/v1/openapi.json", get(async || openapi()))
        .route("/v1/show", get(show))
        .route("/v1/lists", get(get_lists))
        .route("/v1/lists/{*name}", get(get_list).post(write_list).put(write_list))
        .fallback(any(async || {
            let hint =
                "a server with --upstream answers /v1/show and /v1/lists; ask the server that it follows";
            error_with_hint(StatusCode::NOT_FOUND, "there is no such path here", hint)
        }))
        .method_not_allowed_fallback(async || {
            error(StatusCode::METHOD_NOT_ALLOWED, "the path has no such method")
        })
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&state), counted))
        .with_state(Edge { state, mirrors })
}

async fn ready(Shared(edge): Shared<Edge>) -> Response<Body> {
    match edge.is_ready() {
        true => respond(StatusCode::OK, TEXT, "ok\n"),
        false => unavailable("no list is held yet, or the server is stopping"),
    }
}

async fn show(Shared(edge): Shared<Edge>, request: Request) -> Response<Body> {
    if let Err(refused) = permitted(&edge.state, Access::Read, &request) {
        return *refused;
    }
    let (name, key) = match asked_for(request.uri().query()) {
        Ok(asked_for) => asked_for,
        Err(refused) => return *refused,
    };
    let (mirror, freshness) = match edge.fresh(&name) {
        Ok(fresh) => fresh,
        Err(refused) => return *refused,
    };
    let headers = freshness.headers();
    match mirror.value(&key) {
        // As `show` ends its answer.
        Some(value) => tagged(request.headers(), format!("{value}\n"), CACHE_CONTROL, &headers),
        None => {
            let what = format!("the ranking has no category `{key}`");
            with_headers(error(StatusCode::NOT_FOUND, &what), &headers)
        }
    }
}

/// Returns the list of the ranking and the key of the category that are asked for; everything else is for the server that
/// is followed.
fn asked_for(query: Option<&str>) -> Result<(ListName, String), Box<Response<Body>>> {
    let bad = |what: String| Box::new(error(StatusCode::BAD_REQUEST, &what));
    let parameters = Parameters::of(query, SHOW_PARAMETERS).map_err(bad)?;
    let others = SHOW_PARAMETERS.iter().filter(|of| ![CATEGORY, NAME].contains(&of.name));
    if let Some(other) = others.into_iter().find(|of| !parameters.all(of.name).is_empty()) {
        let what = format!("`{}` is not answered here", other.name);
        let hint =
            "a server with --upstream has the best sellers of each category; ask the server that it follows";
        return Err(Box::new(error_with_hint(StatusCode::BAD_REQUEST, &what, hint)));
    }
    let category = parameters.one(CATEGORY).map_err(bad)?;
    let key = category.map(|text| check_path(&text).map_err(|e| bad(format!("category=`{text}` {e}"))));
    let name = parameters.one(NAME).map_err(bad)?;
    let name =
        name.map(|text| RankingName::parse(&text).map_err(|e| bad(format!("name {e}")))).transpose()?;
    let list = ListName::of_ranking(name.unwrap_or_default().as_str());
    let list = list.map_err(|e| bad(e.to_string()))?;
    Ok((list, key.transpose()?.unwrap_or_else(|| WHOLE_SHOP.to_owned())))
}

async fn get_lists(Shared(edge): Shared<Edge>, request: Request) -> Response<Body> {
    match permitted(&edge.state, Access::Read, &request) {
        Ok(()) => {
            let all = edge.mirrors.all();
            let oldest = all.iter().map(|mirror| edge.mirrors.freshness(mirror)).reduce(Freshness::older);
            let response = all_lists(&edge.state);
            match oldest {
                Some(oldest) => with_headers(response, &oldest.headers()),
                None => response,
            }
        }
        Err(refused) => *refused,
    }
}

async fn get_list(Shared(edge): Shared<Edge>, Path(path): Path<String>, request: Request) -> Response<Body> {
    if let Err(refused) = permitted(&edge.state, Access::Read, &request) {
        return *refused;
    }
    let plain = FORMS.iter().find_map(|form| path.strip_suffix(form)).unwrap_or(&path);
    let name = match ListName::parse(plain) {
        Ok(name) => name,
        Err(e) => return error(StatusCode::BAD_REQUEST, &e.to_string()),
    };
    if let Err(refused) = edge.fresh(&name) {
        return *refused;
    }
    let (query, headers) = (request.uri().query().map(str::to_owned), request.headers().clone());
    let response = read_list(Arc::clone(&edge.state), path, query, headers).await;
    // After it has waited for a version.
    match edge.fresh(&name) {
        Ok((_, freshness)) => with_headers(response, &freshness.headers()),
        Err(refused) => *refused,
    }
}

/// Passes a write on to the server that is followed.
async fn write_list(
    Shared(edge): Shared<Edge>,
    Path(path): Path<String>,
    request: Request,
) -> Response<Body> {
    let (method, is_creation) = match *request.method() {
        Method::PUT => ("PUT", true),
        _ => ("POST", false),
    };
    let (body, _room) = match permitted_body(&edge.state, request).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let name = match ListName::parse(&path) {
        Ok(name) => name,
        Err(e) => return error(StatusCode::BAD_REQUEST, &e.to_string()),
    };
    let mirrors = Arc::clone(&edge.mirrors);
    let sent = edge.state.receivers.run(move || forward(&mirrors.config, &name, method, &body)).await;
    match sent {
        Ok(Forwarded::Done(answer)) => {
            let status = if is_creation { StatusCode::CREATED } else { StatusCode::OK };
            respond(status, "application/json", answer)
        }
        Ok(Forwarded::Refused(status, text)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            respond(status, "application/json", format!("{text}\n"))
        }
        Ok(Forwarded::Unreachable(what)) => error(StatusCode::BAD_GATEWAY, &what),
        Err(why) => not_done(why),
    }
}

async fn status(Shared(edge): Shared<Edge>, request: Request) -> Response<Body> {
    if let Err(refused) = permitted(&edge.state, Access::Read, &request) {
        return *refused;
    }
    let lists = edge.mirrors.all().into_iter().map(|mirror| {
        let (freshness, held) = (edge.mirrors.freshness(&mirror), mirror.held());
        let text = |micros: i64| (micros != i64::MIN).then(|| time_text(micros));
        ListStatus {
            list: mirror.name.to_string(),
            version: held.version(),
            entries: held.lines().len(),
            as_of: text(freshness.as_of),
            synced: text(freshness.synced),
            stale: freshness.is_stale,
        }
    });
    let upstreams = edge.mirrors.config.upstreams.len();
    json(StatusCode::OK, &Status { schema: 1, ready: edge.is_ready(), upstreams, lists: lists.collect() })
}

async fn metrics(Shared(edge): Shared<Edge>, request: Request) -> Response<Body> {
    if let Err(refused) = permitted(&edge.state, Access::Read, &request) {
        return *refused;
    }
    let mut text = String::from(
        "# HELP topsell_edge_list_age_seconds How long ago a followed server was last asked for a list.\n\
         # TYPE topsell_edge_list_age_seconds gauge\n",
    );
    let now = edge.mirrors.now();
    for mirror in edge.mirrors.all().iter().filter(|mirror| mirror.has_version()) {
        let age = now.saturating_sub(edge.mirrors.freshness(mirror).synced).max(0) / 1_000_000;
        text.push_str(&format!("topsell_edge_list_age_seconds{{list=\"{}\"}} {age}\n", mirror.name));
    }
    respond(StatusCode::OK, TEXT, text)
}

impl Edge {
    fn is_ready(&self) -> bool {
        let is_stopping = self.state.is_stopping.load(std::sync::atomic::Ordering::Relaxed);
        !is_stopping && self.mirrors.all().iter().any(|mirror| mirror.has_version())
    }

    /// Returns a list that may be answered, and how old it is.
    fn fresh(&self, name: &ListName) -> Result<(Arc<Mirror>, Freshness), Box<Response<Body>>> {
        let Some(mirror) = self.mirrors.get(name) else {
            return Err(Box::new(match self.mirrors.all().is_empty() {
                true => unavailable("no list was fetched yet"),
                false => {
                    let what = format!("the server that is followed has no list {name}");
                    error(StatusCode::NOT_FOUND, &what)
                }
            }));
        };
        if !mirror.has_version() {
            return Err(Box::new(unavailable(&format!("the list {name} was not fetched yet"))));
        }
        let freshness = self.mirrors.freshness(&mirror);
        if self.mirrors.is_refused(freshness) {
            let what = format!("the list {name} is older than --max-stale allows");
            return Err(Box::new(with_headers(unavailable(&what), &freshness.headers())));
        }
        Ok((mirror, freshness))
    }
}

fn with_headers(mut response: Response<Body>, headers: &[(&'static str, String)]) -> Response<Body> {
    let into: &mut HeaderMap = response.headers_mut();
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            into.insert(HeaderName::from_static(name), value);
        }
    }
    response
}
