//! `topsell top --last 10min` and `--exact-times`: lists between any two moments are those of brute force over all events,
//! however many are in the lake, aggregated, merged, or durable and uncommitted.

use std::cmp::Reverse;
use std::ops::Range;
use std::sync::Arc;

use expect_test::expect;
use serde_json::Value;
use topsell_core::counts::{CountQuery, TopQuery, top};
use topsell_core::lake::{Lake, UncommittedBatch};
use topsell_core::model::{Aggregate, EventTypes, Timestamp, Units};
use topsell_core::rank::Measure;
use topsell_core::storage::Store;

use crate::exact_times::{
    CATEGORIES, ITEMS, Known, counted, expected, moment, rounds, some_batches, some_uncommitted,
};
use crate::processes::next_random;
use crate::world::World;

const MINUTE_MICROS: i64 = 60_000_000;
const MEASURES: [Measure; 3] = [Measure::Units, Measure::Purchases, Measure::Amount];

/// What is asked for, but for the time.
struct Asked {
    event_types: EventTypes,
    category: Option<&'static str>,
    measure: Measure,
    limit: usize,
}

/// The first items and what they have; how many items there are, and what these have.
type Listed = (Vec<(String, Aggregate)>, u64, Aggregate);

fn asked(chance: &mut u64) -> Asked {
    let mut draw = |below: u64| next_random(chance) as usize % below as usize;
    let types = [&["purchase"][..], &["purchase", "view"]][draw(2)].iter().map(|&of| of.to_owned()).collect();
    let subtracted = [vec![], vec!["refund".to_owned()]][draw(2)].clone();
    Asked {
        event_types: EventTypes::of(types, subtracted),
        category: CATEGORIES[draw(4)],
        measure: MEASURES[draw(3)],
        limit: 1 + draw(4),
    }
}

impl Asked {
    /// Returns the list of events that count, by brute force.
    fn expected(&self, events: &[&Known], times: &Range<Timestamp>) -> Listed {
        let query = CountQuery {
            event_types: &self.event_types,
            hours: times.start.hour()..times.end.rounded_up(),
            category: self.category,
            uncommitted: &[],
        };
        let add = |sum: Aggregate, of: Aggregate| sum.plus(of).expect("they are small");
        let sold = ITEMS.map(|item| {
            let of_item = expected(events, &query, times, item).into_values().fold(Aggregate::default(), add);
            (item.to_owned(), of_item)
        });
        let measure = |of: &Aggregate| self.measure.of(*of).expect("they are small");
        let mut sold: Vec<(String, Aggregate)> = sold.into_iter().filter(|(_, of)| measure(of) > 0).collect();
        sold.sort_by_key(|(item, of)| (Reverse(measure(of)), Reverse(of.units), item.clone()));
        let (count, total) =
            (sold.len() as u64, sold.iter().map(|(_, of)| *of).fold(Aggregate::default(), add));
        sold.truncate(self.limit);
        (sold, count, total)
    }

    fn found(
        &self,
        store: &Store,
        uncommitted: &[Arc<UncommittedBatch>],
        times: &Range<Timestamp>,
    ) -> Listed {
        let query = TopQuery {
            event_types: &self.event_types,
            times: times.clone(),
            measure: self.measure,
            limit: self.limit,
            category: self.category,
            uncommitted,
        };
        let found = top(store, &query).expect("the lake can be read");
        found.map_or((Vec::new(), 0, Aggregate::default()), |found| {
            let items = found.items.into_iter().map(|item| (item.item_id, item.aggregate));
            (items.collect(), found.eligible_items, found.aggregate)
        })
    }

    /// Returns what the command says.
    fn said(&self, world: &World, options: &str) -> (Value, Listed) {
        let mut words = format!("top {options} -n {} --measure {} --json", self.limit, self.measure.name());
        for of in &self.event_types.counted {
            words.push_str(&format!(" --event-type {of}"));
        }
        for of in &self.event_types.subtracted {
            words.push_str(&format!(" --subtract {of}"));
        }
        words.extend(self.category.map(|path| format!(" -c {path}")));
        let said = world.run(&words);
        assert_eq!(said.code, Some(0), "{words}: {}", said.whole());
        let list: Value = serde_json::from_str(&said.stdout).expect("it is JSON");
        let items = list["items"].as_array().into_iter().flatten();
        let items =
            items.map(|item| (item["item_id"].as_str().expect("an id").to_owned(), aggregate_of(item)));
        let listed = (items.collect(), list["eligible_items"].as_u64().expect("a number"), {
            aggregate_of(&list["total"])
        });
        (list, listed)
    }
}

fn aggregate_of(numbers: &Value) -> Aggregate {
    let ten_thousandths = |number: f64| (number * 10_000.0).round() as i64;
    let amount = numbers["amount"].as_str().and_then(|text| text.parse().ok());
    Aggregate {
        purchases: numbers["purchases"].as_i64().expect("a number"),
        units: Units::from_ten_thousandths(ten_thousandths(numbers["units"].as_f64().expect("a number"))),
        amount: ten_thousandths(amount.expect("a decimal")).into(),
    }
}

