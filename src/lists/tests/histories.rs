//! Random histories of a list and its clients: whatever happens, all end with exactly the set, and hold the old one until
//! then.
//!
//! `TOPSELL_LIST_HISTORIES` says how many there are.

use std::collections::BTreeSet;
use std::sync::Arc;

use object_store::memory::InMemory;

use crate::held_list::{FollowError, HeldList, follow};
use crate::kind::ListKind;
use crate::lists::Lists;
use crate::prefix_form::{HeldPrefixes, PrefixAnswer};
use crate::snapshot::Snapshot;
use crate::tests::world::{
    Draw, SECOND, START, answer, change, list_of, name, never, open, prefix_answer, settings, store,
};

const HISTORIES: u64 = 300;
const STEPS: u64 = 40;
const CLIENTS: usize = 4;
const KEYS: u64 = 30;

/// A client of each form.
struct Client {
    held: HeldList,
    prefixes: (Option<String>, HeldPrefixes),
}

struct World {
    draw: Draw,
    objects: Arc<InMemory>,
    lists: Option<Lists>,
    now: i64,
    clients: Vec<Client>,
    /// Lakes as they were, and which clients could have had.
    backups: Vec<Arc<InMemory>>,
    held_before: Vec<HeldList>,
}

impl World {
    fn of(seed: u64) -> World {
        let client = || Client { held: HeldList::none(name()), prefixes: (None, HeldPrefixes::default()) };
        let mut world = World {
            draw: Draw::of(seed),
            objects: Arc::new(InMemory::new()),
            lists: None,
            now: START,
            clients: (0..CLIENTS).map(|_| client()).collect(),
            backups: Vec::new(),
            held_before: Vec::new(),
        };
        world.create();
        world
    }

    fn create(&mut self) {
        self.lists = None;
        self.objects = Arc::new(InMemory::new());
        let lists = open(&store(&self.objects, &never()), self.now);
        lists.create(name(), settings(ListKind::Text), self.now).expect("it is new");
        self.lists = Some(lists);
    }

    fn restart(&mut self) {
        self.lists = None;
        self.lists = Some(open(&store(&self.objects, &never()), self.now));
    }

    fn lists(&self) -> &Lists {
        self.lists.as_ref().expect("the server runs")
    }

    fn published(&self) -> Arc<Snapshot> {
        list_of(self.lists()).published()
    }

    fn step(&mut self) {
        self.now += i64::try_from(self.draw.below(5)).expect("few") * SECOND;
        match self.draw.below(24) {
            0..=8 => self.change_some(),
            9..=12 => drop(list_of(self.lists()).publish(self.now)),
            13..=16 => self.client_asks(),
            17 => self.client_holds_what_was_held(),
            18 => self.restart(),
            19 => self.backups.push(Arc::new(self.objects.fork())),
            20 => self.restore(),
            21 => {
                // Longer than versions are kept.
                self.now += 8 * 86_400 * SECOND;
                list_of(self.lists()).prune(self.now).expect("there is memory");
            }
            22 if self.draw.below(4) == 0 => self.create(),
            _ => drop(list_of(self.lists()).expire(self.now).expect("there is memory")),
        }
    }

    fn change_some(&mut self) {
        let count = self.draw.below(4) + 1;
        let keys: Vec<String> = (0..count).map(|_| format!("key {}", self.draw.below(KEYS))).collect();
        let mut of = match self.draw.below(3) {
            0 => change(&keys, &[]),
            _ => change(&[], &keys),
        };
        if self.draw.below(5) == 0 {
            of.ttl_seconds = Some(self.draw.below(20) + 1);
        }
        list_of(self.lists()).change(of, self.now).expect("there is memory");
    }

    fn restore(&mut self) {
        if self.backups.is_empty() {
            return;
        }
        let number = usize::try_from(self.draw.below(self.backups.len() as u64)).expect("few");
        self.lists = None;
        // The lease of the server that was running when the backup was made.
        self.objects = Arc::new(self.backups[number].fork());
        let lists = topsell_core::storage::LockTimeout::Unlimited;
        let store = store(&self.objects, &never());
        release(&self.objects);
        self.lists = Some(Lists::open(&store, "a test", lists, self.now).expect("nobody has it").0);
    }

