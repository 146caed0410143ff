//! Deltas lead from each version to each later one, in both forms, and are as small as they can be.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::change::{Addition, Change};
use crate::json_form::Answer;
use crate::kind::ListKind;
use crate::prefix_form::{HeldPrefixes, PrefixAnswer};
use crate::snapshot::Snapshot;
use crate::state::ListState;
use crate::tests::world::{Draw, SECOND, START, answer, change, name, prefix_answer, settings};

const VERSIONS: usize = 1_000;
const KEYS: u64 = 100;

fn key(number: u64) -> String {
    format!("host{number}.example")
}

/// Returns a thousand versions, and what was in each as a set of bits.
fn versions() -> Vec<(Arc<Snapshot>, u128)> {
    let mut draw = Draw::of(7);
    let mut state = ListState::created(name(), settings(ListKind::Host), 1, 2, START);
    let mut versions: Vec<(Arc<Snapshot>, u128)> = Vec::with_capacity(VERSIONS);
    let mut bits = 0_u128;
    while versions.len() < VERSIONS {
        let number = draw.below(KEYS);
        let (remove, add) = match bits >> number & 1 {
            1 => (vec![key(number)], Vec::new()),
            _ => (Vec::new(), vec![key(number)]),
        };
        bits ^= 1 << number;
        let now = START + SECOND * i64::try_from(versions.len()).expect("few");
        // Epochs change, as where a server starts again.
        let epoch = 2 + versions.len() as u64 / 300;
        state.apply(&change(&remove, &add), epoch, now);
        let before = versions.last().map(|(before, _)| Arc::clone(before));
        versions.push((Arc::new(Snapshot::of(&state, now, before.as_ref())), bits));
    }
    versions
}

fn bits_of<'a>(keys: impl Iterator<Item = &'a String>) -> u128 {
    let number =
        |key: &String| key["host".len()..key.len() - ".example".len()].parse::<u32>().expect("a number");
    keys.fold(0, |bits, key| {
        assert_eq!(bits >> number(key) & 1, 0, "each key at most once");
        bits | 1 << number(key)
    })
}

#[test]
fn the_delta_from_each_of_a_thousand_versions_leads_to_each_later_one() {
    let versions = versions();
    for (new, bits) in &versions {
        assert_eq!(new.lines.len(), u64::from(bits.count_ones()));
    }
    for (at, (new, after)) in versions.iter().enumerate() {
        for (old, before) in &versions[..=at] {
            let since = new.known(&old.version_text()).expect("it is kept");
            let delta = new.delta(&since);
            // Exactly the difference of the two sets: nothing is named that did not change in the end.
            assert_eq!(bits_of(delta.removed.iter()), before & !after);
            assert_eq!(bits_of(delta.added.iter()), after & !before);
        }
        assert_eq!(
            versions[..at].iter().filter(|(old, _)| old.knows(&new.version)).count(),
            0,
            "it is newer"
        );
    }
}

#[test]
fn the_compact_form_leads_from_each_of_a_thousand_versions_to_later_ones() {
    let versions = versions();
    let held: Vec<HeldPrefixes> = versions.iter().map(|(of, _)| HeldPrefixes::of_lines(&of.lines)).collect();
    for at in (0..VERSIONS).step_by(13) {
        let new = &versions[at].0;
        for before in 0..=at {
            let bytes = prefix_answer(new, Some(&versions[before].0.version_text()));
            let answer = PrefixAnswer::parse(&bytes).expect("it is one");
            assert!(!answer.is_full && answer.version == new.version_text());
            assert_eq!(held[before].updated(&answer).as_ref(), Some(&held[at]), "from {before} to {at}");
        }
        let whole = PrefixAnswer::parse(&prefix_answer(new, None)).expect("it is one");
        assert_eq!(held[(at + 1) % VERSIONS].updated(&whole).as_ref(), Some(&held[at]));
    }
}

#[test]
fn entries_with_the_same_prefix_are_told_apart_by_their_number() {
    // These two have the same first 32 bits of SHA-256.
    let pair = colliding_pair();
    let mut state = ListState::created(name(), settings(ListKind::Text), 1, 2, START);
    let mut versions = Vec::new();
    let steps: [(&[usize], &[usize]); 6] =
        [(&[], &[0]), (&[], &[1]), (&[0], &[]), (&[1], &[0]), (&[], &[1]), (&[0, 1], &[])];
    for (remove, add) in steps {
        let keys = |of: &[usize]| of.iter().map(|number| pair[*number].clone()).collect::<Vec<_>>();
        state.apply(&change(&keys(remove), &keys(add)), 2, START);
        versions.push(Arc::new(Snapshot::of(&state, START, versions.last())));
    }
    for (at, new) in versions.iter().enumerate() {
        for old in &versions[..=at] {
            let answer =
                PrefixAnswer::parse(&prefix_answer(new, Some(&old.version_text()))).expect("it is one");
            let held = HeldPrefixes::of_lines(&old.lines).updated(&answer);
            assert_eq!(held, Some(HeldPrefixes::of_lines(&new.lines)));
        }
    }
    let found = versions[4].keys_with_prefix(crate::history::prefix_of(&pair[0]));
    assert_eq!(found, BTreeSet::from(pair).into_iter().collect::<Vec<_>>());
}

/// Returns two texts whose hashes begin with the same 32 bits, by trying many.
fn colliding_pair() -> [String; 2] {
    let mut seen: Vec<(u32, u32)> = (0..200_000_u32)
        .map(|number| (crate::history::prefix_of(&format!("text {number}")), number))
        .collect();
    seen.sort_unstable();
    let pair =
        seen.windows(2).find(|pair| pair[0].0 == pair[1].0).expect("of 200,000 texts, about 5 pairs do");
    [pair[0].1, pair[1].1].map(|number| format!("text {number}"))
}

