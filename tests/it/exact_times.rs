//! `topsell count --exact-times`: counts between any two moments are those of forty lines of brute force over all events,
//! however many are in the lake, aggregated, merged, or durable and uncommitted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use expect_test::expect;
use serde_json::Value;
use topsell_core::counts::{ByHour, CountQuery, by_exact_times, by_hour};
use topsell_core::lake::{BatchSize, DuplicatePolicy, Lake, UncommittedBatch};
use topsell_core::model::{Aggregate, Amount, Event, EventTypes, Events, PathSet, Timestamp, Units};
use topsell_core::progress::Progress;
use topsell_core::rollup::{Replaces, Scope, rollup};
use topsell_core::storage::Store;

use crate::processes::next_random;
use crate::world::World;

/// How many lakes are tried where `TOPSELL_EXACT_ROUNDS` does not say.
const ROUNDS: u64 = 16;
pub const ITEMS: [&str; 4] = ["a", "b", "c", "never"];
const TYPES: [&str; 3] = ["purchase", "view", "refund"];
pub const CATEGORIES: [Option<&str>; 4] = [None, Some("Food"), Some("Food/Fruit"), Some("Toys")];
const HOUR_MICROS: u64 = 3_600_000_000;
/// 1970-01-01T20:00:00Z: the hours after it are of two days.
const FIRST: u64 = 20 * HOUR_MICROS;

/// Returns how many lakes are tried.
pub fn rounds() -> u64 {
    let rounds = std::env::var("TOPSELL_EXACT_ROUNDS").ok().and_then(|text| text.parse().ok());
    rounds.unwrap_or(ROUNDS)
}

/// Returns a moment of eight hours; many are the first or the last of an hour.
pub fn moment(chance: &mut u64) -> Timestamp {
    let hour = FIRST + next_random(chance) % 8 * HOUR_MICROS;
    let micros = match next_random(chance) % 4 {
        0 => hour,
        1 => hour - 1,
        2 => hour + 60_000_000 * (next_random(chance) % 60),
        _ => hour + next_random(chance) % HOUR_MICROS,
    };
    Timestamp::from_micros(micros.cast_signed()).expect("a time")
}

/// Returns some events: sales and returns, of several types and categories, few of whose ids are different.
fn some_events(chance: &mut u64, most: u64) -> Events {
    let mut events = Events::default();
    for _ in 0..1 + next_random(chance) % most {
        let ts = moment(chance);
        let mut draw = |below: u64| next_random(chance) % below;
        let item_id = ITEMS[draw(3) as usize];
        let paths = [&[][..], &["Food"], &["Food/Fruit", "Toys/Blocks"], &["Toys"], &["Food", "Food/Fruit"]];
        let paths = paths[draw(5) as usize].iter().map(|&path| path.to_owned()).collect();
        let path_set = events.path_sets.code(&PathSet::of(paths).expect("few paths"));
        let event_type = events.code_of_type(TYPES[draw(4) as usize % 3]);
        let event_id = format!("e{}", draw(12));
        events.push(&Event {
            ts,
            event_id: (draw(3) > 0).then_some(event_id.as_str()),
            item_id,
            path_set,
            event_type,
            quantity: Units::from_ten_thousandths([10_000, 10_000, 25_000, -10_000][draw(4) as usize]),
            amount: (draw(2) == 0).then(|| Amount::from_ten_thousandths(50_000)).flatten(),
            version: (draw(3) == 0).then(|| draw(3).cast_signed()),
        });
    }
    events
}

/// An event as brute force has it: type, item, then how versions are ordered and what counts.
pub struct Known {
    event_type: String,
    item: String,
    id: Option<String>,
    version: Option<i64>,
    content: (i64, Units, i128, String),
}

fn known_of(events: &Events) -> impl Iterator<Item = Known> {
    (0..events.len()).map(|row| {
        let event = events.event(row);
        let Aggregate { units, amount, .. } = Aggregate::of(event.quantity, event.amount);
        Known {
            event_type: events.event_types[event.event_type as usize].clone(),
            item: event.item_id.to_owned(),
            id: event.event_id.map(str::to_owned),
            version: event.version,
            content: (
                event.ts.micros(),
                units,
                amount,
                events.path_sets.set(event.path_set).paths().join("|"),
            ),
        }
    })
}

