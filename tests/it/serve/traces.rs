//! Requests in traces, and the log that has them.

use crate::processes::wait_until;
use crate::serve::server::{Server, said};
use crate::world::World;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn traceparent() -> String {
    format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n")
}

/// Returns the trace id and the span id of an answer.
fn trace_of(answer: &crate::serve::server::Answer) -> Option<(String, String)> {
    let value = answer.header("traceresponse")?;
    let parts: Vec<&str> = value.split('-').collect();
    let [version, trace, span, flags] = parts[..] else { panic!("{value} has four parts") };
    assert_eq!((version, trace.len(), span.len(), flags), ("00", 32, 16, "01"), "{value}");
    Some((trace.to_owned(), span.to_owned()))
}

#[test]
fn an_answer_continues_the_trace_of_its_request() {
    let world = World::new();
    let server = Server::start(&world, &[]);
    assert_eq!(trace_of(&server.get("/v1/count?item=a")), None, "nobody asked for it");
    for target in ["/v1/count?item=a", "/healthz", "/nothing"] {
        let (trace, span) = trace_of(&server.get_with(target, &traceparent())).expect("it has a trace");
        assert!(trace == TRACE && span != PARENT, "{target}: {trace} {span}");
    }
    // What is malformed is ignored, and so are several.
    let malformed = format!("traceparent: 00-{TRACE}-{PARENT}\r\n");
    for headers in [malformed, traceparent() + &traceparent()] {
        let answer = server.get_with("/healthz", &headers);
        let (trace, _) = trace_of(&answer).expect("it has a trace");
        assert!(answer.status == 200 && trace != TRACE, "{headers}: {trace}");
    }
}

/// Returns the requests that a world's server has logged.
fn requests(world: &World) -> Vec<serde_json::Value> {
    let said = said(world);
    let lines = said.lines().map(|line| serde_json::from_str(line).expect("each line is JSON"));
    lines.filter(|line: &serde_json::Value| line["message"] == "request").collect()
}

#[test]
fn requests_are_logged_with_their_traces_where_that_is_asked_for() {
    let world = World::new();
    let mut server = Server::start(&world, &["--access-log", "all", "--log-format", "json"]);
    let first = trace_of(&server.get_with("/v1/count?item=a%0Ab", &traceparent())).expect("it has a trace");
    let second = trace_of(&server.get("/nothing")).expect("it has one, since it is logged");
    let logged = |target: &str| requests(&world).into_iter().find(|request| request["target"] == target);
    wait_until("both are logged", || {
        logged("/nothing").is_some() && logged("/v1/count?item=a%0Ab").is_some()
    });
    let request = logged("/v1/count?item=a%0Ab").expect("it is there");
    assert_eq!(
        (request["trace_id"].as_str(), request["span_id"].as_str()),
        (Some(TRACE), Some(first.1.as_str()))
    );
    assert_eq!(request["parent_span_id"], PARENT);
    assert_eq!((&request["method"], &request["status"]), (&"GET".into(), &200.into()));
    assert!(request["client"].as_str().is_some_and(|client| client.starts_with("127.0.0.1:")), "{request}");
    assert!(request["duration_seconds"].as_f64().is_some_and(|seconds| seconds >= 0.0), "{request}");
    let request = logged("/nothing").expect("it is there");
    assert_eq!((&request["trace_id"], &request["status"]), (&second.0.as_str().into(), &404.into()));
    assert_eq!(request.get("parent_span_id"), None);
    assert!(server.stop().success(), "{}", said(&world));
}

#[test]
fn only_errors_are_logged_where_that_is_asked_for() {
    let world = World::new();
    let mut server = Server::start(&world, &["--access-log", "errors"]);
    assert_eq!((server.get("/healthz").status, server.get("/nothing").status), (200, 404));
    assert!(server.stop().success(), "{}", said(&world));
    let said = said(&world);
    assert!(said.contains(" GET /nothing 404 ") && !said.contains("/healthz"), "{said}");
    assert!(said.lines().all(|line| !line.starts_with('{')), "{said}");
}
