//! `/v1/show`: what `topsell show` prints as JSON.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Response, StatusCode};

use crate::http::answers::{error, error_with_hint, not_done, tagged, unavailable};
use crate::http::parameters::ParameterKind::{Flag, Number, Text, Texts};
use crate::http::parameters::{Parameter, Parameters};
use crate::http::state::State;
use topsell_core::rankings::SnapshotError;
use topsell_output::formats::Format;
use topsell_output::show::{self, Question, ShowError, ShowOptions, Sources};
use topsell_output::terminal::TerminalOptions;

/// The parameters, which are the options of `topsell show`.
pub const SHOW_PARAMETERS: &[Parameter] = &[
    Parameter::new("category", Text, "Category path; the whole shop without it"),
    Parameter::new("limit", Number, "Maximum number of rows"),
    Parameter::new("at", Text, "The newest ranking as of this time or earlier"),
    Parameter::new("name", Text, "The name under which the ranking was published"),
    Parameter::new("since", Text, "Compare ranks with the newest ranking as of this time, or so long before"),
    Parameter::new("movers", Flag, "Only items whose rank changed"),
    Parameter::new("risers", Flag, "Only items whose rank is better than it was"),
    Parameter::new("fallers", Flag, "Only items whose rank is worse than it was"),
    Parameter::new("new", Flag, "Only items that were not in the previous ranking"),
    Parameter::new("dropped", Flag, "Only items that are not in the ranking any more"),
    Parameter::new("categories", Flag, "The categories instead of items"),
    Parameter::new("tree", Flag, "The categories as a tree"),
    Parameter::new("item", Text, "An item's ranks in all of its categories"),
    Parameter::new("explain", Flag, "The hours of the item's score"),
    Parameter::new("history", Text, "An item's rank in all rankings that are kept"),
    Parameter::new("diff", Texts, "Two moments: the changes from one ranking to another"),
    Parameter::new("search", Text, "Items that have these words in their name or id"),
];
/// A cache may answer from the old one while it asks for the new one.
pub const CACHE_CONTROL: &str = "max-age=1, stale-while-revalidate=10";

/// An answer, and the headers of what depends on the moment of asking.
type Shown = (Vec<u8>, Vec<(&'static str, String)>);

/// Answers the request.
pub async fn show(state: Arc<State>, query: Option<String>, headers: HeaderMap) -> Response<Body> {
    let question = options_of(query.as_deref());
    let question = question.and_then(|options| options.question((state.clock)()).map_err(|e| e.to_string()));
    let question = match question {
        Ok((question, _)) => question,
        Err(what) => return error(StatusCode::BAD_REQUEST, &what),
    };
    let worker_state = Arc::clone(&state);
    match state.readers.run(move || answer(&worker_state, &question)).await {
        Ok(Some(Ok((body, more)))) => tagged(&headers, body, CACHE_CONTROL, &more),
        Ok(Some(Err(e))) => of_error(&e),
        Ok(None) => unavailable("the server is reading its log"),
        Err(why) => not_done(why),
    }
}

fn answer(state: &State, question: &Question) -> Option<Result<Shown, ShowError>> {
    let live = state.live.get()?;
    let uncommitted = match live.uncommitted.batches() {
        Ok(uncommitted) => uncommitted,
        Err(error) => return Some(Err(ShowError::Rollup(error.into()))),
    };
    let held = Some((&state.ranking_cache, (state.clock)()));
    let sources = Sources { store: &state.store, uncommitted: &uncommitted, held };
    Some(show::answer(&sources, question).map(|mut answer| {
        let headers = std::mem::take(&mut answer.headers);
        let mut bytes = Vec::new();
        answer.write(Format::Json, TerminalOptions::PLAIN, &mut bytes).expect("memory can be written to");
        (bytes, headers)
    }))
}

fn options_of(query: Option<&str>) -> Result<ShowOptions, String> {
    let parameters = Parameters::of(query, SHOW_PARAMETERS)?;
    let limit = parameters
        .one("limit")?
        .map(|text| text.parse::<usize>().map_err(|_| format!("limit=`{text}` is not a number of rows")));
    Ok(ShowOptions {
        prefix: "",
        category: parameters.one("category")?,
        limit: limit.transpose()?,
        name: parameters.one("name")?,
        at: parameters.one("at")?,
        since: parameters.one("since")?,
        movers: parameters.flag("movers")?,
        risers: parameters.flag("risers")?,
        fallers: parameters.flag("fallers")?,
        new: parameters.flag("new")?,
        dropped: parameters.flag("dropped")?,
        categories: parameters.flag("categories")?,
        tree: parameters.flag("tree")?,
        item: parameters.one("item")?,
        explain: parameters.flag("explain")?,
        history: parameters.one("history")?,
        diff: parameters.all("diff"),
        search: parameters.one("search")?,
    })
}

fn of_error(e: &ShowError) -> Response<Body> {
    let meant = |names: &[String]| match names.is_empty() {
        true => "there is nothing like it".to_owned(),
        false => format!("did you mean {}?", names.join(", ")),
    };
    let what = e.to_string();
    match e {
        ShowError::UnknownCategory { suggestions, .. } | ShowError::UnknownItem { suggestions, .. } => {
            error_with_hint(StatusCode::NOT_FOUND, &what, &meant(suggestions))
        }
        ShowError::UnknownName { names, .. } => {
            let hint = format!("the names with a ranking are {}", names.join(", "));
            error_with_hint(StatusCode::NOT_FOUND, &what, &hint)
        }
        ShowError::NoneAt { .. } | ShowError::NothingBefore | ShowError::NoMatch { .. } => {
            error(StatusCode::NOT_FOUND, &what)
        }
        ShowError::Snapshot(SnapshotError::None) => {
            error_with_hint(StatusCode::NOT_FOUND, &what, "publish a ranking with `topsell rank`")
        }
        _ => error(StatusCode::INTERNAL_SERVER_ERROR, &what),
    }
}