/// Returns the events that count: of those with an id the one of its UTC day with the greatest version, and of equal ones
/// the smallest content.
pub fn counted(all: &[Known]) -> Vec<&Known> {
    let mut counted = Vec::new();
    let mut by_identity: BTreeMap<_, &Known> = BTreeMap::new();
    for event in all {
        let Some(id) = &event.id else {
            counted.push(event);
            continue;
        };
        let day = event.content.0.div_euclid(24 * HOUR_MICROS.cast_signed());
        let known = by_identity
            .entry((&event.event_type, &event.item, id, day, event.content.1.is_negative()))
            .or_insert(event);
        let is_newer = event.version > known.version;
        if is_newer || event.version == known.version && event.content < known.content {
            *known = event;
        }
    }
    counted.extend(by_identity.into_values());
    counted
}

fn is_below(paths: &str, category: Option<&str>) -> bool {
    let Some(category) = category else { return true };
    paths.split('|').any(|path| path == category || path.starts_with(&format!("{category}/")))
}

/// Returns what is to be counted of an item, by hour.
pub fn expected(events: &[&Known], query: &CountQuery<'_>, times: &Range<Timestamp>, item: &str) -> ByHour {
    let mut by_hour = ByHour::new();
    for event in events.iter().filter(|event| event.item == item) {
        let (ts, units, amount, paths) = &event.content;
        let ts = Timestamp::from_micros(*ts).expect("a time");
        let Some(counting) = query.event_types.counting(&event.event_type) else { continue };
        if times.contains(&ts) && is_below(paths, query.category) {
            let aggregate = Aggregate { purchases: 1, units: *units, amount: *amount };
            let sum: &mut Aggregate = by_hour.entry(ts.hour()).or_default();
            *sum = sum.plus(counting.applied_to(aggregate)).expect("they are small");
        }
    }
    by_hour
}

/// Commits events as a batch.
pub fn commit(lake: &Lake, id: &str, events: &Events) {
    let transaction = lake.append(DuplicatePolicy::Skip).expect("the disk works");
    let mut staged = transaction.stage();
    let size = BatchSize { events: events.len() as u64, lines: events.len() as u64 };
    transaction.write(&mut staged, id, events, &[], size).expect("the disk works");
    transaction.commit(vec![staged], 0).expect("the disk works");
}

/// Commits some batches to a lake, aggregates some and merges some, and returns all their events.
pub fn some_batches(world: &World, lake: &Lake, chance: &mut u64) -> Vec<Known> {
    let mut all = Vec::new();
    for batch in 0..1 + next_random(chance) % 4 {
        let events = some_events(chance, 40);
        all.extend(known_of(&events));
        commit(lake, &format!("b{batch}"), &events);
        match next_random(chance) % 4 {
            0 => drop(
                rollup(lake, Scope::Changed, Replaces::DamagedOnly, 0, &Progress::ignored())
                    .expect("the disk works"),
            ),
            1 => assert_eq!(world.run("lake compact").code, Some(0)),
            _ => {}
        }
    }
    all
}

/// Returns some batches that are not in a lake yet, and adds their events to all.
pub fn some_uncommitted(lake: &Lake, chance: &mut u64, all: &mut Vec<Known>) -> Vec<Arc<UncommittedBatch>> {
    let version = lake.events().newest().expect("the disk works").number();
    let mut uncommitted = Vec::new();
    for batch in 0..next_random(chance) % 3 {
        let events = some_events(chance, 15);
        all.extend(known_of(&events));
        let id = format!("u{batch}");
        // One of them was committed meanwhile, and is still held.
        if batch == 1 {
            commit(lake, &id, &events);
        }
        let batch = UncommittedBatch::encode(&id, version, &events).expect("events can be encoded");
        uncommitted.push(Arc::new(batch));
    }
    uncommitted
}

