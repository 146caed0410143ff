//! What is to be shown: the options of `topsell show`, and the parameters of `/v1/show`.
//!
//! Invariant: both are read by the same rules, so that the same options get the same answer.

use crate::show::question::{Order, Question, Selection, View};
use crate::text::BadOption;
use topsell_core::model::{Timestamp, Zone, check_path, parse_moment, parse_seconds};
use topsell_core::rankings::RankingName;
use topsell_core::trends::Since;

/// How much older the ranking is that movements are since, unless another time is asked for.
pub const MOVEMENT_SINCE: Since = Since::Before(24 * 3_600);

/// The options of a question; `prefix` is what stands in front of the names of options in messages.
#[derive(Clone, Debug, Default)]
pub struct ShowOptions {
    pub prefix: &'static str,
    pub category: Option<String>,
    pub limit: Option<usize>,
    pub name: Option<String>,
    pub at: Option<String>,
    /// A duration before the ranking, or a time; the default is [`MOVEMENT_SINCE`].
    pub since: Option<String>,
    pub movers: bool,
    pub risers: bool,
    pub fallers: bool,
    pub new: bool,
    pub dropped: bool,
    pub categories: bool,
    pub tree: bool,
    pub item: Option<String>,
    pub explain: bool,
    pub history: Option<String>,
    /// None, or two moments.
    pub diff: Vec<String>,
    pub search: Option<String>,
}

impl ShowOptions {
    /// Returns the question, asked at `now`, and what to note about the moments in it.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn question(&self, now: Timestamp) -> Result<(Question, Vec<String>), BadOption> {
        self.check()?;
        let mut notes = Vec::new();
        let at = self.at.as_deref().map(|text| self.moment("at", text, now, &mut notes)).transpose()?;
        let limit = self.limit.unwrap_or(usize::MAX);
        let name = self.name.as_deref().map(RankingName::parse).transpose();
        let name = name.map_err(|e| BadOption::new(format!("{}name {e}", self.prefix)))?.unwrap_or_default();
        let since = match self.since.as_deref().map(|text| (text, parse_seconds(text))) {
            None => MOVEMENT_SINCE,
            // Before the ranking's own time, which may be long ago.
            Some((_, Ok(seconds))) => Since::Before(seconds),
            Some((text, Err(_))) => Since::At(self.moment("since", text, now, &mut notes)?),
        };
        let view = self.view(now, &mut notes)?;
        Ok((Question { view, name, at, since, limit, now }, notes))
    }

    /// Checks that the options go together.
    fn check(&self) -> Result<(), BadOption> {
        let prefix = self.prefix;
        let views = [
            ("item", self.item.is_some()),
            ("history", self.history.is_some()),
            ("diff", !self.diff.is_empty()),
            ("movers", self.movers),
            ("risers", self.risers),
            ("fallers", self.fallers),
            ("new", self.new),
            ("dropped", self.dropped),
            ("categories", self.categories),
            ("search", self.search.is_some()),
        ];
        let views: Vec<&str> =
            views.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name).collect();
        let refuse = |what: String| Err(BadOption::new(what));
        match views[..] {
            [first, second, ..] => {
                refuse(format!("{prefix}{first} and {prefix}{second} cannot be used together"))
            }
            ["categories" | "search"] if self.category.is_some() => {
                refuse(format!("{prefix}{} and a category cannot be used together", views[0]))
            }
            ["diff"] if self.at.is_some() => {
                refuse(format!("{prefix}diff and {prefix}at cannot be used together"))
            }
            ["diff" | "history" | "categories" | "search"] if self.since.is_some() => {
                refuse(format!("{prefix}{} and {prefix}since cannot be used together", views[0]))
            }
            ["diff"] if self.diff.len() != 2 => refuse(format!("{prefix}diff needs two moments")),
            _ if self.explain && self.item.is_none() => refuse(format!("{prefix}explain needs {prefix}item")),
            _ if self.tree && !self.categories => refuse(format!("{prefix}tree needs {prefix}categories")),
            ["item"] if self.category.is_some() && !self.explain => refuse(format!(
                "{prefix}item shows all categories of the item; omit the category, or pass {prefix}explain"
            )),
            _ => Ok(()),
        }
    }

    fn view(&self, now: Timestamp, notes: &mut Vec<String>) -> Result<View, BadOption> {
        if self.categories {
            return Ok(View::Categories(if self.tree { Order::Tree } else { Order::Paths }));
        }
        if let Some(text) = &self.search {
            return Ok(View::Search(text.clone()));
        }
        let check = |path: &str| {
            check_path(path).map_err(|e| BadOption::new(format!("{}category `{path}` {e}", self.prefix)))
        };
        let category = self.category.as_deref().map(check).transpose()?;
        if let Some(item_id) = self.item.clone() {
            return Ok(View::Item { item_id, explained: self.explain.then_some(category) });
        }
        if let Some(item_id) = self.history.clone() {
            return Ok(View::History { category, item_id });
        }
        if let [before, after] = &self.diff[..] {
            let between = [self.moment("diff", before, now, notes)?, self.moment("diff", after, now, notes)?];
            return Ok(View::Diff { category, between });
        }
        let selections = [
            (self.movers, Selection::Movers),
            (self.risers, Selection::Risers),
            (self.fallers, Selection::Fallers),
            (self.new, Selection::New),
            (self.dropped, Selection::Dropped),
        ];
        let chosen = selections.into_iter().find_map(|(is_chosen, selection)| is_chosen.then_some(selection));
        let selection = chosen.unwrap_or(Selection::All);
        Ok(View::BestSellers { category, selection })
    }

    /// Reads a moment, and notes what a relative one means.
    fn moment(
        &self,
        name: &str,
        text: &str,
        now: Timestamp,
        notes: &mut Vec<String>,
    ) -> Result<Timestamp, BadOption> {
        let at = parse_moment(text, now, &Zone::utc());
        let at = at.map_err(|e| BadOption::new(format!("{}{name} `{text}` {e}", self.prefix)))?;
        if Timestamp::parse(text) != Ok(at) {
            let what = if name == "diff" { "ranking of" } else { name };
            notes.push(format!("note: {what} {at}"));
        }
        Ok(at)
    }
}
