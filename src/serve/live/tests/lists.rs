//! Lists in memory are at all times those that are read from the lake and the log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::live::tests::server::{Server, clock_of};
use crate::live::{ListAnswer, ListKind, ListQuestion};
use topsell_core::counts::{DecayedQuery, TopQuery, decayed_top, top};
use topsell_core::lake::{BatchSize, DuplicatePolicy, ITEM_SCORES, Lake};
use topsell_core::model::{
    Amount, Decay, Event, EventTypes, Events, Hour, PathSet, Timestamp, Units, Week, Window, Zone,
};
use topsell_core::progress::Progress;
use topsell_core::rank::{Measure, Rules};
use topsell_core::rollup::{Replaces, Scope, rollup};

/// How many hours pass: `TOPSELL_SERVE_HOURS`, or this.
const HOURS: i32 = 6;
const MICROS_PER_MINUTE: i64 = 60_000_000;
const BEGIN: i32 = 412_000;
/// More than two days, so that some are whole.
const WINDOW: u32 = 70;
const CATEGORIES: [Option<&str>; 5] = [None, Some("Food"), Some("Food/Fruit"), Some("Toys"), Some("Books")];
const FILED: [&[&str]; 6] =
    [&["Food"], &["Food/Fruit"], &["Food", "Toys/Blocks"], &["Toys"], &["Food/Fruit", "Food/Sweets"], &[]];

struct Chance(u64);