#[test]
fn counts_between_any_two_moments_are_those_of_brute_force() {
    let mut chance = 5;
    let mut sold = 0;
    for round in 0..rounds() {
        let world = World::new();
        let store = Store::open(&world.path("data/lake")).expect("a folder can be named");
        let lake = Lake::open_or_create(store.clone(), None).expect("the disk works");
        let mut all = some_batches(&world, &lake, &mut chance);
        let uncommitted = some_uncommitted(&lake, &mut chance, &mut all);
        let events = counted(&all);
        for _ in 0..12 {
            let mut ends = [moment(&mut chance), moment(&mut chance), moment(&mut chance)];
            ends.sort_unstable();
            let [from, between, to] = ends;
            if from == to {
                continue;
            }
            let subtracted =
                [vec![], vec!["refund".to_owned()]][next_random(&mut chance) as usize % 2].clone();
            let types = [&["purchase"][..], &["purchase", "view"]][next_random(&mut chance) as usize % 2];
            let types = types.iter().map(|&of| of.to_owned()).collect();
            let query = CountQuery {
                event_types: &EventTypes::of(types, subtracted),
                hours: from.hour()..to.rounded_up(),
                category: CATEGORIES[next_random(&mut chance) as usize % 4],
                uncommitted: &uncommitted,
            };
            let found = |times: Range<Timestamp>| {
                let query = CountQuery { hours: times.start.hour()..times.end.rounded_up(), ..query.clone() };
                by_exact_times(&store, &query, &times, &ITEMS).expect("the lake can be read")
            };
            let whole = found(from..to);
            for item in ITEMS {
                let expected = expected(&events, &query, &(from..to), item);
                assert_eq!(whole[item], expected, "round {round}: {item}, {from} to {to}, {query:?}");
                sold += expected.values().map(|of| of.purchases).sum::<i64>();
            }
            if from < between && between < to {
                let total = |of: &ByHour| -> Aggregate {
                    let add = |sum: Aggregate, of: &Aggregate| sum.plus(*of).expect("they are small");
                    of.values().fold(Aggregate::default(), add)
                };
                let (before, after) = (found(from..between), found(between..to));
                for item in ITEMS {
                    let both = total(&before[item]).plus(total(&after[item])).expect("they are small");
                    assert_eq!(both, total(&whole[item]), "round {round}: {item} at {between}");
                }
            }
            // Of whole hours they are those of the aggregates.
            let hours = query.hours.start.start()..query.hours.end.start();
            let by_hours = by_hour(&store, &query, &ITEMS).expect("the lake can be read");
            assert_eq!(found(hours), by_hours, "round {round}");
        }
    }
    assert!(sold > 500, "there was much to count: {sold}");
}

const LOG: &str = "\
ts,item_id,event_id,category,quantity,amount,event_type,version
2017-01-14T10:29:59.999999Z,apple,,Food,1,1,purchase,
2017-01-14T10:30:00Z,apple,,Food,2,2,purchase,
2017-01-14T10:30:00.000001Z,apple,,Food,4,4,purchase,
2017-01-14T11:15:00Z,apple,,Food,8,8,purchase,
2017-01-14T12:10:00Z,apple,corrected,Food,100,1,purchase,1
2017-01-14T13:10:00Z,apple,corrected,Food,16,16,purchase,2
2017-01-14T13:20:00Z,apple,,Food,-1,-1,purchase,
2017-01-14T13:20:30Z,apple,,Food,1,,view,
2017-01-14T13:21:10Z,apple,,Food,3,,view,
";

fn shop() -> World {
    let world = World::new();
    world.write("log.csv", LOG);
    assert_eq!(world.run("ingest --map version=version log.csv").code, Some(0));
    world
}

