//! Which handler answers which path, after the checks that all requests share: token, size and time of the body.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State as Shared};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, Response, StatusCode};
use axum::routing::{any, get, post};
use bytes::Bytes;
use http_body_util::BodyExt;

use crate::config::Access;
use crate::http::answers::{error, error_with_hint, unavailable};
use crate::http::body_room::HeldRoom;
use crate::http::count::count;
use crate::http::events::receive_events;
use crate::http::metrics::metrics;
use crate::http::openapi::openapi;
use crate::http::page::page;
use crate::http::show::show;
use crate::http::state::State;
use crate::http::status::{health, ready, status};
use crate::http::top::top;
use crate::http::trace::Traced;
use crate::http::versioned_lists::{all_lists, change_list, create_list, read_list};
use crate::http::write_timeout::WritesWait;

/// How many times the limit of a body is read before the connection is given up.
const DRAINED: usize = 8;

/// Returns the router of all paths.
pub fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/", get(async || page()))
        .route("/healthz", get(async || health()))
        .route("/readyz", get(async |Shared(state): Shared<Arc<State>>| ready(&state)))
        .route(
            "/metrics",
            get(async |Shared(state): Shared<Arc<State>>, request: Request| {
                permitted(&state, Access::Read, &request)
                    .map_or_else(|refused| *refused, |()| metrics(&state))
            }),
        )
        .route(
            "/v1/status",
            get(async |Shared(state): Shared<Arc<State>>, request: Request| {
                permitted(&state, Access::Read, &request).map_or_else(|refused| *refused, |()| status(&state))
            }),
        )
        .route("/v1/openapi.json", get(async || openapi()))
        .route("/v1/events", post(post_events))
        .route("/v1/count", get(any_count).post(any_count))
        .route("/v1/show", get(get_show))
        .route("/v1/top", get(get_top))
        .route("/v1/lists", get(get_lists))
        .route("/v1/lists/{*name}", get(get_list).post(post_list).put(put_list))
        .fallback(any(async || error(StatusCode::NOT_FOUND, "there is no such path")))
        .method_not_allowed_fallback(async || {
            error(StatusCode::METHOD_NOT_ALLOWED, "the path has no such method")
        })
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&state), counted))
        .with_state(state)
}

pub async fn counted(
    Shared(state): Shared<Arc<State>>,
    request: Request,
    next: axum::middleware::Next,
) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let traced = Traced::of(&state, &request);
    let mut response = next.run(request).await;
    state.requests.add(&path, response.status());
    if let Some(traced) = traced {
        traced.end(&state, &mut response);
    }
    response
}

async fn post_events(Shared(state): Shared<Arc<State>>, request: Request) -> Response<Body> {
    let headers = request.headers().clone();
    match permitted_body(&state, request).await {
        Ok((body, _room)) => receive_events(state, headers, body).await,
        Err(refused) => refused,
    }
}

async fn any_count(Shared(state): Shared<Arc<State>>, request: Request) -> Response<Body> {
    if let Err(refused) = permitted(&state, Access::Read, &request) {
        return *refused;
    }
    let (method, headers) = (request.method().clone(), request.headers().clone());
    let query = request.uri().query().map(str::to_owned);
    let body = match method {
        Method::POST => body_of(&state, request).await,
        _ => Ok((Bytes::new(), state.body_room.hold())),
    };
    match body {
        Ok((body, _room)) => count(state, method, query, headers, body).await,
        Err(refused) => refused,
    }
}

async fn get_show(Shared(state): Shared<Arc<State>>, request: Request) -> Response<Body> {
    if let Err(refused) = permitted(&state, Access::Read, &request) {
        return *refused;
    }
    let (query, headers) = (request.uri().query().map(str::to_owned), request.headers().clone());
    show(state, query, headers).await
}

