//! The loops that every purchase goes through, each measured by itself: `make micro`.
//!
//! Whatever they read is made up from a fixed seed, so that two builds do the same work. Of what is
//! printed, the fastest of the samples is what other programs on the machine disturb least. Under
//! `cargo test --all-targets` each runs once, to show that it still does.

use std::fmt::Write as _;
use std::hint::black_box;

use divan::Bencher;
use divan::counter::ItemsCount;

use topsell_core::ingest;
use topsell_core::ingest::ParseOptions;
use topsell_core::ingest::StreamOptions;
use topsell_core::input_format::Mapping;
use topsell_core::lake::DryRun;
use topsell_core::lake::DuplicatePolicy;
use topsell_core::model::{
    Aggregate, AggregateRow, AggregateRows, Amount, Date, Decay, Event, EventTypes, Events, Hour,
    HourAggregate, Interner, Places, RawCategories, Timestamp, Week, Window, Zone,
};
use topsell_core::parquet_format::AggregateBlock;
use topsell_core::parquet_format::AggregateLine;
use topsell_core::parquet_format::DictionaryInterner;
use topsell_core::parquet_format::EventColumns;
use topsell_core::parquet_format::EventCopy;
use topsell_core::parquet_format::EventEncoder;
use topsell_core::parquet_format::ItemRange;
use topsell_core::parquet_format::decode_aggregates;
use topsell_core::parquet_format::decode_events;
use topsell_core::parquet_format::encode_aggregates;
use topsell_core::progress::Progress;
use topsell_core::rank::HourState;
use topsell_core::rank::LiveRanking;
use topsell_core::rank::LiveRules;
use topsell_core::rank::Measure;
use topsell_core::rank::PartialRanker;
use topsell_core::rank::RankingBuilder;
use topsell_core::rank::Rules;
use topsell_ops::cron::CronSchedule;

const PURCHASES: usize = 100_000;
/// Distinct items of all the purchases together; how often one sells falls with its number.
const ITEMS: u64 = 20_000;
const LEAVES: u64 = 50;
const HOURS: u32 = 24;
const SEED: u64 = 20_240_101;
/// 2024-01-01T00:00:00Z.
const FIRST_HOUR: i32 = 473_352;
const BEST: usize = 100;

fn main() {
    divan::main();
}

/// A purchase, with its item by number.
struct Sale {
    item: u64,
    hour_of_day: u32,
    second: u32,
    quantity: i32,
    cents: u64,
}

/// Returns a number of 64 bits without any visible relation to the given one (SplitMix64).
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// Returns all the purchases; how often an item sells goes by one divided by its number.
fn sales() -> impl Iterator<Item = Sale> {
    (0..PURCHASES as u64).map(|number| {
        let bits = mixed(SEED + number);
        let fraction = (bits >> 11) as f64 / (1_u64 << 53) as f64;
        let rest = mixed(bits);
        Sale {
            item: (ITEMS as f64).powf(fraction) as u64,
            hour_of_day: (rest % u64::from(HOURS)) as u32,
            second: (rest >> 8) as u32 % 3_600,
            quantity: 1 + i32::from((rest >> 40).is_multiple_of(8)),
            cents: 99 + mixed(bits % ITEMS) % 5_000,
        }
    })
}

/// Returns an item's id, ten letters and digits.
fn item_id(item: u64) -> String {
    const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut rest = mixed(item);
    let digits = (0..10).map(|_| {
        let digit = DIGITS[(rest % 36) as usize];
        rest /= 36;
        char::from(digit)
    });
    digits.collect()
}

/// Returns an item's paths: one, or for every fifth item two.
fn paths(item: u64) -> String {
    let leaf = |of: u64| {
        let leaf = mixed(of) % LEAVES;
        format!("Books/JobRegistry {}/Leaf {leaf:02}", leaf % 7)
    };
    let (first, second) = (leaf(item), leaf(item + ITEMS));
    if item.is_multiple_of(5) && first != second { format!("{first}|{second}") } else { first }
}

fn date() -> Date {
    Hour::new(FIRST_HOUR).date()
}

