//! `/v1/top`: what `topsell top` prints as JSON, with the events that are not in the lake yet.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Response, StatusCode};

use crate::http::answers::error;
use crate::http::count::{event_types_of, range_of, subtract_of};
use crate::http::lake_answers::{from_lake, json};
use crate::http::parameters::ParameterKind::{Number, Text, Texts};
use crate::http::parameters::{Parameter, Parameters};
use crate::http::state::State;
use topsell_output::answers::{TopOptions, TopQuestion};

/// The parameters, which are the options of `topsell top`.
pub const TOP_PARAMETERS: &[Parameter] = &[
    Parameter::new("last", Text, "The last hours, including the current one: 24h, 7d; without from"),
    Parameter::new("from", Text, "Start of the time range"),
    Parameter::new("to", Text, "End of the time range, exclusive"),
    Parameter::new("at", Text, "The moment to take for now"),
    Parameter::new("category", Text, "Only what was sold in this category or below it"),
    Parameter::new("limit", Number, "How many items at most"),
    Parameter::new("measure", Text, "What items are ordered by: units, purchases or amount"),
    Parameter::new("tz", Text, "Time zone for day boundaries"),
    Parameter::new("event_type", Texts, "Event types to include"),
    Parameter::new("subtract", Texts, "Event types whose units and amounts are subtracted"),
];

/// The most hours of a list: all their aggregates are read while others wait.
const MAX_HOURS: u32 = 35 * 24;
/// The header with the moment at which a list was made.
const COMPUTED_AT: &str = "topsell-computed-at";

/// Answers the request.
pub async fn top(state: Arc<State>, query: Option<String>, headers: HeaderMap) -> Response<Body> {
    let now = (state.clock)();
    let question = options_of(&state, query.as_deref());
    let question =
        question.and_then(|options| TopQuestion::of(options, now).map_err(|error| error.to_string()));
    let question = match question {
        Ok(question) if question.limit() as u64 > state.limits.rows => {
            let (rows, max) = (question.limit(), state.limits.rows);
            return error(StatusCode::BAD_REQUEST, &format!("{rows} items in one answer; at most {max}"));
        }
        Ok(question) if question.hours() > MAX_HOURS => {
            let hours = question.hours();
            let what =
                format!("{hours} hours in one list; at most {MAX_HOURS}, `topsell top` lists longer ones");
            return error(StatusCode::BAD_REQUEST, &what);
        }
        Ok(question) => question,
        Err(what) => return error(StatusCode::BAD_REQUEST, &what),
    };
    let headers_of_answer = [(COMPUTED_AT, now.to_string())];
    let read = move |store: &_, uncommitted: &[_]| question.answer(store, uncommitted, json);
    from_lake(state, &headers, &headers_of_answer, read).await
}

fn options_of(state: &State, query: Option<&str>) -> Result<TopOptions, String> {
    let parameters = Parameters::of(query, TOP_PARAMETERS)?;
    let limit = parameters.one("limit")?;
    let limit = limit.map(|text| text.parse().map_err(|_| format!("limit=`{text}` is not a number")));
    Ok(TopOptions {
        range: range_of(state, &parameters)?,
        event_types: event_types_of(state, &parameters),
        subtract: subtract_of(state, &parameters),
        category: parameters.one("category")?,
        measure: parameters.one("measure")?,
        limit: limit.transpose()?,
    })
}