    fn client_holds_what_was_held(&mut self) {
        if self.held_before.is_empty() {
            return;
        }
        let number = usize::try_from(self.draw.below(self.held_before.len() as u64)).expect("few");
        let client = usize::try_from(self.draw.below(CLIENTS as u64)).expect("few");
        self.clients[client].held = self.held_before[number].clone();
    }

    fn client_asks(&mut self) {
        let client = usize::try_from(self.draw.below(CLIENTS as u64)).expect("few");
        let flips = match self.draw.below(4) {
            0 => self.draw.below(3) + 1,
            _ => 0,
        };
        self.ask(client, flips);
        self.ask_for_prefixes(client, flips > 0);
    }

    /// A client asks for what has changed; in so many answers, a byte is another one.
    fn ask(&mut self, client: usize, flips: u64) {
        let snapshot = self.published();
        let before: BTreeSet<String> = entries(&self.clients[client].held);
        let (mut left, draw) = (flips, &mut self.draw);
        let followed = follow(&self.clients[client].held, None, self.now, |since| {
            let mut json = answer(&snapshot, since);
            if left > 0 {
                left -= 1;
                flip(&mut json, draw);
            }
            Ok::<_, ()>(json)
        });
        let expected: BTreeSet<String> = snapshot.lines.iter().map(str::to_owned).collect();
        match followed {
            Ok(followed) => {
                assert_eq!(entries(&followed.held), expected, "it is exactly the set");
                self.clients[client].held = followed.held;
                self.held_before.push(self.clients[client].held.clone());
            }
            Err(FollowError::Refused(refusal)) => {
                assert!(flips > 0, "nothing was wrong: {refusal}");
                assert_eq!(entries(&self.clients[client].held), before, "the old one stays");
            }
            Err(FollowError::Ask(())) => unreachable!("the server answers"),
        }
    }

    fn ask_for_prefixes(&mut self, client: usize, flips: bool) {
        let snapshot = self.published();
        let (version, held) = &self.clients[client].prefixes;
        let mut bytes = prefix_answer(&snapshot, version.as_deref());
        if flips {
            flip(&mut bytes, &mut self.draw);
        }
        let updated =
            PrefixAnswer::parse(&bytes).ok().and_then(|answer| Some((held.updated(&answer)?, answer)));
        match updated {
            Some((updated, answer)) => {
                assert_eq!(updated, HeldPrefixes::of_lines(&snapshot.lines));
                self.clients[client].prefixes = (Some(answer.version), updated);
            }
            None => assert!(flips, "nothing was wrong"),
        }
    }

    /// In the end nothing is wrong any more, and each client asks once.
    fn end(&mut self) {
        let _ = list_of(self.lists()).publish(self.now);
        for client in 0..CLIENTS {
            self.ask(client, 0);
            let (version, held) = &self.clients[client].prefixes;
            let answer = PrefixAnswer::parse(&prefix_answer(&self.published(), version.as_deref()));
            let answer = answer.expect("it is one");
            // Where the version was read from an answer with another byte, the whole list comes.
            let whole = || {
                let whole = PrefixAnswer::parse(&prefix_answer(&self.published(), None)).expect("it is one");
                held.updated(&whole)
            };
            let ended = held.updated(&answer).or_else(whole);
            assert_eq!(ended, Some(HeldPrefixes::of_lines(&self.published().lines)));
        }
    }
}

/// Removes the lease that a lake had when it was copied.
fn release(objects: &Arc<InMemory>) {
    use object_store::ObjectStoreExt;
    let lease = object_store::path::Path::from("lake/lists.lock");
    let _ = futures::executor::block_on(objects.delete(&lease));
}

fn entries(held: &HeldList) -> BTreeSet<String> {
    held.lines().iter().map(str::to_owned).collect()
}

/// Gives a byte another value.
fn flip(bytes: &mut [u8], draw: &mut Draw) {
    let at = usize::try_from(draw.below(bytes.len() as u64)).expect("it is an index");
    bytes[at] ^= 1 << draw.below(8);
}

#[test]
fn clients_end_with_exactly_the_set_and_never_with_less_before() {
    let histories = std::env::var("TOPSELL_LIST_HISTORIES").ok().and_then(|text| text.parse().ok());
    for seed in 0..histories.unwrap_or(HISTORIES) {
        let mut world = World::of(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.end();
    }
}