/// Returns the purchases as an ingest hands them on.
fn events() -> Events {
    let mut events = Events::default();
    for sale in sales() {
        let path_set = events.path_sets.read(&RawCategories::Text(&paths(sale.item)));
        events.push(&Event {
            ts: Hour::of(date(), sale.hour_of_day.cast_signed()).start().plus_seconds(sale.second.into()),
            event_id: None,
            version: None,
            item_id: &item_id(sale.item),
            path_set: path_set.expect("these are paths"),
            event_type: 0,
            quantity: sale.quantity.into(),
            amount: Amount::from_ten_thousandths(i128::from(sale.cents) * 100),
        });
    }
    events.event_types.push("purchase".to_owned());
    events
}

/// Returns the copies of all events, one place after the other as files are written.
fn copies(events: &Events, places: &Places<'_>) -> Vec<EventCopy> {
    let rows = (0..).zip(0..events.len());
    let copies = rows.flat_map(|(number, row)| {
        places.of_set(events.path_set(row)).map(move |place| EventCopy { row: number, place })
    });
    copies.collect()
}

/// Returns the aggregates of the purchases, in no order.
fn aggregates() -> AggregateRows {
    let mut aggregates = AggregateRows::default();
    let mut known = std::collections::HashMap::new();
    for sale in sales() {
        let item = aggregates.items.code(&item_id(sale.item));
        let path_set = aggregates.path_sets.code(&paths(sale.item));
        let hour = Hour::of(date(), sale.hour_of_day.cast_signed());
        let at = *known.entry((item, path_set, hour.number())).or_insert_with(|| {
            aggregates.rows.push(AggregateRow {
                item,
                path_set,
                hour,
                is_primary: true,
                aggregate: Aggregate::default(),
            });
            aggregates.rows.len() - 1
        });
        let of_sale =
            Aggregate::of(sale.quantity.into(), Amount::from_ten_thousandths(i128::from(sale.cents) * 100));
        let of_hour = &mut aggregates.rows[at].aggregate;
        *of_hour = of_hour.plus(of_sale).expect("small sums fit");
    }
    aggregates
}

/// Returns sorted aggregates as lines of a file.
fn lines<'a>(
    aggregates: &'a AggregateRows,
    sorted: &'a [AggregateRow],
) -> impl Iterator<Item = AggregateLine<'a>> {
    sorted.iter().map(|row| AggregateLine {
        hour: row.hour.of_day(),
        item_id: aggregates.items.name(row.item),
        paths: aggregates.path_sets.name(row.path_set),
        is_primary: row.is_primary,
        aggregate: row.aggregate,
    })
}

/// Lines of a log cut into fields, checked and numbered: an ingest that writes nothing.
#[divan::bench]
fn read_csv(bencher: Bencher) {
    let folder = tempfile::tempdir().expect("there is a folder for what is temporary");
    let mut text = "ts,item_id,category,quantity,amount\n".to_owned();
    for sale in sales() {
        let (hour, minute, second) = (sale.hour_of_day, sale.second / 60, sale.second % 60);
        let (item_id, paths) = (item_id(sale.item), paths(sale.item));
        let (quantity, whole, cents) = (sale.quantity, sale.cents / 100, sale.cents % 100);
        writeln!(
            text,
            "2024-01-01T{hour:02}:{minute:02}:{second:02}Z,{item_id},{paths},{quantity},{whole}.{cents:02}"
        )
        .expect("a text can be written to");
    }
    let path = folder.path().join("purchases.csv");
    std::fs::write(&path, text).expect("the folder can be written to");
    let plan = ingest::plan(&[path], None);
    let mapping = Mapping::none(ingest::FIELDS);
    let options = ingest::Options {
        now: Timestamp::parse("2024-01-02T00:00:00Z").expect("this is a moment"),
        max_skew_seconds: 0,
        dry_run: DryRun::Yes,
        duplicates: DuplicatePolicy::Skip,
        max_reject_bytes: u64::MAX,
        stream: StreamOptions::default(),
    };
    let parse_options = ParseOptions { mapping: &mapping, catalog: None };
    bencher.counter(ItemsCount::new(PURCHASES)).bench(|| {
        let summary = ingest::ingest(None, &plan, None, options, parse_options, &Progress::ignored());
        assert_eq!(summary.expect("there is no lake to fail").accepted, PURCHASES as u64);
    });
}