/// Returns N minutes, the last of which has a moment.
fn minutes_until(at: Timestamp, count: i64) -> Range<Timestamp> {
    let last = at.micros().div_euclid(MINUTE_MICROS) * MINUTE_MICROS;
    let of = |micros: i64| Timestamp::from_micros(micros).expect("a time");
    of(last - (count - 1) * MINUTE_MICROS)..of(last + MINUTE_MICROS)
}

#[test]
fn lists_between_any_two_moments_are_those_of_brute_force() {
    let mut chance = 3;
    let mut listed = 0;
    for round in 0..rounds() {
        let world = World::new();
        let store = Store::open(&world.path("data/lake")).expect("a folder can be named");
        let lake = Lake::open_or_create(store.clone(), None).expect("the disk works");
        let mut all = some_batches(&world, &lake, &mut chance);
        let events = counted(&all);
        for _ in 0..6 {
            let (asked, at) = (asked(&mut chance), moment(&mut chance));
            let minutes = [1, 10, 60, 61, 150, 299][next_random(&mut chance) as usize % 6];
            let times = minutes_until(at, minutes);
            let (list, found) = asked.said(&world, &format!("--last {minutes}min --at {at}"));
            let ends = [times.start, times.end].map(|end| Value::from(end.to_string()));
            assert_eq!([&list["from"], &list["to"]], [&ends[0], &ends[1]]);
            assert_eq!(list["is_filling"], true);
            assert_eq!(found, asked.expected(&events, &times), "round {round}: {minutes} minutes at {at}");
            listed += found.0.len();
        }
        let (asked_exactly, [from, to]) = (asked(&mut chance), [(); 2].map(|()| moment(&mut chance)));
        if from < to {
            let range = format!("--exact-times --from {from} --to {to}");
            let found = asked_exactly.said(&world, &range).1;
            assert_eq!(found, asked_exactly.expected(&events, &(from..to)), "round {round}: {range}");
        }
        drop(events);
        let uncommitted = some_uncommitted(&lake, &mut chance, &mut all);
        let events = counted(&all);
        for _ in 0..12 {
            let asked = asked(&mut chance);
            let mut ends = [moment(&mut chance), moment(&mut chance)];
            ends.sort_unstable();
            let minutes = minutes_until(ends[0], 1 + (next_random(&mut chance) % 200).cast_signed());
            for times in [ends[0]..ends[1], minutes] {
                if times.is_empty() {
                    continue;
                }
                let found = asked.found(&store, &uncommitted, &times);
                assert_eq!(found, asked.expected(&events, &times), "round {round}: {times:?}");
                listed += found.0.len();
            }
        }
    }
    assert!(listed > 300, "there was much to list: {listed}");
}

#[test]
fn a_list_of_minutes_says_what_it_is() {
    let world = World::new();
    world.write(
        "log.csv",
        "ts,item_id,event_id,category,quantity,amount\n2017-01-14T12:55:59.999999Z,apple,,Food,9,9\n\
         2017-01-14T12:56:00Z,apple,,Food,2,4\n2017-01-14T13:05:59.999999Z,ball,,Toys,3,60\n\
         2017-01-14T13:05:10Z,ball,o-1,Toys|Gifts,1,20\n2017-01-14T13:06:00Z,pear,,Food,7,7\n",
    );
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    let at = "--at 2017-01-14T13:05:20Z";
    expect![[r#"
        stdout: {"schema":1,"from":"2017-01-14T12:56:00Z","to":"2017-01-14T13:06:00Z","is_filling":true,"event_types":["purchase"],"category":null,"measure":"units","eligible_items":2,"total":{"units":6,"purchases":3,"amount":"84.0000"},"others":null,"items":[{"rank":1,"item_id":"ball","units":4,"purchases":2,"amount":"80.0000","share_percent":66.67},{"rank":2,"item_id":"apple","units":2,"purchases":1,"amount":"4.0000","share_percent":33.33}]}
        exit code 0
    "#]].assert_eq(&world.run(&format!("top --last 10min {at} --json")).whole());
    expect![[r#"
        stdout: Top items of Gifts by units, 2017-01-14T13:05:00Z to 2017-01-14T13:06:00Z, the last minute still filling
        stdout: rank  item  units     share  purchases  amount
        stdout:    1  ball      1  100.00 %          1   20.00
        exit code 0
    "#]].assert_eq(&world.run(&format!("top --last 1min -c Gifts {at} --format table")).whole());
    expect![[r#"
        stdout: category,rank,item_id,units,purchases,amount,share_percent
        stdout: ,1,apple,11,2,13.0000,91.67
        stdout: ,2,ball,1,1,20.0000,8.33
        exit code 0
    "#]]
    .assert_eq(&world.run(&format!("top --last 10min --exact-times {at} --format csv")).whole());
    expect![[r#"
        stderr: error: --rising compares whole hours, not minutes or exact times; pass --last in hours, such as 1h
        exit code 2
    "#]].assert_eq(&world.run(&format!("top --rising --last 60min {at}")).whole());
    for wrong in [
        "top --last 90s",
        "top --last 0min",
        "top --decay --last 10min",
        "top --decay --exact-times",
        "top --rising --exact-times --last 1h",
    ] {
        assert_eq!(world.run(wrong).code, Some(2), "{wrong}");
    }
}
