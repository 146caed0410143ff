//! What a command reads follows what changed, however old the lake is: counted, on lakes of a week and of half a year.

use topsell_core::counts::{self, CountQuery};
use topsell_core::ingest;
use topsell_core::ingest::StreamOptions;
use topsell_core::input_format::Mapping;
use topsell_core::lake::{DryRun, DuplicatePolicy};
use topsell_core::model::{Decay, EventTypes, Timestamp, Week, Window, Zone};
use topsell_core::pipeline::{self, Caller, RankOutput, Step};
use topsell_core::progress::Progress;
use topsell_core::rank::{Measure, Rules};
use topsell_core::rankings::Publication;
use topsell_core::rollup::{Replaces, Scope};
use topsell_core::storage::{LockTimeout, Store};

use crate::faults::disk::{Faults, Manner};
use crate::world::World;

/// What a command has read of a lake.
#[derive(Clone, Copy, Debug)]
struct Read {
    /// Requests to the disk: files opened, parts of files read, files written.
    requests: i64,
    kilobytes: u64,
}

/// A lake of so many hours, with 15 purchases an hour, and its end.
struct AgedLake {
    world: World,
    now: Timestamp,
}

impl AgedLake {
    fn of(hours: i32) -> AgedLake {
        let world = World::new();
        let purchases = 15 * hours;
        let said = world.run(&format!(
            "datagen --lake-age {hours}h --purchases {purchases} --items 1000 --leaves 200 --tops 20 old"
        ));
        assert_eq!(said.code, Some(0), "{}", said.whole());
        // Where the logs of every such lake begin.
        let first = Timestamp::parse("2024-01-01T00:00:00Z").expect("it is a time");
        AgedLake { world, now: first.hour().plus(hours).start() }
    }

    fn read(&self, run: impl FnOnce(&Store)) -> Read {
        let counter = Faults::after(i64::MAX, Manner::Undone);
        let lake = self.world.path("old/lake");
        let store = Store::open_through(&lake, |disk| counter.before(disk)).expect("there is a lake");
        run(&store);
        Read { requests: i64::MAX - counter.left(), kilobytes: store.bytes_read() >> 10 }
    }

    fn step(&self, step: &Step) -> Read {
        let caller = Caller {
            name: "a test".to_owned(),
            lock_timeout: LockTimeout::NoWait,
            now: self.now,
            stdin: None,
        };
        self.read(|store| {
            pipeline::run(step, store, &caller, &Progress::default()).expect("the step succeeds");
        })
    }

    fn ingest(&self) -> Read {
        let at = self.now.hour().plus(-1).start();
        self.world.write("one.csv", format!("ts,item_id,category,quantity\n{at},one,Department 7,1\n"));
        let plan = ingest::plan(&[self.world.path("one.csv")], None);
        let options = ingest::Options {
            now: self.now,
            max_skew_seconds: 3_600,
            dry_run: DryRun::No,
            duplicates: DuplicatePolicy::Skip,
            max_reject_bytes: u64::MAX,
            stream: StreamOptions::default(),
        };
        let mapping = Mapping::none(ingest::FIELDS);
        self.step(&Step::Ingest { plan, options, mapping, catalog: None, slice_bytes: None })
    }

    fn rank(&self, min_items: u64) -> Read {
        let as_of = self.now.hour();
        let rules = Rules {
            window: Window::ending(as_of, 150),
            decay: Decay::half_life_seconds(48 * 3_600).expect("a half-life"),
            measure: Measure::Units,
            limit: 100,
            min_items,
            max_lookback_hours: 24 * 365,
            week: Week::ending(as_of, Zone::utc()),
        };
        let event_types = purchases();
        self.step(&Step::Rank {
            rules,
            event_types,
            catalog: None,
            tail: false,
            freshness: None,
            output: RankOutput::Publish(Publication::default()),
        })
    }

    fn count(&self, hours: i32) -> Read {
        let (event_types, end) = (purchases(), self.now.hour());
        let query = CountQuery {
            event_types: &event_types,
            hours: end.plus(-hours)..end,
            category: None,
            uncommitted: &[],
        };
        self.read(|store| drop(counts::by_hour(store, &query, &["one"]).expect("it can be read")))
    }
}

fn purchases() -> EventTypes {
    EventTypes::of(vec!["purchase".to_owned()], Vec::new())
}

#[test]
fn what_is_read_follows_what_changed_and_not_the_age_of_the_lake() {
    let (week, half_year) = (AgedLake::of(7 * 24), AgedLake::of(26 * 7 * 24));
    let rollup = Step::Rollup { scope: Scope::Changed, replaces: Replaces::DamagedOnly, dry_run: DryRun::No };
    let all = |lake: &AgedLake| {
        [
            ("ingest", lake.ingest()),
            ("rollup", lake.step(&rollup)),
            ("rank", lake.rank(0)),
            ("rank, extended", lake.rank(50)),
            ("count 24 h", lake.count(24)),
            ("count all", lake.count(26 * 7 * 24)),
            ("compact", lake.step(&Step::Compact { dry_run: DryRun::No })),
        ]
    };
    // 26 times the days: a file for each more would be 175 requests more.
    let most = |name: &str, young: Read| match name {
        // With the files of days, each of five rounds would read those of all its days.
        "rank, extended" => 400,
        // Some parts of a file for each month.
        "count all" => young.requests + 6 * 6,
        // The log lists the hourly files that were merged, in several parts.
        "rollup" | "compact" => 3 * young.requests,
        "rank" => young.requests * 3 / 2,
        _ => young.requests + 10,
    };
    for ((name, young), (_, old)) in all(&week).into_iter().zip(all(&half_year)) {
        assert!(
            old.requests <= most(name, young),
            "{name}: {young:?} after a week, {old:?} after half a year"
        );
        if ["ingest", "rollup", "rank"].contains(&name) {
            assert!(old.kilobytes <= 2 * young.kilobytes + 16, "{name}: {young:?} {old:?}");
        }
    }
}