/// An events file encoded.
#[divan::bench]
fn write_events(bencher: Bencher) {
    let events = events();
    let places = Places::of(&events.path_sets);
    let copies = copies(&events, &places);
    bencher.counter(ItemsCount::new(copies.len())).bench(|| {
        let encoded = EventEncoder::of(&events, &places, "a-batch").encode(&copies);
        encoded.expect("the rows fit into Parquet").bytes
    });
}

/// An events file decoded, its items and sets of paths numbered, its aggregates added.
#[divan::bench]
fn read_events(bencher: Bencher) {
    let events = events();
    let places = Places::of(&events.path_sets);
    let copies = copies(&events, &places);
    let encoded = EventEncoder::of(&events, &places, "a-batch").encode(&copies);
    let bytes = encoded.expect("the rows fit into Parquet").bytes;
    bencher.counter(ItemsCount::new(copies.len())).bench(|| {
        let (mut items, mut path_sets) = (Interner::default(), Interner::default());
        let (mut of_items, mut of_sets) = (DictionaryInterner::default(), DictionaryInterner::default());
        let (mut item_codes, mut set_codes) = (Vec::new(), Vec::new());
        let mut total = Aggregate::default();
        for batch in decode_events(bytes.clone(), EventColumns::WithoutIds).expect("it is Parquet") {
            let batch = batch.expect("its pages can be read");
            batch.items(&mut of_items, &mut items, &mut item_codes);
            batch.path_sets(&mut of_sets, &mut path_sets, &mut set_codes);
            for row in 0..batch.rows() {
                total = total.plus(batch.aggregate(row)).expect("small sums fit");
            }
        }
        (total, item_codes, set_codes)
    });
}

/// Item ids given numbers, most of them known from before.
#[divan::bench]
fn number_names(bencher: Bencher) {
    let ids: Vec<String> = sales().map(|sale| item_id(sale.item)).collect();
    bencher.counter(ItemsCount::new(ids.len())).bench(|| {
        let mut names = Interner::default();
        ids.iter().fold(0_u64, |all, id| all + u64::from(names.code(id)))
    });
}

/// Item ids put in order.
#[divan::bench]
fn order_names(bencher: Bencher) {
    let mut names = Interner::default();
    (0..PURCHASES as u64).for_each(|item| {
        names.code(&item_id(item));
    });
    bencher.counter(ItemsCount::new(names.len())).bench(|| black_box(&names).ranks());
}

/// Aggregates put in the order of a rollup file.
#[divan::bench]
fn sort_aggregates(bencher: Bencher) {
    let aggregates = aggregates();
    bencher.counter(ItemsCount::new(aggregates.rows.len())).bench(|| black_box(&aggregates).sorted().count());
}

/// A rollup file encoded.
#[divan::bench]
fn write_aggregates(bencher: Bencher) {
    let aggregates = aggregates();
    let sorted: Vec<AggregateRow> = aggregates.sorted().collect();
    bencher
        .counter(ItemsCount::new(sorted.len()))
        .bench(|| encode_aggregates(lines(&aggregates, &sorted)).expect("the rows fit into Parquet").bytes);
}

/// A rollup file decoded, its rows told apart by item.
#[divan::bench]
fn read_aggregates(bencher: Bencher) {
    let aggregates = aggregates();
    let sorted: Vec<AggregateRow> = aggregates.sorted().collect();
    let bytes = encode_aggregates(lines(&aggregates, &sorted)).expect("the rows fit into Parquet").bytes;
    let hours: Vec<Option<Hour>> = (0..24).map(|hour| Some(Hour::of(date(), hour))).collect();
    bencher.counter(ItemsCount::new(sorted.len())).bench(|| {
        let mut rows = Vec::new();
        let (mut coder, mut path_sets, mut block) =
            (DictionaryInterner::default(), Interner::default(), AggregateBlock::default());
        let mut items = 0;
        for batch in decode_aggregates(bytes.clone(), &ItemRange::default(), None).expect("it is Parquet") {
            let batch = batch.expect("its pages can be read");
            batch.read(&mut coder, &mut path_sets, &mut block);
            rows.clear();
            block.items.iter().for_each(|item| rows.extend(batch.rows_of(item, &block, &hours)));
            items += black_box((&block, &rows)).0.items.len();
        }
        items
    });
}

