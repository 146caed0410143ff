//! Made-up sales, and made-up wishes how to rank them.

use std::collections::BTreeSet;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// Times at which logs come in, and how many files each time.
pub const ROUNDS: usize = 3;
pub const FILES: usize = 4;
/// 2017-01-01T00:00:00Z, from which all times here are counted, in seconds since 1970.
pub const JANUARY: i64 = 1_483_228_800;
/// The frozen hour of every run, 2017-01-15T00:00:00Z, in hours of January.
pub const NOW: i64 = 14 * 24;

/// One unit, in ten-thousandths.
pub const ONE: i64 = 10_000;

/// Few enough that sales meet in one hour; half-lives apart, so that there are ties.
const HOURS_AGO: [i64; 18] = [0, 1, 1, 1, 2, 2, 3, 4, 5, 7, 9, 17, 25, 49, 50, 96, 97, 130];
/// Some have spaces around them, which do not count.
pub const ITEMS: [&str; 10] = ["a", "A", "a ", "B", "é", "É", "e\u{301}", "\u{fffd}", "𝄞", ",\"q\"|/%\n"];
const PATHS: [&str; 22] = [
    "A",
    "A/x",
    "A/x/y",
    "A/x/z",
    "A/x!",
    "A/X",
    "A!",
    "A!/x",
    "A!y",
    "A%2FB",
    "A%2FB/50%25",
    "A%7CB/x",
    "a/x",
    "a",
    "Bücher",
    "Bücher/Für Kinder",
    "B/C/D",
    "B/C/E",
    "B",
    "..",
    "A ",
    "__HIVE_DEFAULT_PARTITION__",
];
pub const UTC: (&str, i64) = ("UTC", 0);
const ZONES: [(&str, i64); 4] =
    [UTC, ("Asia/Kolkata", 19_800), ("America/New_York", -18_000), ("Pacific/Kiritimati", 50_400)];
const TYPES: [&str; 4] = ["purchase", "Purchase", "return/überall", "view"];
pub const MEASURES: [&str; 3] = ["units", "purchases", "amount"];

/// Something sold, or taken back.
#[derive(Clone, Debug)]
pub struct Sale {
    /// Of January.
    pub second: i64,
    pub item: &'static str,
    pub paths: BTreeSet<&'static str>,
    pub event_type: &'static str,
    /// In ten-thousandths, as the amount is.
    pub quantity: Option<i64>,
    pub amount: Option<i64>,
    pub has_id: bool,
    /// The lines that tell of it: the round and file each comes in, and how it is spelled.
    pub lines: Vec<(usize, usize, u8)>,
}

/// How much less older sales count; half-lives in seconds, rates per hour.
#[derive(Clone, Copy, Debug)]
pub enum Decay {
    None,
    HalfLife(i64),
    Rate(f64),
}

/// How to rank; lengths of time in hours.
#[derive(Clone, Debug)]
pub struct Rules {
    pub as_of_second: i64,
    pub window: i64,
    pub max_lookback: i64,
    pub min_items: usize,
    pub top: usize,
    pub decay: Decay,
    /// Place in [`MEASURES`].
    pub by: usize,
    pub event_types: Vec<&'static str>,
    /// Those that are counted are not subtracted.
    pub subtract: Vec<&'static str>,
    /// The zone whose days are told, and how many seconds it is ahead of UTC in January.
    pub zone: (&'static str, i64),
}

/// What is asked for before the next logs come in.
#[derive(Clone, Copy, Debug)]
pub enum Between {
    Nothing,
    Compact,
    Rollup,
    Rank,
}

pub fn sale() -> impl Strategy<Value = Sale> {
    let hour = select(&HOURS_AGO[..]).prop_map(|ago| NOW - ago);
    let second = (hour, prop_oneof![Just(0), Just(3_599), 0..3_600_i64]);
    let event_type = prop_oneof![4 => Just(TYPES[0]), 1 => select(&TYPES[..])];
    let quantity = prop_oneof![
        2 => Just(None),
        9 => (-2..5_i64).prop_map(|whole| Some(whole * ONE)),
        3 => (-20_000..50_000_i64).prop_map(Some),
        1 => Just(Some(0)),
        1 => select(vec![Some(1_000_000_000_000 * ONE), Some(-1_000_000_000_000 * ONE)]),
    ];
    let amount = prop_oneof![
        2 => Just(None),
        4 => (-20_000..90_000_i64).prop_map(Some),
        4 => (-2..9_i64).prop_map(|whole| Some(whole * 10_000)),
        1 => Just(Some(999_999_999_999_999_999)),
    ];
    let lines = vec((0..ROUNDS, 0..FILES, any::<u8>()), 1..4);
    let parts = (
        second,
        select(&ITEMS[..]),
        btree_set(select(&PATHS[..]), 0..5),
        event_type,
        quantity,
        amount,
        any::<bool>(),
        lines,
    );
    parts.prop_map(|((hour, second), item, paths, event_type, quantity, amount, has_id, lines)| Sale {
        second: hour * 3_600 + second,
        item,
        paths,
        event_type,
        quantity,
        amount,
        has_id,
        lines,
    })
}

pub fn rules() -> impl Strategy<Value = Rules> {
    let as_of_hour = prop_oneof![3 => NOW..=NOW + 2, 1 => NOW - 60..=NOW];
    let as_of = (as_of_hour, select(vec![0, 0, 1, 1_800, 3_599]));
    let decay = prop_oneof![
        2 => select(vec![1, 2, 3, 3, 8, 24, 48]).prop_map(|hours| Decay::HalfLife(hours * 3_600)),
        1 => (1..50_i64).prop_map(|hours| Decay::HalfLife(hours * 3_600)),
        // 37 h 20 min, a tenth of an hour, and ten years.
        1 => select(vec![134_400, 360, 315_360_000]).prop_map(Decay::HalfLife),
        1 => (1..500_000_i64).prop_map(Decay::HalfLife),
        1 => Just(Decay::None),
        1 => (0.0001..0.7_f64).prop_map(Decay::Rate),
    ];
    // An hour more or less makes a difference to these.
    let window = prop_oneof![2 => select(vec![1, 2, 3, 4, 5, 6, 8, 10, 18]), 1 => 1..40_i64];
    let top = prop_oneof![1..4_usize, Just(100)];
    let event_types = prop_oneof![2 => Just(vec![TYPES[0]]), 1 => subsequence(TYPES.to_vec(), 1..=4)];
    let subtract = prop_oneof![1 => Just(vec![]), 1 => subsequence(TYPES.to_vec(), 1..=2)];
    let event_types = (event_types, subtract, select(&ZONES[..]));
    let parts = (as_of, window, 1..200_i64, 0..6_usize, top, decay, 0..MEASURES.len(), event_types);
    parts.prop_map(
        |((hour, second), window, max_lookback, min_items, top, decay, by, (event_types, subtract, zone))| {
            Rules {
                as_of_second: hour * 3_600 + second,
                window,
                max_lookback,
                min_items,
                top,
                decay,
                by,
                event_types,
                subtract,
                zone,
            }
        },
    )
}

pub fn between() -> impl Strategy<Value = Between> {
    select(vec![Between::Nothing, Between::Compact, Between::Rollup, Between::Rank])
}