#[test]
fn a_map_has_the_values_that_are_others() {
    let mut state = ListState::created(name(), settings(ListKind::Map), 1, 2, START);
    let mut versions: Vec<Arc<Snapshot>> = Vec::new();
    let steps = [
        ("{\"a\":1,\"b\":[\"x\\ty\"]}", &[][..]),
        ("{\"a\":2}", &[][..]),
        ("{\"a\":1,\"c\":null}", &["b"][..]),
        ("{\"b\":[]}", &["c"][..]),
    ];
    for (add, remove) in steps {
        let body = format!("{{\"add\":{add},\"remove\":{}}}", serde_json::json!(remove));
        let change = Change::parse(body.as_bytes(), ListKind::Map).expect("it is one");
        state.apply(&change, 2, START);
        versions.push(Arc::new(Snapshot::of(&state, START, versions.last())));
    }
    let delta = |from: usize, to: usize| versions[to].delta(&versions[from].version);
    assert_eq!((delta(0, 1).removed, delta(0, 1).added), (vec![], vec!["a\t2".to_owned()]));
    assert_eq!(delta(0, 2).added, ["a\t1", "c\tnull"], "its value may be the same as before");
    assert_eq!(delta(0, 2).removed, ["b"]);
    assert_eq!(
        (delta(1, 3).removed, delta(1, 3).added),
        (vec![], vec!["a\t1".to_owned(), "b\t[]".to_owned()])
    );
    let parsed = Answer::parse(&answer(&versions[0], None)).expect("it is one");
    assert_eq!((parsed.is_full, parsed.added), (true, vec!["a\t1".to_owned(), "b\t[\"x\\ty\"]".to_owned()]));
}

#[test]
fn an_answer_over_1_800_versions_is_small() {
    let mut state = ListState::created(name(), settings(ListKind::Text), 1, 2, START);
    let host = |number: u64| format!("{:08x}.bad.example", number * 2_654_435_761 % (1 << 32));
    const ENTRIES: u64 = 1_000_000;
    let all: Vec<String> = (0..ENTRIES).map(host).collect();
    state.apply(&change(&[], &all), 2, START);
    let old = Snapshot::of(&state, START, None);
    for number in 0..1_800 {
        let (removed, added) = match number % 2 {
            0 => (vec![host(number * 500)], vec![]),
            _ => (vec![], vec![host(ENTRIES + number)]),
        };
        state.apply(&change(&removed, &added), 2, START + i64::try_from(number).expect("few") * SECOND);
    }
    let new = Snapshot::of(&state, START + 1_800 * SECOND, None);
    let delta = new.delta(&old.version);
    assert_eq!((delta.removed.len(), delta.added.len()), (900, 900));
    let size = |numbers: &[u32]| {
        let mut bytes = Vec::new();
        crate::rice::encode(numbers, &mut bytes);
        bytes.len() * 100 / numbers.len()
    };
    let bytes = prefix_answer(&new, Some(&old.version_text()));
    let answer = PrefixAnswer::parse(&bytes).expect("it is one");
    assert_eq!(HeldPrefixes::of_lines(&old.lines).updated(&answer), Some(HeldPrefixes::of_lines(&new.lines)));
    let (added, removed) = (size(&answer.added), size(&answer.removed));
    assert!(added <= 320 && removed <= 160, "{added} and {removed} hundredths of a byte");
    let whole = prefix_answer(&new, None).len();
    assert!(whole * 100 <= 180 * 1_000_000, "{whole} bytes of a million entries");
    let direct: usize = delta.removed.iter().chain(&delta.added).map(|key| key.len() + "\"\",".len()).sum();
    let json = super::world::answer(&new, Some(&old.version_text())).len();
    assert!(json * 10 <= direct * 12, "{json} bytes of JSON, {direct} of the difference");
}

#[test]
fn an_entry_that_is_added_and_removed_by_one_change_is_there() {
    let mut state = ListState::created(name(), settings(ListKind::Text), 1, 2, START);
    let both = Change { remove: vec!["a".to_owned()], add: vec![Addition::entry("a")], ..Change::default() };
    let outcome = state.apply(&both, 2, START);
    assert_eq!((outcome.added, outcome.removed, outcome.unchanged), (1, 0, 0));
    let outcome = state.apply(&both, 2, START);
    assert_eq!((outcome.added, outcome.unchanged, outcome.sequence), (0, 1, 1));
}

#[test]
fn the_compact_form_leads_over_many_changes_whatever_their_number() {
    let mut state = ListState::created(name(), settings(ListKind::Text), 1, 2, START);
    let mut versions: Vec<Arc<Snapshot>> = Vec::new();
    // Around the sizes of levels, 4,096 changes and 8,192, with several changes in a sequence.
    for number in 0..1_400_u32 {
        let keys: Vec<String> = (0..8).map(|of| format!("key {}", (number * 8 + of) % 9_000)).collect();
        let of = if number % 5 == 4 { change(&keys, &[]) } else { change(&[], &keys) };
        state.apply(&of, 2, START);
        versions.push(Arc::new(Snapshot::of(&state, START, versions.last())));
    }
    let new = versions.last().expect("there are some");
    for old in &versions {
        let answer = PrefixAnswer::parse(&prefix_answer(new, Some(&old.version_text()))).expect("it is one");
        let held = HeldPrefixes::of_lines(&old.lines).updated(&answer);
        assert!(
            held.is_some_and(|held| held == HeldPrefixes::of_lines(&new.lines)),
            "{}",
            old.version.sequence
        );
    }
}