/// Every category's best found among the aggregates of all items.
#[divan::bench]
fn tally_items(bencher: Bencher) {
    let aggregates = aggregates();
    let sorted: Vec<AggregateRow> = aggregates.sorted().collect();
    let of_item = |rows: &[AggregateRow]| {
        let hours = rows.iter().map(|row| {
            let AggregateRow { path_set, hour, is_primary, aggregate, .. } = *row;
            HourAggregate { hour, path_set, is_primary, aggregate }
        });
        (aggregates.items.name(rows[0].item).to_owned(), hours.collect::<Vec<_>>())
    };
    let items: Vec<(String, Vec<HourAggregate>)> =
        sorted.chunk_by(|a, b| a.item == b.item).map(of_item).collect();
    let as_of = Hour::new(FIRST_HOUR).plus(HOURS.cast_signed());
    let rules = Rules {
        window: Window::ending(as_of, HOURS),
        decay: Decay::half_life_seconds(48 * 3_600).expect("a half-life"),
        measure: Measure::Units,
        limit: BEST,
        min_items: 0,
        max_lookback_hours: HOURS,
        week: Week::ending(as_of, Zone::utc()),
    };
    bencher.counter(ItemsCount::new(sorted.len())).bench(|| {
        let mut builder = RankingBuilder::new(rules.clone());
        while let Some(request) = builder.next_scan() {
            let mut ranker = PartialRanker::new(&request);
            for (item_id, rows) in &items {
                ranker.add_item(item_id, rows, &aggregates.path_sets).expect("small sums fit");
            }
            builder.add(&request, vec![ranker.finish()]).expect("small sums fit");
        }
        builder.finish()
    });
}

/// Of a server's lists in memory.
const LIST_KINDS: [&str; 2] = ["24 hours", "decayed"];
/// How many items each list keeps.
const KEPT: usize = 64;
/// As a server takes them in.
const EVENTS_PER_REQUEST: usize = 100;

/// A large shop whose lists of all categories are in memory.
struct LargeShop {
    items: u64,
    leaves: u64,
}

impl LargeShop {
    /// Returns a million items in 33,000 categories; a hundredth of that where it is only shown that it works.
    fn of_arguments() -> LargeShop {
        let part = if std::env::args().any(|word| word == "--bench") { 1 } else { 100 };
        LargeShop { items: 1_000_000 / part, leaves: 30_000 / part }
    }

    fn paths(&self, item: u64) -> String {
        let leaf = mixed(item) % self.leaves;
        format!("Shop {}/Aisle {}/Leaf {leaf}", leaf % 30, leaf % 2_970)
    }

    /// Returns the hours of the item's sales; every fourth item sells in the oldest.
    fn add_sales(&self, ranking: &mut LiveRanking) {
        let window = ranking.rules().window;
        let one = Aggregate::of(1.into(), None);
        for item in 0..self.items {
            let (id, paths) = (item_id(item), self.paths(item));
            let last = (mixed(item) >> 20) as u32 % window.hours();
            for hour in [Some(last), item.is_multiple_of(4).then_some(0)].into_iter().flatten() {
                let hour = window.oldest().plus(hour.cast_signed());
                ranking.add(&id, &paths, (true, hour), one).expect("small sums fit");
            }
        }
    }

    fn rules(kind: &str) -> LiveRules {
        let (hours, decay) = match kind {
            "decayed" => (150, Decay::half_life_seconds(48 * 3_600).expect("a half-life")),
            _ => (24, Decay::None),
        };
        LiveRules { window: Window::ending(Hour::new(FIRST_HOUR), hours), decay, measure: Measure::Units }
    }

