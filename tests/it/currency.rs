//! A lake has one currency, whoever names the first one, and what an input in two brings in is said.

use std::sync::Barrier;

use topsell_core::lake::{BatchSize, CommitOutcome, DuplicatePolicy, Lake, LakeError};
use topsell_core::model::{Currency, Event, Events, PathSets, RawCategories, Timestamp, Units};
use topsell_core::storage::Store;

use crate::world::World;

const HEADER: &str = "ts,item_id,amount,currency\n";
const IN_EUROS: &str = "2017-01-14T10:00:00Z,apple,1.00,EUR\n";
const IN_DOLLARS: &str = "2017-01-14T10:00:00Z,apple,1.00,USD\n";

/// Returns the line that the program names in front of which an input is ingested.
fn named_line(stderr: &str) -> u64 {
    let (_, rest) = stderr.split_once("only what is before line ").expect("it is said what is ingested");
    let (line, _) = rest.split_once(' ').expect("a number follows");
    line.parse().expect("it is a number")
}

/// Slices in front of the second currency were committed, and only that the input failed was said.
#[test]
fn of_an_input_in_two_currencies_it_is_said_which_lines_are_ingested() {
    let world = World::new();
    world.write("two.csv", format!("{HEADER}{}{IN_DOLLARS}", IN_EUROS.repeat(8_000)));
    let said = world.run("ingest --slice-size 64KiB two.csv");
    assert_eq!(said.code, Some(4), "{}", said.whole());
    let before = named_line(&said.stderr);
    assert!(before > 2, "{}", said.whole());
    // The header is a line too.
    let account = format!("{0} read = {0} accepted + 0 duplicate + 0 rejected", before - 2);
    assert!(said.stderr.contains(&account), "{}", said.whole());
    // What the message proposes brings in the rest, and nothing twice.
    let said = world.run("ingest two.csv --currency EUR");
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert!(said.stderr.contains(&format!(" {} duplicate", before - 2)), "{}", said.whole());
    assert!(world.sold().contains("apple,8000,8000,8000.0000"), "{}", world.sold());
    // An input that is committed as a whole brings in nothing.
    let said = world.run("--lake other ingest --slice-size 64KiB --batch-id b two.csv");
    assert_eq!(said.code, Some(1), "{}", said.whole());
    assert!(!said.stderr.contains("only what is before"), "{}", said.whole());
}

#[test]
fn of_a_stream_in_two_currencies_it_is_said_which_lines_are_ingested() {
    let world = World::new();
    let stream = format!("{HEADER}{}{IN_DOLLARS}{IN_EUROS}", IN_EUROS.repeat(5));
    let said = world.run_with(&["ingest", "--format", "csv", "--commit-every", "2", "-"], stream.as_bytes());
    assert_eq!(said.code, Some(4), "{}", said.whole());
    assert_eq!(named_line(&said.stderr), 6, "{}", said.whole());
    assert!(said.stderr.contains("4 read = 4 accepted"), "{}", said.whole());
}

/// Returns one sale.
fn sale() -> Events {
    let mut path_sets = PathSets::default();
    let path_set = path_sets.read(&RawCategories::Text("Fruit")).expect("it is a path");
    let mut events = Events::default();
    events.event_types = vec!["purchase".to_owned()];
    events.push(&Event {
        ts: Timestamp::parse("2017-01-14T10:00:00Z").expect("it is a time"),
        event_id: None,
        item_id: "apple",
        path_set,
        event_type: 0,
        quantity: Units::default(),
        amount: None,
        version: None,
    });
    events.path_sets = path_sets;
    events
}

/// Both writers have seen a lake without a currency before either of them commits.
#[test]
fn of_two_writers_that_name_the_first_currency_at_once_one_is_refused() {
    for round in 0..30 {
        let world = World::new();
        let barrier = Barrier::new(2);
        let write = |code: &str| -> Result<Vec<CommitOutcome>, LakeError> {
            let store = Store::open(&world.path("lake")).expect("a folder can be named");
            let lake = Lake::open_or_create(store, None)?;
            assert_eq!(lake.currency()?, None);
            let transaction = lake.append(DuplicatePolicy::Skip)?;
            let mut staged = transaction.stage();
            staged.set_currency(Currency::parse(code));
            transaction.write(&mut staged, code, &sale(), &[], BatchSize { events: 1, lines: 1 })?;
            barrier.wait();
            transaction.commit(vec![staged], 1_484_388_000_000)
        };
        let outcomes = std::thread::scope(|scope| {
            let writers = ["EUR", "USD"].map(|code| scope.spawn(move || write(code)));
            writers.map(|writer| writer.join().expect("it does not panic"))
        });
        let store = Store::open(&world.path("lake")).expect("a folder can be named");
        let lake = Lake::open(store).expect("it was created");
        let winner = lake.currency().expect("it can be read").expect("one was first").to_string();
        let mut committed = 0;
        for (code, outcome) in ["EUR", "USD"].into_iter().zip(outcomes) {
            match outcome {
                Ok(outcomes) => {
                    assert_eq!(outcomes, [CommitOutcome::Committed], "round {round}");
                    assert_eq!(code, winner, "round {round}");
                    committed += 1;
                }
                Err(LakeError::OtherCurrency { found, .. }) => assert_eq!(found.to_string(), code),
                Err(error) => panic!("round {round}: {error}"),
            }
            assert_eq!(lake.size_of_batch(code).expect("it can be read").is_some(), code == winner);
        }
        assert_eq!(committed, 1, "round {round}");
    }
}

/// Messages in another currency than that of another writer's first sale were answered with an error for ever.
#[test]
fn messages_in_a_currency_that_lost_the_race_are_rejected_when_they_are_sent_again() {
    use std::io::{BufRead, BufReader, Write};
    let world = World::new();
    let mut command = world.command(&["ingest", "--ack", "rsyslog", "-"]);
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the program under test can be started");
    let mut pipe = child.stdin.take().expect("it is a pipe");
    let mut answers = BufReader::new(child.stdout.take().expect("it is a pipe")).lines();
    let mut answer = || answers.next().expect("there is an answer").expect("it is text");
    assert_eq!(answer(), "OK");
    world.write("euro.csv", format!("{HEADER}{IN_EUROS}"));
    assert_eq!(world.run("ingest euro.csv").code, Some(0));
    let message = "{\"ts\":1484388000,\"item_id\":\"a\",\"amount\":1,\"currency\":\"USD\"}\n";
    pipe.write_all(message.as_bytes()).expect("it is read");
    assert!(answer().starts_with("Error: the amounts of the lake are in EUR"));
    pipe.write_all(message.as_bytes()).expect("it is read");
    assert_eq!(answer(), "OK", "it is in the rejects");
    drop(pipe);
    assert_eq!(child.wait().expect("the run ends").code(), Some(4));
}