impl Chance {
    fn draw(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    fn is_one_of(&mut self, many: u64) -> bool {
        self.draw(many) == 0
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn purchases() -> EventTypes {
    EventTypes::of(texts(&["purchase"]), Vec::new())
}

fn by_score() -> ListKind {
    let decay = Decay::half_life_seconds(12 * 3_600).expect("a half-life");
    ListKind { event_types: purchases(), hours: WINDOW, decay, measure: Measure::Units }
}

/// Returns some events before a moment: most of the last hours, some late, some with an id that others have, too.
fn events(chance: &mut Chance, now: i64) -> Events {
    let mut events = Events::default();
    for _ in 0..1 + chance.draw(4) {
        let late_minutes = match chance.draw(30) {
            0 => chance.draw(60 * 100),
            1..6 => chance.draw(60 * 20),
            _ => chance.draw(70),
        };
        let ts = now - late_minutes.cast_signed() * MICROS_PER_MINUTE;
        let paths = texts(FILED[chance.draw(6) as usize]);
        let path_set = events.path_sets.code(&PathSet::of(paths).expect("few paths"));
        let event_type =
            events.code_of_type(["purchase", "purchase", "view", "refund"][chance.draw(4) as usize]);
        let (item, id) = (format!("i{:02}", chance.draw(30)), format!("e{}", chance.draw(3_000)));
        events.push(&Event {
            ts: Timestamp::from_micros(ts).expect("a moment"),
            event_id: (!chance.is_one_of(3)).then_some(id.as_str()),
            item_id: &item,
            path_set,
            event_type,
            quantity: Units::from_ten_thousandths([10_000, 10_000, 25_000, -10_000][chance.draw(4) as usize]),
            amount: chance.is_one_of(2).then(|| Amount::from_ten_thousandths(50_000)).flatten(),
            version: None,
        });
    }
    events
}

fn ingest(lake: &Lake, id: &str, events: &Events) {
    let transaction = lake.append(DuplicatePolicy::Skip).expect("the disk works");
    let mut staged = transaction.stage();
    let size = BatchSize { events: events.len() as u64, lines: events.len() as u64 };
    transaction.write(&mut staged, id, events, &[], size).expect("the disk works");
    transaction.commit(vec![staged], 0).expect("the disk works");
}

/// Compares all lists with those of the lake, and returns how many were in memory.
fn check(server: &Server, kind: &ListKind, now: Timestamp, limit: usize) -> u64 {
    let as_of = now.hour().plus(1);
    let window = Window::ending(as_of, kind.hours);
    let mut in_memory = 0;
    for category in CATEGORIES {
        let question =
            ListQuestion { kind: kind.clone(), window, category: category.map(str::to_owned), limit };
        let ListAnswer::Found(mut found) = server.lists.answer(&question, true) else { continue };
        in_memory += 1;
        let uncommitted = server.uncommitted.batches().expect("events can be encoded");
        let (event_types, uncommitted) = (&kind.event_types, uncommitted.as_slice());
        let expected = if kind.decay == Decay::None {
            let times = window.oldest().start()..as_of.start();
            let query = TopQuery { event_types, times, measure: kind.measure, limit, category, uncommitted };
            top(&server.store, &query)
        } else {
            let rules = Rules {
                window,
                decay: kind.decay,
                measure: kind.measure,
                limit,
                min_items: 0,
                max_lookback_hours: 0,
                week: Week::ending(as_of, Zone::utc()),
            };
            decayed_top(&server.store, &DecayedQuery { rules: &rules, event_types, category, uncommitted })
        };
        let mut expected = expected.expect("the lake can be read");
        // The days of a week, items that are not eligible and the first that is not listed are no part of a list.
        expected.iter_mut().for_each(|of| (of.window_aggregate, of.next) = Default::default());
        found.window_aggregate = Default::default();
        let all = expected.iter_mut().flat_map(|of| &mut of.items).chain(&mut found.items);
        all.for_each(|item| item.days = Default::default());
        assert_eq!(
            Some(found).filter(|found| found.eligible_items > 0),
            expected,
            "{category:?} {kind:?} {now}"
        );
    }
    in_memory
}

#[test]
fn while_hours_pass_they_are_those_of_the_lake() {
    let hours = std::env::var("TOPSELL_SERVE_HOURS").ok().and_then(|text| text.parse().ok()).unwrap_or(HOURS);
    let folder = tempfile::tempdir().expect("the disk works");
    let micros = Arc::new(AtomicI64::new(Hour::new(BEGIN).start().micros()));
    let clock = clock_of(&micros);
    let kinds = [
        by_score(),
        ListKind { hours: 24, decay: Decay::None, ..by_score() },
        ListKind {
            event_types: EventTypes::of(texts(&["purchase", "view"]), texts(&["refund"])),
            hours: 1,
            decay: Decay::None,
            measure: Measure::Amount,
        },
    ];
    let mut chance = Chance(11);
    let mut server = Server::start(folder.path(), &clock, &kinds[0]);
    let (mut asked, mut in_memory) = (0, [0; 3]);
    let mut most_files = 0;
    let mut number = 0;
    while clock().hour() < Hour::new(BEGIN + hours) {
        number += 1;
        let step = [1, 10, 29, 61][chance.draw(4) as usize];
        micros.fetch_add(step * MICROS_PER_MINUTE + 7_000_001, Ordering::Relaxed);
        // What is acknowledged just before or after an hour has turned, and before anything was looked after.
        server.receive(&events(&mut chance, clock().micros()));
        if chance.is_one_of(9) {
            ingest(&server.lake, &format!("file{number}"), &events(&mut chance, clock().micros()));
        }
        if chance.is_one_of(4) {
            rollup(&server.lake, Scope::Changed, Replaces::DamagedOnly, 0, &Progress::ignored())
                .expect("the disk works");
        }
        if chance.is_one_of(20) {
            let file = server.store.names(ITEM_SCORES).expect("it can be read").into_iter().next();
            drop(server);
            let store = topsell_core::storage::Store::open(folder.path()).expect("a folder can be named");
            if let Some(file) = file.filter(|_| chance.is_one_of(2)) {
                store.put(&format!("{ITEM_SCORES}/{file}"), "half a file".into()).expect("the disk works");
            }
            server = Server::start(folder.path(), &clock, &kinds[0]);
        }
        server.tick();
        let limit = 1 + chance.draw(12) as usize;
        for _ in 0..1 + chance.draw(2) {
            server.receive(&events(&mut chance, clock().micros()));
            for (kind, in_memory) in kinds.iter().zip(&mut in_memory) {
                asked += 1;
                *in_memory += u64::from(check(&server, kind, clock(), limit) > 0);
            }
        }
        most_files = most_files.max(server.store.names(ITEM_SCORES).expect("it can be read").len());
    }
    let asked = asked / 3;
    // Where an id came with other contents, or late events have one, only the lake tells for a moment.
    assert!(in_memory.iter().all(|of| 3 * of > asked), "{in_memory:?} of {asked}");
    assert!((2..8).contains(&most_files), "{most_files} files");
}

/// The sums of days that have not changed are read from their files.
#[test]
fn after_a_start_past_days_are_not_read_again() {
    let folder = tempfile::tempdir().expect("the disk works");
    let now = Hour::new(BEGIN + 200).start().micros() + 30 * MICROS_PER_MINUTE;
    let clock = clock_of(&Arc::new(AtomicI64::new(now)));
    let server = Server::start(folder.path(), &clock, &by_score());
    let mut chance = Chance(5);
    for batch in 0..40 {
        let many = Events::default();
        let mut many = many;
        (0..50).for_each(|_| many.append(&events(&mut chance, now - chance_hours(batch))));
        ingest(&server.lake, &format!("b{batch}"), &many);
    }
    rollup(&server.lake, Scope::Changed, Replaces::DamagedOnly, 0, &Progress::ignored())
        .expect("the disk works");
    let read_by = |server: &Server| {
        let before = server.store.bytes_read();
        server.lists.tick();
        server.store.bytes_read() - before
    };
    let warm = |server: &Server| {
        server.recent.load().expect("the lake can be read");
        check(server, &by_score(), clock(), 5);
        let read = read_by(server);
        assert_eq!(check(server, &by_score(), clock(), 5), CATEGORIES.len() as u64);
        read
    };
    warm(&server);
    let files: BTreeMap<String, usize> = {
        let names = server.store.names(ITEM_SCORES).expect("it can be read");
        let size =
            |name: &String| server.store.get(&format!("{ITEM_SCORES}/{name}")).expect("it is there").len();
        names.into_iter().map(|name| (name.clone(), size(&name))).collect()
    };
    assert_eq!(files.len(), 3, "three days before this one: {files:?}");
    drop(server);
    let server = Server::start(folder.path(), &clock, &by_score());
    let read = warm(&server);
    let of_files: usize = files.values().sum();
    assert!(read >= of_files as u64, "{read} bytes were read");
    assert_eq!(server.store.names(ITEM_SCORES).expect("it can be read").len(), 3);
}

/// Returns some microseconds, up to three days.
fn chance_hours(batch: i64) -> i64 {
    batch * 110 * MICROS_PER_MINUTE
}
