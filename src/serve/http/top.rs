//! `/v1/top`: what `topsell top` prints as JSON, with the events that are not in the lake yet, once or as a stream.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Response, StatusCode};

use crate::http::answers::{error, tagged};
use crate::http::count::{event_types_of, range_of, subtract_of};
use crate::http::follow::follow;
use crate::http::lists::list;
use crate::http::parameters::ParameterKind::{Flag, Number, Text, Texts};
use crate::http::parameters::{Parameter, Parameters};
use crate::http::state::State;
use crate::http::write_timeout::WritesWait;
use topsell_output::answers::{DecayOptions, RISING_MIN, TopKind, TopOptions, TopQuestion};

/// The parameters, which are the options of `topsell top`.
pub const TOP_PARAMETERS: &[Parameter] = &[
    Parameter::new(
        "last",
        Text,
        "The last hours or minutes, including the current one: 24h, 7d, 10min; without from",
    ),
    Parameter::new("from", Text, "Start of the time range"),
    Parameter::new("to", Text, "End of the time range, exclusive"),
    Parameter::new("at", Text, "The moment to take for now"),
    Parameter::new("exact_times", Flag, "Count to the microsecond, instead of whole hours or minutes"),
    Parameter::new("category", Text, "Only what was sold in this category or below it"),
    Parameter::new("limit", Number, "How many items at most"),
    Parameter::new("measure", Text, "What items are ordered by: units, purchases or amount"),
    Parameter::new("rising", Flag, "Order by how much more was sold than in the time before"),
    Parameter::new("min", Number, "With rising, leave out items with less of the measure"),
    Parameter::new(
        "decay",
        Text,
        "Order by score, as a ranking does: a rate per hour, or empty for half_life",
    ),
    Parameter::new("half_life", Text, "With decay, the age at which an event has half the weight"),
    Parameter::new("window", Text, "With decay, the length of the time window"),
    Parameter::new("min_items", Number, "With decay, extend the window where fewer items are eligible"),
    Parameter::new("max_lookback", Text, "With decay, the maximum length of an extended window"),
    Parameter::new("tz", Text, "Time zone for day boundaries"),
    Parameter::new("event_type", Texts, "Event types to include"),
    Parameter::new("subtract", Texts, "Event types whose units and amounts are subtracted"),
    Parameter::new("stream", Flag, "Each change of the list as a server-sent event"),
];

/// The most hours of a list: all their aggregates are read while others wait.
const MAX_HOURS: u32 = 35 * 24;
/// The most hours to which the window of a category with few items is extended.
const MAX_LONGEST_HOURS: u32 = 366 * 24;
/// The header with the moment at which a list was computed.
const COMPUTED_AT: &str = "topsell-computed-at";

/// Answers the request.
pub async fn top(
    state: Arc<State>,
    query: Option<String>,
    headers: HeaderMap,
    writes_wait: Option<WritesWait>,
) -> Response<Body> {
    let asked = options_of(&state, query.as_deref()).and_then(|(options, is_stream)| {
        let question =
            TopQuestion::of(options.clone(), (state.clock)()).map_err(|error| error.to_string())?;
        check(&state, &question)?;
        Ok((options, question, is_stream))
    });
    match asked {
        Err(what) => error(StatusCode::BAD_REQUEST, &what),
        Ok((options, question, true)) => match writes_wait {
            Some(writes_wait) => follow(state, options, &question, &headers, writes_wait).await,
            None => error(StatusCode::BAD_REQUEST, "the connection cannot have a stream"),
        },
        Ok((_, question, false)) => match list(&state, &question).await {
            Ok(list) => {
                let more = [(COMPUTED_AT, list.computed_at.to_string())];
                tagged(&headers, list.body.clone(), "no-cache", &more)
            }
            Err(refused) => *refused,
        },
    }
}

/// Refuses a question that would keep others waiting.
fn check(state: &State, question: &TopQuestion) -> Result<(), String> {
    let (limit, max) = (question.limit(), state.limits.rows);
    if limit as u64 > max {
        return Err(format!("{limit} items in one answer; at most {max}"));
    }
    let hours = question.hours();
    if hours > MAX_HOURS {
        return Err(format!(
            "{hours} hours in one list; at most {MAX_HOURS}, `topsell top` lists longer ones"
        ));
    }
    match question.longest_hours() {
        ..=MAX_LONGEST_HOURS => Ok(()),
        hours => {
            Err(format!("a window is extended to {MAX_LONGEST_HOURS} hours at most, and not to {hours}"))
        }
    }
}

/// Returns what is asked for, and whether as a stream.
fn options_of(state: &State, query: Option<&str>) -> Result<(TopOptions, bool), String> {
    let parameters = Parameters::of(query, TOP_PARAMETERS)?;
    let options = TopOptions {
        range: range_of(state, &parameters)?,
        exact_times: parameters.flag("exact_times")?,
        event_types: event_types_of(state, &parameters),
        subtract: subtract_of(state, &parameters),
        category: parameters.one("category")?,
        measure: parameters.one("measure")?,
        limit: number(&parameters, "limit")?,
        kind: kind_of(state, &parameters)?,
    };
    let is_stream = parameters.flag("stream")?;
    if is_stream && options.exact_times {
        // Up to now, it would be another list at each moment.
        return Err("stream and exact_times cannot be used together".to_owned());
    }
    Ok((options, is_stream))
}

fn kind_of(state: &State, parameters: &Parameters) -> Result<TopKind, String> {
    let (is_rising, min) = (parameters.flag("rising")?, number(parameters, "min")?);
    let decay = decay_of(parameters)?;
    let defaults = &state.counts.decay;
    let (half_life, window) = (parameters.one("half_life")?, parameters.one("window")?);
    let (min_items, max_lookback) = (number(parameters, "min_items")?, parameters.one("max_lookback")?);
    let of_decay = [half_life.is_some(), window.is_some(), min_items.is_some(), max_lookback.is_some()];
    match (is_rising, decay) {
        (true, Some(_)) => Err("rising and decay cannot be used together".to_owned()),
        (_, None) if of_decay.contains(&true) => {
            Err("half_life, window, min_items and max_lookback need decay".to_owned())
        }
        (false, _) if min.is_some() => Err("min needs rising".to_owned()),
        (true, None) => Ok(TopKind::Rising { min: min.unwrap_or(RISING_MIN) }),
        (false, None) => Ok(TopKind::Sum),
        (false, Some(rate)) => Ok(TopKind::Decayed(DecayOptions {
            window: window.unwrap_or_else(|| defaults.window.clone()),
            half_life: half_life.unwrap_or_else(|| defaults.half_life.clone()),
            rate,
            min_items: min_items.unwrap_or(defaults.min_items),
            max_lookback: max_lookback.unwrap_or_else(|| defaults.max_lookback.clone()),
        })),
    }
}

/// Returns whether a list by score is asked for, and by which rate.
fn decay_of(parameters: &Parameters) -> Result<Option<Option<f64>>, String> {
    match parameters.one("decay")?.as_deref() {
        None | Some("false") => Ok(None),
        Some("" | "true") => Ok(Some(None)),
        Some(text) => match text.parse::<f64>() {
            Ok(rate) => Ok(Some(Some(rate))),
            Err(_) => Err(format!("decay=`{text}` is not a number")),
        },
    }
}

fn number<T: std::str::FromStr>(parameters: &Parameters, name: &str) -> Result<Option<T>, String> {
    let number = parameters.one(name)?;
    let number = number.map(|text| text.parse().map_err(|_| format!("{name}=`{text}` is not a number")));
    number.transpose()
}