#[test]
fn the_command_counts_to_the_microsecond() {
    let world = shop();
    let check = |options: &str, units: i64| {
        let said = world.run(&format!("count apple --exact-times {options} --json"));
        assert_eq!(said.code, Some(0), "{}", said.whole());
        let answer: Value = serde_json::from_str(&said.stdout).expect("it is JSON");
        assert_eq!(answer["items"][0]["units"], units, "{options}");
    };
    for is_rolled_up in [false, true] {
        check("--from 2017-01-14T10:30:00Z --to 2017-01-14T11:15:00Z", 6);
        check("--from 2017-01-14T10:29:59.999999Z --to 2017-01-14T11:15:00.000001Z", 15);
        check("--from 2017-01-14T10:30:00.000001Z --to 2017-01-14T10:30:00.000002Z", 4);
        check("--from 2017-01-14T10:30:00.000002Z --to 2017-01-14T13:20:00Z", 24);
        check("--from 2017-01-14T12:00:00Z --to 2017-01-14T13:00:00Z", 0);
        // The version that counts is of another hour.
        check("--from 2017-01-14T12:05:00Z --to 2017-01-14T12:15:00Z", 0);
        check("--from 2017-01-14T13:05:00Z --to 2017-01-14T13:15:00Z", 16);
        check("--last 10min --at 2017-01-14T13:20:00Z", 16);
        check("--last 10min --at 2017-01-14T13:20:00.000001Z", -1);
        check("--last 90s --at 2017-01-14T13:21:10Z", -1);
        check("--from 2017-01-14T13:10:00.5Z --at 2017-01-14T13:20:01Z", -1);
        if !is_rolled_up {
            assert_eq!(world.run("rollup").code, Some(0));
        }
    }
    let range = "--from 2017-01-14T10:30:00Z --to 2017-01-14T12:00:00.5Z";
    expect![[r#"
        stdout: {"schema":1,"from":"2017-01-14T10:30:00Z","to":"2017-01-14T12:00:00.5Z","is_filling":false,"event_types":["purchase"],"category":null,"items":[{"item_id":"apple","purchases":3,"units":14,"amount":"14.0000","average":"1.0000"}]}
        exit code 0
    "#]].assert_eq(&world.run(&format!("count apple --exact-times {range} --json")).whole());
    expect![[r#"
        stdout: Counts of apple in the whole shop, 2017-01-14T11:30:00+01:00 to 2017-01-14T13:00:00.5+01:00
        stdout: hour                       purchases  units  amount  average
        stdout: 2017-01-14T11:00:00+01:00          2      6    6.00     1.00
        stdout: 2017-01-14T12:00:00+01:00          1      8    8.00     1.00
        stdout: 2017-01-14T13:00:00+01:00          0      0    0.00        -
        exit code 0
    "#]]
    .assert_eq(
        &world
            .run(&format!("count apple --exact-times {range} --by hour --tz Europe/Berlin --format table"))
            .whole(),
    );
    expect![[r#"
        stdout: item_id,hour,from,to,is_filling,purchases,units,amount,average
        stdout: apple,2017-01-14T10:00:00Z,2017-01-14T10:30:00Z,2017-01-14T11:00:00Z,false,2,6,6.0000,1.0000
        stdout: apple,2017-01-14T11:00:00Z,2017-01-14T11:00:00Z,2017-01-14T12:00:00Z,false,1,8,8.0000,1.0000
        stdout: apple,2017-01-14T12:00:00Z,2017-01-14T12:00:00Z,2017-01-14T12:00:00.5Z,false,0,0,0.0000,
        exit code 0
    "#]]
    .assert_eq(&world.run(&format!("count apple --exact-times {range} --by hour --format csv")).whole());
    expect![[r#"
        stdout: {"schema":1,"from":"2017-01-14T10:30:00Z","to":"2017-01-14T12:00:00.5Z","is_filling":false,"event_types":["purchase"],"category":null,"time_zone":"UTC","items":[{"item_id":"apple","purchases":3,"units":14,"amount":"14.0000","average":"1.0000","by":[{"weekday":"Monday","from":"2017-01-14T10:30:00Z","to":"2017-01-14T12:00:00.5Z","purchases":0,"units":0,"amount":"0.0000","average":null},{"weekday":"Tuesday","from":"2017-01-14T10:30:00Z","to":"2017-01-14T12:00:00.5Z","purchases":0,"units":0,"amount":"0.0000","average":null},{"weekday":"Wednesday","from":"2017-01-14T10:30:00Z","to":"2017-01-14T12:00:00.5Z","purchases":0,"units":0,"amount":"0.0000","average":null},{"weekday":"Thursday","from":"2017-01-14T10:30:00Z","to":"2017-01-14T12:00:00.5Z","purchases":0,"units":0,"amount":"0.0000","average":null},{"weekday":"Friday","from":"2017-01-14T10:30:00Z","to":"2017-01-14T12:00:00.5Z","purchases":0,"units":0,"amount":"0.0000","average":null},{"weekday":"Saturday","from":"2017-01-14T10:30:00Z","to":"2017-01-14T12:00:00.5Z","purchases":3,"units":14,"amount":"14.0000","average":"1.0000"},{"weekday":"Sunday","from":"2017-01-14T10:30:00Z","to":"2017-01-14T12:00:00.5Z","purchases":0,"units":0,"amount":"0.0000","average":null}]}]}
        exit code 0
    "#]]
        .assert_eq(&world.run(&format!("count apple --exact-times {range} --by weekday --json")).whole());
}

#[test]
fn the_last_minutes_are_whole_ones_of_which_the_last_is_filling() {
    let world = shop();
    let at = "--at 2017-01-14T13:21:30Z --event-type view";
    expect![[r#"
        stdout: {"schema":1,"from":"2017-01-14T13:21:00Z","to":"2017-01-14T13:22:00Z","is_filling":true,"event_types":["view"],"category":null,"items":[{"item_id":"apple","purchases":1,"units":3,"amount":"0.0000","average":"0.0000"}]}
        exit code 0
    "#]].assert_eq(&world.run(&format!("count apple --last 1min {at} --json")).whole());
    expect![[r#"
        stdout: Counts in the whole shop, 2017-01-14T13:20:00Z to 2017-01-14T13:22:00Z, counting view, the last minute still filling
        stdout: item   purchases  units  amount  average
        stdout: apple          2      4    0.00     0.00
        exit code 0
    "#]].assert_eq(&world.run(&format!("count apple --last 2min {at} --format table")).whole());
    expect![[r#"
        stdout: item_id,from,to,is_filling,purchases,units,amount,average
        stdout: apple,2017-01-14T13:20:00Z,2017-01-14T13:22:00Z,true,2,4,0.0000,0.0000
        exit code 0
    "#]]
    .assert_eq(&world.run(&format!("count apple --last 2min {at} --format csv")).whole());
    let units = |last: &str| {
        let said = world.run(&format!("count apple --last {last} --at 2017-01-14T13:21:30Z --json"));
        let answer: Value = serde_json::from_str(&said.stdout).expect("it is JSON");
        answer["items"][0]["units"].as_i64().expect("units are whole")
    };
    // An hour in minutes is not the hour of the clock.
    assert_eq!(
        (units("60min"), units("1h"), units("10min"), units("12min"), units("3h1min")),
        (15, 15, -1, 15, 30)
    );
}

#[test]
fn statistics_are_shown_alone() {
    let world = shop();
    let at = "--at 2017-01-14T13:30:00Z";
    expect![[r#"
        stdout: {"schema":1,"hours_from":"2017-01-13T14:00:00Z","hours_to":"2017-01-14T14:00:00Z","is_filling":true,"event_types":["view"],"category":null,"items":[{"item_id":"apple","events":2,"sum":4,"mean":"2.0000"},{"item_id":"none","events":0,"sum":0,"mean":null}]}
        exit code 0
    "#]].assert_eq(
        &world
            .run(&format!("count apple none --event-type view --stat count,sum --stat mean {at} --json"))
            .whole(),
    );
    expect![[r#"
        stdout: item_id,hours_from,hours_to,is_filling,mean
        stdout: apple,2017-01-13T14:00:00Z,2017-01-14T14:00:00Z,true,2.0000
        stdout: none,2017-01-13T14:00:00Z,2017-01-14T14:00:00Z,true,
        exit code 0
    "#]]
    .assert_eq(
        &world
            .run(&format!("count apple none --event-type view --stat mean --stat mean {at} --format csv"))
            .whole(),
    );
    expect![[r#"
        stdout: Counts of apple in the whole shop, 2017-01-14T10:00:00Z to 2017-01-14T14:00:00Z, the last hour still filling
        stdout: hour                    mean  events
        stdout: 2017-01-14T10:00:00Z  2.3333       3
        stdout: 2017-01-14T11:00:00Z  8.0000       1
        stdout: 2017-01-14T12:00:00Z       -       0
        stdout: 2017-01-14T13:00:00Z  7.5000       2
        exit code 0
    "#]].assert_eq(
        &world
            .run(&format!("count apple --stat mean --stat count --last 4h --by hour {at} --format table"))
            .whole(),
    );
    expect![[r#"
        stderr: error: invalid value 'max' for '--stat <STATISTIC>'
        stderr:   [possible values: count, sum, mean]
        stderr: 
        stderr:   tip: a similar value exists: 'mean'
        stderr: 
        stderr: For more information, try '--help'.
        exit code 2
    "#]]
    .assert_eq(&world.run("count apple --stat max").whole());
}

#[test]
fn what_cannot_be_counted_is_refused() {
    let world = shop();
    let mut said = String::new();
    for options in [
        "--last 90s",
        "--last 0min",
        "--last 0s --exact-times",
        "--last 10m --exact-times",
        "--from 2017-01-14T12:00:00Z --to 2017-01-14T12:00:00Z --exact-times",
        "--from 2018-01-14T12:00:00Z --exact-times",
        "--from 1900-01-01 --to 2017-01-14 --exact-times",
        "--last 2h --from 2017-01-14 --exact-times",
        "--to 2017-01-14 --exact-times",
        "--last 90y --exact-times --at 0010-01-01",
    ] {
        writeln!(said, "{}", world.run(&format!("count apple {options}")).whole()).expect("a text can grow");
    }
    expect![[r#"
        stderr: error: --last: `90s` is not a whole number of minutes; write 1min or 2min
        exit code 2

        stderr: error: --last: `0min` is zero; pass at least 1min
        exit code 2

        stderr: error: --last: `0s` is zero; pass at least 1s
        exit code 2

        stderr: error: --last: `10m`: m may be minutes or months; write min for minutes, and months in days, such as 30d
        exit code 2

        stderr: error: --from 2017-01-14T12:00:00Z is not before --to 2017-01-14T12:00:00Z
        exit code 2

        stderr: error: --from 2018-01-14T12:00:00Z is not before --to 2017-01-15T00:00:00Z
        exit code 2

        stderr: error: --from and --to are more than 100 years apart
        exit code 2

        stderr: error: the argument '--last <DURATION>' cannot be used with '--from <TIME>'
        stderr: 
        stderr: Usage: topsell count --last <DURATION> --exact-times <ITEM|->...
        stderr: 
        stderr: For more information, try '--help'.
        exit code 2

        stderr: error: --to needs --from or --last
        exit code 2

        stderr: error: --last: the time range is outside of the years 1 to 9998
        exit code 2

    "#]].assert_eq(&said);
}

/// A later correction takes an event out of the range that was counted before, and puts it into another.
#[test]
fn a_correction_moves_an_event_from_one_minute_to_another() {
    let world = World::new();
    let ingest = |name: &str, line: &str| {
        world.write(name, format!("ts,item_id,event_id,quantity,version\n{line}\n"));
        let said = world.run(&format!("ingest --map version=version {name}"));
        assert!(matches!(said.code, Some(0 | 4)), "{}", said.whole());
    };
    let minutes = || -> BTreeSet<u32> {
        let has = |minute: &u32| {
            let said = world.run(&format!(
                "count a --exact-times --from 2017-01-14T12:{minute:02}:00Z --to 2017-01-14T12:{:02}:00Z --stat count --json",
                minute + 1
            ));
            assert!(said.code == Some(0), "{}", said.whole());
            said.stdout.contains("\"events\":1}")
        };
        (10..14).filter(has).collect()
    };
    ingest("1.csv", "2017-01-14T12:10:30Z,a,x,1,1");
    assert_eq!(minutes(), BTreeSet::from([10]));
    assert_eq!(world.run("rollup").code, Some(0));
    ingest("2.csv", "2017-01-14T12:12:30Z,a,x,1,2");
    assert_eq!(minutes(), BTreeSet::from([12]));
    // An older version comes late.
    ingest("3.csv", "2017-01-14T12:11:30Z,a,x,1,0");
    assert_eq!(minutes(), BTreeSet::from([12]));
    assert_eq!(world.run("lake compact").code, Some(0));
    // The newest one is of another hour.
    ingest("4.csv", "2017-01-14T20:00:00Z,a,x,1,3");
    assert_eq!(minutes(), BTreeSet::new());
    // Of another day it is another event.
    ingest("5.csv", "2017-01-15T00:00:00Z,a,x,1,9");
    assert_eq!(minutes(), BTreeSet::new());
}