async fn get_top(Shared(state): Shared<Arc<State>>, request: Request) -> Response<Body> {
    if let Err(refused) = permitted(&state, Access::Read, &request) {
        return *refused;
    }
    let (query, headers) = (request.uri().query().map(str::to_owned), request.headers().clone());
    let writes_wait = request.extensions().get::<WritesWait>().cloned();
    top(state, query, headers, writes_wait).await
}

async fn get_lists(Shared(state): Shared<Arc<State>>, request: Request) -> Response<Body> {
    permitted(&state, Access::Read, &request).map_or_else(|refused| *refused, |()| all_lists(&state))
}

async fn get_list(
    Shared(state): Shared<Arc<State>>,
    Path(name): Path<String>,
    request: Request,
) -> Response<Body> {
    if let Err(refused) = permitted(&state, Access::Read, &request) {
        return *refused;
    }
    let (query, headers) = (request.uri().query().map(str::to_owned), request.headers().clone());
    read_list(state, name, query, headers).await
}

async fn post_list(
    Shared(state): Shared<Arc<State>>,
    Path(name): Path<String>,
    request: Request,
) -> Response<Body> {
    match permitted_body(&state, request).await {
        Ok((body, _room)) => change_list(state, name, body).await,
        Err(refused) => refused,
    }
}

async fn put_list(
    Shared(state): Shared<Arc<State>>,
    Path(name): Path<String>,
    request: Request,
) -> Response<Body> {
    match permitted_body(&state, request).await {
        Ok((body, _room)) => create_list(state, name, body).await,
        Err(refused) => refused,
    }
}

/// Checks the token of a request.
pub fn permitted(state: &State, access: Access, request: &Request) -> Result<(), Box<Response<Body>>> {
    let Some(tokens) = &state.tokens else { return Ok(()) };
    let authorization = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if tokens.permit(access, authorization) {
        return Ok(());
    }
    let mut response = error(StatusCode::UNAUTHORIZED, "the request has no token that permits it");
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    Err(Box::new(response))
}

/// Reads the body of a request, if its token permits writes.
pub async fn permitted_body(state: &State, request: Request) -> Result<(Bytes, HeldRoom), Response<Body>> {
    permitted(state, Access::Write, &request).map_err(|refused| *refused)?;
    body_of(state, request).await
}

/// Reads the body of a request, which must not be too large or too slow.
async fn body_of(state: &State, request: Request) -> Result<(Bytes, HeldRoom), Response<Body>> {
    let limits = &state.limits;
    let mut room = state.body_room.hold();
    let body = read(request.into_body(), limits.body_bytes, &mut room);
    match tokio::time::timeout(limits.body_time, body).await {
        Ok(Ok(Some(body))) => Ok((body, room)),
        Ok(Err(ReadError::NoRoom)) => Err(unavailable("the bodies of all requests are too large together")),
        Ok(Ok(None)) => {
            let what = format!("the body is larger than {} bytes", limits.body_bytes);
            Err(error_with_hint(StatusCode::PAYLOAD_TOO_LARGE, &what, "send it in parts"))
        }
        Ok(Err(ReadError::Broken)) => Err(error(StatusCode::BAD_REQUEST, "the body ended early")),
        Err(_) => Err(error(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time")),
    }
}

/// Why a body was not read.
enum ReadError {
    Broken,
    NoRoom,
}

/// Reads a body; none where it is too large. What is too much is read, too, up to a multiple of the limit: a connection
/// that is closed with unread bytes may lose the answer.
async fn read(mut body: Body, max_bytes: usize, room: &mut HeldRoom) -> Result<Option<Bytes>, ReadError> {
    let (mut bytes, mut size_bytes) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| ReadError::Broken)?.into_data() else { continue };
        size_bytes += data.len();
        if size_bytes <= max_bytes {
            if !room.grow(data.len()) {
                return Err(ReadError::NoRoom);
            }
            bytes.extend_from_slice(&data);
        } else if size_bytes > DRAINED * max_bytes {
            break;
        }
    }
    Ok((size_bytes <= max_bytes).then(|| bytes.into()))
}
