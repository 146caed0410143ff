//! `/v1/count`: what `topsell count` prints as JSON, with the events that are not in the lake yet.

use std::collections::HashSet;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::IF_NONE_MATCH;
use axum::http::{HeaderMap, Method, Response, StatusCode};
use bytes::Bytes;

use crate::http::answers::{error, tagged};
use crate::http::lake_answers::{from_lake, json};
use crate::http::parameters::ParameterKind::{Flag, Number, Text, Texts};
use crate::http::parameters::{Parameter, Parameters};
use crate::http::state::State;
use crate::live::Recent;
use topsell_core::counts::{By, ByHour};
use topsell_output::answers::{CountOptions, CountQuestion, Statistic, TimeRangeOptions};

/// The parameters, which are the options of `topsell count`.
pub const COUNT_PARAMETERS: &[Parameter] = &[
    Parameter::new("item", Texts, "An item; once for each; without any, all items are counted together"),
    Parameter::new(
        "last",
        Text,
        "The last hours or minutes, including the current one: 24h, 7d, 10min; without from",
    ),
    Parameter::new("from", Text, "Start of the time range"),
    Parameter::new("to", Text, "End of the time range, exclusive"),
    Parameter::new("at", Text, "The moment to take for now"),
    Parameter::new("exact_times", Flag, "Count to the microsecond, instead of whole hours or minutes"),
    Parameter::new("by", Text, "hour, day or weekday"),
    Parameter::new("tz", Text, "Time zone for day boundaries"),
    Parameter::new("event_type", Texts, "Event types to include"),
    Parameter::new("subtract", Texts, "Event types whose units and amounts are subtracted"),
    Parameter::new("category", Text, "Only what was sold in this category or below it"),
    Parameter::new("top", Number, "Without items, also the items that sold most units, so many"),
    Parameter::new("stat", Texts, "Only these statistics of the quantities: count, sum, mean"),
];

/// Answers the request; the body of a POST has an item on each line.
pub async fn count(
    state: Arc<State>,
    method: Method,
    query: Option<String>,
    mut headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    if method == Method::POST {
        // Only what is read is cached.
        headers.remove(IF_NONE_MATCH);
    }
    let question = options_of(&state, query.as_deref(), &body, method == Method::POST);
    let question =
        question.and_then(|options| CountQuestion::of(options, (state.clock)()).map_err(|e| e.to_string()));
    let question = match question {
        Ok(question) if question.rows() > state.limits.rows => {
            let (rows, max) = (question.rows(), state.limits.rows);
            return error(StatusCode::BAD_REQUEST, &format!("{rows} numbers in one answer; at most {max}"));
        }
        Ok(question) => question,
        Err(what) => return error(StatusCode::BAD_REQUEST, &what),
    };
    // In memory it takes microseconds, less than to pass it on.
    if let Some(found) = state.live.get().and_then(|live| from_memory(&live.recent, &question)) {
        return match question.answer_of(&found, json) {
            Ok(body) => tagged(&headers, body, "no-cache", &[]),
            Err(e) => error(StatusCode::INTERNAL_SERVER_ERROR, &e.to_string()),
        };
    }
    from_lake(state, &headers, &[], move |store, uncommitted| {
        Ok(question.answer(store, uncommitted, |mut answer| {
            answer.notes.clear();
            json(answer)
        })?)
    })
    .await
}

/// Returns what each item has sold, once for an item that is asked for twice; none where only the lake tells.
fn from_memory<'a>(recent: &Recent, question: &'a CountQuestion) -> Option<Vec<(&'a str, ByHour)>> {
    let query = question.query();
    if query.category.is_some() || question.is_of_all() {
        return None;
    }
    let mut seen = HashSet::new();
    let items: Vec<&str> =
        question.items.iter().map(String::as_str).filter(|item| seen.insert(*item)).collect();
    let found = match question.has_whole_hours() {
        true => recent.by_hour((query.event_types, &query.hours, &items))?,
        false => recent.by_minutes(query.event_types, question.times(), &items)?,
    };
    Some(items.into_iter().zip(found).collect())
}

fn options_of(
    state: &State,
    query: Option<&str>,
    body: &[u8],
    is_post: bool,
) -> Result<CountOptions, String> {
    let parameters = Parameters::of(query, COUNT_PARAMETERS)?;
    let mut items = parameters.all("item");
    if is_post {
        let text = str::from_utf8(body).map_err(|_| "the body is not UTF-8".to_owned())?;
        let lines = text.lines().filter(|line| !line.is_empty());
        items.extend(lines.take(state.limits.items + 1).map(str::to_owned));
    }
    let top = parameters
        .one("top")?
        .map(|text| text.parse::<usize>().map_err(|_| format!("top=`{text}` is not a number of items")));
    if top.is_some() && (is_post || !items.is_empty()) {
        return Err("top and items cannot be used together".to_owned());
    }
    let max = state.limits.items;
    if items.len() > max {
        return Err(format!("too many items in one request; at most {max}"));
    }
    Ok(CountOptions {
        all: items.is_empty() && !is_post,
        items,
        range: range_of(state, &parameters)?,
        exact_times: parameters.flag("exact_times")?,
        statistics: statistics_of(&parameters)?,
        by: parameters.one("by")?.map(|name| by(&name)).transpose()?,
        event_types: event_types_of(state, &parameters),
        subtract: subtract_of(state, &parameters),
        category: parameters.one("category")?,
        top: top.transpose()?,
    })
}

/// Returns the time range that parameters ask for.
pub(super) fn range_of(state: &State, parameters: &Parameters) -> Result<TimeRangeOptions, String> {
    Ok(TimeRangeOptions {
        prefix: "",
        last: parameters.one("last")?,
        from: parameters.one("from")?,
        to: parameters.one("to")?,
        at: parameters.one("at")?,
        zone: parameters.one("tz")?.unwrap_or_else(|| state.counts.zone.clone()),
    })
}

/// Returns the event types that are counted.
pub(super) fn event_types_of(state: &State, parameters: &Parameters) -> Vec<String> {
    Some(parameters.all("event_type"))
        .filter(|of| !of.is_empty())
        .unwrap_or_else(|| state.counts.event_types.clone())
}

/// Returns the event types that are subtracted.
pub(super) fn subtract_of(state: &State, parameters: &Parameters) -> Vec<String> {
    let given = parameters.all("subtract");
    let given = given.iter().flat_map(|types| types.split(',')).map(str::to_owned).collect();
    Some(given).filter(|of: &Vec<String>| !of.is_empty()).unwrap_or_else(|| state.counts.subtract.clone())
}

/// Returns the statistics that are shown alone.
fn statistics_of(parameters: &Parameters) -> Result<Vec<Statistic>, String> {
    let given = parameters.all("stat");
    let statistic = |name: &str| {
        let bad = || format!("stat=`{name}` is not count, sum or mean");
        Statistic::named(name).ok_or_else(bad)
    };
    given.iter().flat_map(|names| names.split(',')).map(statistic).collect()
}

fn by(name: &str) -> Result<By, String> {
    let all = [By::Hour, By::Day, By::Weekday];
    let found = all.into_iter().find(|by| by.name() == name);
    found.ok_or_else(|| format!("by=`{name}` is not hour, day or weekday"))
}
