//! `/v1/openapi.json`: the interface in the form of OpenAPI 3.1.
//!
//! The format is that of <https://spec.openapis.org/oas/v3.1.0>. A test calls every path with every parameter.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::http::answers;
use crate::http::count::COUNT_PARAMETERS;
use crate::http::events::MEDIA_TYPES;
use crate::http::parameters::{Parameter, ParameterKind};
use crate::http::show::SHOW_PARAMETERS;
use crate::http::top::TOP_PARAMETERS;
use crate::http::versioned_lists::LIST_PARAMETERS;
use topsell_lists::PREFIX_MEDIA_TYPE;

/// Answers the request.
pub fn openapi() -> Response<Body> {
    answers::json(StatusCode::OK, &document())
}

fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": { "title": "topsell", "version": env!("CARGO_PKG_VERSION") },
        "components": { "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } } },
        "paths": {
            "/": { "get": get("A page that shows the shop live", &of_html()) },
            "/v1/events": { "post": post_events() },
            "/v1/count": { "get": count(None), "post": count(Some("An item on each line")) },
            "/v1/show": { "get": show() },
            "/v1/top": { "get": top() },
            "/v1/lists": { "get": get("The versioned lists that there are", &of_json("Their newest versions")) },
            "/v1/lists/{name}": { "get": list(), "post": post_list(), "put": put_list() },
            "/v1/status": { "get": get("What the server does", &of_json("Numbers since the start")) },
            "/v1/openapi.json": { "get": get("This document", &of_json("OpenAPI 3.1")) },
            "/metrics": { "get": get("Numbers for Prometheus", &of_text("The text format of Prometheus")) },
            "/healthz": { "get": get("Whether the process runs", &of_text("It does")) },
            "/readyz": { "get": get("Whether requests are answered; 503 if not", &of_text("They are")) },
        },
    })
}

fn post_events() -> Value {
    json!({
        "summary": "Take in events; 200 says that they are durable and counted",
        "security": security(),
        "requestBody": { "required": true, "content": bodies() },
        "responses": {
            "200": of_json("What became of the lines"),
            "422": of_json("None was accepted; what became of the lines, or why they cannot be read"),
            "503": of_json("Nothing was accepted; try again after Retry-After seconds"),
            "default": error(),
        },
    })
}

fn count(body: Option<&str>) -> Value {
    let mut operation = json!({
        "summary": "Count items",
        "security": security(),
        "parameters": parameters(COUNT_PARAMETERS),
        "responses": {
            "200": of_json("The counts, as `topsell count --json` prints them"),
            "default": error(),
        },
    });
    if let Some(body) = body {
        operation["requestBody"] = of_text(body);
    }
    operation
}

fn show() -> Value {
    json!({
        "summary": "Show the published ranking",
        "security": security(),
        "parameters": parameters(SHOW_PARAMETERS),
        "responses": {
            "200": of_json("What `topsell show --json` prints"),
            "304": { "description": "It is the answer that If-None-Match names" },
            "default": error(),
        },
    })
}

fn top() -> Value {
    json!({
        "summary": "List what sold most in some hours or minutes, the last of them still filling, or between two moments",
        "security": security(),
        "parameters": parameters(TOP_PARAMETERS),
        "responses": {
            "200": {
                "description": "What `topsell top --json` prints; with stream, an event for each change of it",
                "content": { "application/json": {}, "text/event-stream": {} },
            },
            "304": { "description": "It is the answer that If-None-Match names" },
            "503": of_json("Too many requests or streams; try again after Retry-After seconds"),
            "default": error(),
        },
    })
}

fn list() -> Value {
    json!({
        "summary": "What leads from the version of a list that a client holds to the newest; NAME.txt and NAME.hosts are the whole list as text",
        "security": security(),
        "parameters": parameters(LIST_PARAMETERS),
        "responses": {
            "200": {
                "description": "What has changed, or the whole list",
                "content": { "application/json": {}, (PREFIX_MEDIA_TYPE): {}, "text/plain": {} },
            },
            "304": { "description": "Of the text: it is the one that If-None-Match names" },
            "404": of_json("There is no such list"),
            "default": error(),
        },
    })
}

fn post_list() -> Value {
    json!({
        "summary": "Change a list; 200 says that the change is durable",
        "security": security(),
        "requestBody": { "required": true, "content": { "application/json": {} } },
        "responses": {
            "200": of_json("What the change did, and the version that has it"),
            "409": of_json("The id is that of another change, or the list is that of a ranking"),
            "422": of_json("An entry is none of the kind of the list"),
            "default": error(),
        },
    })
}

fn put_list() -> Value {
    json!({
        "summary": "Create a list",
        "security": security(),
        "requestBody": { "required": true, "content": { "application/json": {} } },
        "responses": {
            "201": of_json("It was created"),
            "409": of_json("There is one of that name"),
            "default": error(),
        },
    })
}

fn get(summary: &str, answer: &Value) -> Value {
    json!({ "summary": summary, "responses": { "200": answer, "default": error() } })
}

/// With tokens, or without where the server has none.
fn security() -> Value {
    json!([{ "bearer": [] }, {}])
}

fn parameters(of: &[Parameter]) -> Value {
    let parameter = |of: &Parameter| {
        let schema = match of.kind {
            ParameterKind::Text => json!({ "type": "string" }),
            ParameterKind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
            ParameterKind::Number => json!({ "type": "integer", "minimum": 0 }),
            ParameterKind::Flag => json!({ "type": "boolean" }),
        };
        json!({ "name": of.name, "in": "query", "description": of.about, "schema": schema })
    };
    Value::Array(of.iter().map(parameter).collect())
}

fn bodies() -> Value {
    let bodies = MEDIA_TYPES.iter().map(|media_type| ((*media_type).to_owned(), json!({})));
    Value::Object(bodies.collect::<Map<String, Value>>())
}

fn of_json(description: &str) -> Value {
    json!({ "description": description, "content": { "application/json": {} } })
}

fn of_text(description: &str) -> Value {
    json!({ "description": description, "content": { "text/plain": {} } })
}

fn of_html() -> Value {
    json!({ "description": "The page", "content": { "text/html": {} } })
}

fn error() -> Value {
    of_json("What is wrong, and what to do")
}