    fn lists(&self, kind: &str) -> LiveRanking {
        let mut ranking = LiveRanking::new(LargeShop::rules(kind));
        self.add_sales(&mut ranking);
        let mut categories = std::collections::BTreeSet::from([None]);
        for item in 0..self.items {
            let paths = self.paths(item);
            let ends = paths.match_indices('/').map(|(at, _)| at).chain([paths.len()]);
            categories.extend(ends.map(|end| Some(paths[..end].to_owned())));
        }
        let lists: Vec<(Option<String>, usize)> = categories.into_iter().map(|of| (of, KEPT)).collect();
        ranking.keep(&lists).expect("small sums fit");
        ranking
    }

    /// Returns the purchases of a request; how often an item sells goes by one divided by its number.
    fn request(&self, number: u64) -> Events {
        let mut events = Events::default();
        for event in 0..EVENTS_PER_REQUEST as u64 {
            let bits = mixed(SEED + number * EVENTS_PER_REQUEST as u64 + event);
            let item = (self.items as f64).powf((bits >> 11) as f64 / (1_u64 << 53) as f64) as u64;
            let path_set = events.path_sets.read(&RawCategories::Text(&self.paths(item)));
            events.push(&Event {
                ts: Hour::new(FIRST_HOUR - 1).start(),
                event_id: None,
                version: None,
                item_id: &item_id(item),
                path_set: path_set.expect("these are paths"),
                event_type: 0,
                quantity: 1.into(),
                amount: Amount::from_ten_thousandths(25_000),
            });
        }
        events.event_types.push("purchase".to_owned());
        events
    }
}

/// What a purchase costs the lists in memory of all categories, besides counting it.
#[divan::bench(args = LIST_KINDS)]
fn keep_lists(bencher: Bencher<'_, '_>, kind: &str) {
    let shop = LargeShop::of_arguments();
    let mut ranking = shop.lists(kind);
    let event_types = EventTypes::of(vec!["purchase".to_owned()], Vec::new());
    let mut number = 0;
    let next = || {
        number += 1;
        shop.request(number)
    };
    bencher.counter(ItemsCount::new(EVENTS_PER_REQUEST)).with_inputs(next).bench_local_refs(|events| {
        ranking.add_events(events, &event_types, |_| true).expect("small sums fit");
    });
}

/// What the turn of an hour costs them, besides reading two hours.
#[divan::bench(args = LIST_KINDS, sample_count = 5)]
fn turn_lists(bencher: Bencher<'_, '_>, kind: &str) {
    let shop = LargeShop::of_arguments();
    let ranking = std::cell::RefCell::new(shop.lists(kind));
    let hours = || {
        let rules = ranking.borrow().rules();
        let of_hour = |end: Hour| LiveRanking::new(LiveRules { window: Window::ending(end, 1), ..rules });
        let mut leaving = of_hour(rules.window.oldest().plus(1));
        let one = Aggregate::of(1.into(), None);
        for item in (0..shop.items).step_by(4) {
            let (id, paths) = (item_id(item), shop.paths(item));
            leaving.add(&id, &paths, (true, rules.window.oldest()), one).expect("small sums fit");
        }
        (leaving, of_hour(rules.window.as_of().plus(1)))
    };
    bencher.counter(ItemsCount::new(shop.items)).with_inputs(hours).bench_local_values(
        |(leaving, entering)| {
            let mut ranking = ranking.borrow_mut();
            ranking.begin_next(leaving, entering);
            while ranking.step_next(4_096) == HourState::Begun {}
            ranking.turn().expect("it is ready")
        },
    );
}

/// The time that follows another, for a scheduler of many jobs.
#[divan::bench(args = ["* * * * *", "30 2 * * *", "*/7 8-18 * * MON-FRI", "0 0 29 2 *"])]
fn next_time(bencher: Bencher<'_, '_>, expression: &str) {
    let zone = Zone::named("Europe/Berlin").expect("a good zone");
    let calendar = CronSchedule::parse(expression, zone).expect("a good expression");
    let mut at = Timestamp::parse("2024-01-01T00:00:00Z").expect("a good moment");
    let end = Timestamp::parse("2100-01-01T00:00:00Z").expect("a good moment");
    let start = at;
    bencher.bench_local(|| {
        at = calendar.next_after(black_box(at)).filter(|at| *at < end).unwrap_or(start);
        at
    });
}
