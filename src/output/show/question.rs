//! What is asked of the published rankings.

use topsell_core::model::Timestamp;
use topsell_core::rankings::RankingName;
use topsell_core::trends::Since;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub view: View,
    /// Whose ranking.
    pub name: RankingName,
    /// The newest ranking that ends no later; the one that the name shows for `None`.
    pub at: Option<Timestamp>,
    /// Since when movements are.
    pub since: Since,
    /// Rows to show at most.
    pub limit: usize,
    pub now: Timestamp,
}

/// What to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// The best sellers of a category, of the whole shop for `None`.
    BestSellers {
        category: Option<String>,
        selection: Selection,
    },
    Categories(Order),
    /// An item's ranks, and the hours of its score in a category, if that is asked for.
    Item {
        item_id: String,
        explained: Option<Option<String>>,
    },
    /// A category's ranking at two times.
    Diff {
        category: Option<String>,
        between: [Timestamp; 2],
    },
    /// An item's rank in a category over time.
    History {
        category: Option<String>,
        item_id: String,
    },
    /// The items that have all the words of a text in their name or id.
    Search(String),
}

/// Which of the best sellers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    All,
    /// Those with another rank than before, the largest change first.
    Movers,
    /// Those with a better rank than before.
    Risers,
    /// Those with a worse rank than before.
    Fallers,
    /// Those that were not in the ranking before.
    New,
    /// Those that were in the ranking before and are not any more.
    Dropped,
}

/// How categories are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By their paths' bytes, the whole path in each line.
    Paths,
    /// Each below its parent.
    Tree,
}
