//! A ranking divided into row groups, one of which answers a question about a category.

use hashbrown::HashMap;

use crate::model::Window;
use crate::parquet_format::{LargestDecimals, ROWS_PER_GROUP, RankedRow, RowDetails, WindowFigures};
use crate::rank::{CategoryRanking, RankedItem, Ranking};

/// The rows of a ranking, in their order.
pub(super) struct RowGroups<'a> {
    groups: Vec<Vec<Piece<'a>>>,
    names: Option<&'a HashMap<&'a str, String>>,
    /// The ranking's window, which those of some categories extend.
    window: Window,
}

/// Some of a category's items, all of them where they fit into a group.
struct Piece<'a> {
    category: &'a CategoryRanking,
    first_rank: i32,
    items: &'a [RankedItem],
}

impl<'a> RowGroups<'a> {
    /// Divides a ranking between categories, and categories that are larger than a row group.
    pub fn of(
        ranking: &'a Ranking,
        names: Option<&'a HashMap<&'a str, String>>,
        window: Window,
    ) -> RowGroups<'a> {
        let pieces = ranking.categories.iter().flat_map(|category| {
            (1..)
                .step_by(ROWS_PER_GROUP)
                .zip(category.items.chunks(ROWS_PER_GROUP))
                .map(move |(first_rank, items)| Piece { category, first_rank, items })
        });
        let mut groups: Vec<Vec<Piece<'a>>> = Vec::new();
        let mut room = 0;
        for piece in pieces {
            if groups.is_empty() || piece.items.len() > room {
                groups.push(Vec::new());
                room = ROWS_PER_GROUP;
            }
            room -= piece.items.len();
            groups.last_mut().expect("one was begun").push(piece);
        }
        RowGroups { groups, names, window }
    }

    /// Returns how many groups there are.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Returns how many rows there are.
    pub fn rows(&self) -> u64 {
        self.pieces().map(|piece| piece.items.len() as u64).sum()
    }

    /// Returns how many rows have a name.
    pub fn named(&self) -> u64 {
        let Some(names) = self.names else { return 0 };
        let is_named = |item: &&RankedItem| names.contains_key(item.item_id.as_str());
        self.pieces().map(|piece| piece.items.iter().filter(is_named).count() as u64).sum()
    }

    /// Returns the decimals that are farthest from zero.
    pub fn largest(&self) -> LargestDecimals {
        let mut largest = LargestDecimals::default();
        for item in self.pieces().flat_map(|piece| piece.items) {
            largest.take(&item.aggregate, &item.days);
        }
        largest
    }

    /// Returns one group's rows.
    pub fn rows_of(&self, group: usize) -> impl Iterator<Item = RankedRow<'a>> {
        let (names, window) = (self.names, self.window);
        self.groups[group].iter().flat_map(move |&Piece { category, first_rank, items }| {
            (first_rank..).zip(items).map(move |(rank, item)| RankedRow {
                category: category.category.as_deref().map(Into::into),
                rank,
                item_id: item.item_id.as_str().into(),
                name: names
                    .and_then(|names| names.get(item.item_id.as_str()))
                    .map(|name| name.as_str().into()),
                score: item.score,
                aggregate: item.aggregate,
                window_from: category.window.oldest().start(),
                window_to: category.window.as_of().start(),
                eligible_items: category.eligible_items.cast_signed(),
                next: category.next.as_ref().map(|next| (next.item_id.as_str().into(), next.score)),
                details: Some(RowDetails {
                    days: item.days,
                    eligible: category.aggregate,
                    window: Some(WindowFigures {
                        item: (category.window != window).then_some(item.window_aggregate),
                        category: category.window_aggregate,
                    }),
                }),
            })
        })
    }

    fn pieces(&self) -> impl Iterator<Item = &Piece<'a>> {
        self.groups.iter().flatten()
    }
}
