//! The counts of recent hours in memory are those of the lake, whatever order events come in: some in the lake before,
//! aggregated or not, some durable and uncommitted, and some added one by one.

use std::sync::Arc;

use topsell_core::counts::{CountQuery, by_exact_times, by_hour};
use topsell_core::lake::{Lake, UncommittedBatch};
use topsell_core::model::{Amount, Event, EventTypes, Events, Hour, PathSet, Timestamp, Units};
use topsell_core::progress::Progress;
use topsell_core::rollup::{RecentHours, Replaces, Scope, rollup};
use topsell_core::storage::Store;

use crate::exact_times::commit;
use crate::processes::next_random;
use crate::world::World;

const ROUNDS: u64 = 60;
const ITEMS: [&str; 5] = ["a", "b", "c", "d", "never"];
const TYPES: [&str; 3] = ["purchase", "view", "refund"];

/// Returns some events, of which few ids are shared.
fn events(chance: &mut u64, count: u64, ids: u64) -> Events {
    let mut events = Events::default();
    for _ in 0..count {
        let mut draw = |below: u64| next_random(chance) % below;
        let (item, hour, id) = (draw(4) as usize, 10 + draw(30) as i32, draw(ids));
        let paths = [&[][..], &["Food"], &["Food", "Toys/Blocks"], &["Toys"]][draw(4) as usize];
        let paths = paths.iter().map(|&path| path.to_owned()).collect();
        let path_set = events.path_sets.code(&PathSet::of(paths).expect("few paths"));
        let event_type = events.code_of_type(TYPES[draw(3) as usize]);
        let event_id = format!("e{id}");
        events.push(&Event {
            ts: Timestamp::from_micros(i64::from(hour) * 3_600_000_000 + 60_000_000 * draw(3).cast_signed())
                .expect("a time"),
            event_id: (draw(3) > 0).then_some(event_id.as_str()),
            item_id: ITEMS[item],
            path_set,
            event_type,
            quantity: Units::from_ten_thousandths([10_000, 10_000, 20_000, -10_000][draw(4) as usize]),
            amount: (draw(2) == 0).then(|| Amount::from_ten_thousandths(50_000)).flatten(),
            version: None,
        });
    }
    events
}

#[test]
fn they_are_those_of_the_lake_or_left_to_it() {
    let mut chance = 9;
    let (mut answered, mut left) = (0, 0);
    let (mut in_minutes, mut minutes_left) = (0, 0);
    for round in 0..ROUNDS {
        let world = World::new();
        let store = Store::open(&world.path("lake")).expect("a folder can be named");
        let lake = Lake::open_or_create(store.clone(), None).expect("the disk works");
        // Mostly other ids, so that not all items are left to the lake.
        let ids = if round % 3 == 0 { 20 } else { 2_000 };
        let mut some = |most: u64| {
            let count = 1 + next_random(&mut chance) % most;
            events(&mut chance, count, ids)
        };
        commit(&lake, "first", &some(40));
        if round % 2 == 0 {
            rollup(&lake, Scope::Changed, Replaces::DamagedOnly, 0, &Progress::ignored())
                .expect("the disk works");
        }
        commit(&lake, "second", &some(20));
        let third = some(20);
        let uncommitted =
            Arc::new(UncommittedBatch::encode("third", 0, &third).expect("events can be encoded"));
        let from = Hour::new(15);
        // Committed meanwhile, and still held, in one of four rounds.
        let is_committed = round % 4 == 3;
        if is_committed {
            commit(&lake, "third", &third);
        }
        let times = (from, Hour::new(32).start());
        let loaded = RecentHours::load(&store, times, &[Arc::clone(&uncommitted)]).expect("the disk works");
        let (mut recent, versions) = loaded.expect("nothing changes meanwhile");
        assert_eq!(versions.events, 2 + u64::from(is_committed), "round {round}");
        let mut added = Events::default();
        for _ in 0..4 {
            let more = some(6);
            recent.add(&more, &mut |_, _| {});
            added.append(&more);
            let last =
                Arc::new(UncommittedBatch::encode("fourth", 2, &added).expect("events can be encoded"));
            let all = [Arc::clone(&uncommitted), last];
            for (types, subtracted) in [(&["purchase"][..], &[][..]), (&["purchase", "view"], &["refund"])] {
                let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
                let event_types = EventTypes::of(texts(types), texts(subtracted));
                for (start, minutes) in [(Hour::new(33), 1), (Hour::new(32), 2), (Hour::new(35), 110)] {
                    let times = start.start()..start.start().plus_seconds(60 * minutes);
                    let query = CountQuery {
                        event_types: &event_types,
                        hours: start..times.end.rounded_up(),
                        category: None,
                        uncommitted: &all,
                    };
                    let expected =
                        by_exact_times(&store, &query, &times, &ITEMS).expect("the lake can be read");
                    for item in ITEMS {
                        let Some(found) = recent.by_minutes(&event_types, &times, &[item]) else {
                            minutes_left += 1;
                            continue;
                        };
                        in_minutes += found[0].values().map(|of| of.purchases).sum::<i64>();
                        assert_eq!(found[0], expected[item], "round {round}: {item} {types:?} {times:?}");
                    }
                }
                for hours in [from..Hour::new(41), Hour::new(20)..Hour::new(30)] {
                    for item in ITEMS {
                        let found = recent.by_hour(&event_types, &hours, &[item]);
                        let Some(found) = found else {
                            left += 1;
                            continue;
                        };
                        answered += 1;
                        let query = CountQuery {
                            event_types: &event_types,
                            hours: hours.clone(),
                            category: None,
                            uncommitted: &all,
                        };
                        let expected = by_hour(&store, &query, &[item]).expect("the lake can be read");
                        assert_eq!(found[0], expected[item], "round {round}: {item} {types:?} {hours:?}");
                    }
                }
            }
        }
        assert_eq!(recent.by_hour(&EventTypes::of(vec![], vec![]), &(Hour::new(14)..from), &["a"]), None);
        // Of later hours nothing is forgotten.
        let hours = Hour::new(25)..Hour::new(41);
        let views = EventTypes::of(vec!["view".to_owned()], vec![]);
        let before = recent.by_hour(&views, &hours, &["a"]);
        drop(recent.forget_before(Hour::new(25)));
        while recent.forget_step() {}
        assert_eq!(recent.by_hour(&views, &hours, &["a"]), before, "round {round}");
        assert_eq!(recent.by_hour(&views, &(from..Hour::new(41)), &["a"]), None);
        // Minutes that are older, or parts of minutes, are left to the lake.
        let start = Hour::new(32).start();
        let minutes = |from: i64, to: i64| start.plus_seconds(from)..start.plus_seconds(to);
        assert_eq!(recent.by_minutes(&views, &minutes(-60, 60), &["never"]), None);
        assert_eq!(recent.by_minutes(&views, &minutes(0, 61), &["never"]), None);
        assert!(recent.by_minutes(&views, &minutes(0, 60), &["never"]).is_some());
        let before = recent.by_minutes(&views, &minutes(3_600, 9_000), &["a"]);
        (0..64).for_each(|_| recent.forget_minutes_before(start.plus_seconds(3_600)));
        assert_eq!(recent.by_minutes(&views, &minutes(3_600, 9_000), &["a"]), before, "round {round}");
        assert_eq!(recent.by_minutes(&views, &minutes(3_540, 9_000), &["never"]), None);
    }
    assert!(answered > 1_000 && left > 100, "{answered} answered, {left} left to the lake");
    assert!(
        in_minutes > 500 && minutes_left > 100,
        "{in_minutes} in minutes, {minutes_left} left to the lake"
    );
}
