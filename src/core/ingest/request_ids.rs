//! Ids for the events of a request that has a key, so that a client can send it again.
//!
//! Invariant: the same key and the same event get the same id, whatever other lines of the request are rejected. An id
//! counts once in a UTC day, so that nothing has to be remembered of a key.

use hashbrown::HashMap;

use crate::model::{Event, Events};
use crate::storage::checksum;

/// Returns some events of a request, those without an id with one that is made of the key, of what the event says, and
/// of how many of the request say the same before it.
pub fn with_request_ids(mut events: Events, key: &str) -> Events {
    let mut with_ids = Events::default();
    with_ids.path_sets = std::mem::take(&mut events.path_sets);
    with_ids.event_types.clone_from(&events.event_types);
    let mut seen: HashMap<u64, u64> = HashMap::new();
    for row in 0..events.len() {
        let event = events.event(row);
        // Its categories are left out: a catalog that was read again may give others, and it must still count once.
        let content = format!(
            "{} {} {} {:?} {:?} {}",
            event.ts.micros(),
            events.event_types[event.event_type as usize],
            event.quantity.ten_thousandths(),
            events.amount(row),
            event.version,
            event.item_id,
        );
        let content = checksum(content.as_bytes());
        let before = seen.entry(content).or_default();
        let id = format!("{key}#{content:016x}.{before}");
        *before += 1;
        with_ids.push(&Event { event_id: event.event_id.or(Some(&id)), ..event });
    }
    with_ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn events(items: &[(&str, Option<&str>)]) -> Events {
        let mut events = Events::default();
        let event_type = events.code_of_type("purchase");
        for (item_id, event_id) in items {
            events.push(&Event {
                ts: Timestamp::from_micros(1_484_000_000_000_000).expect("a time"),
                event_id: *event_id,
                item_id,
                path_set: 0,
                event_type,
                quantity: 1.into(),
                amount: None,
                version: None,
            });
        }
        events
    }

    fn ids(items: &[(&str, Option<&str>)], key: &str) -> Vec<String> {
        let events = with_request_ids(events(items), key);
        (0..events.len()).map(|row| events.event_id(row).unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn the_same_event_gets_the_same_id_whatever_is_rejected_before_it() {
        let all = ids(&[("a", None), ("b", Some("own")), ("c", None), ("a", None), ("c", None)], "k");
        assert_eq!(all[1], "own");
        assert!(all[0].starts_with("k#") && all[0].ends_with(".0") && all[3].ends_with(".1"), "{all:?}");
        assert_eq!(all[0].split('.').next(), all[3].split('.').next());
        assert_eq!(
            ids(&[("c", None), ("a", None), ("a", None), ("c", None)], "k"),
            [&*all[2], &all[0], &all[3], &all[4]]
        );
        let other = ids(&[("a", None)], "other");
        assert_ne!(other[0], all[0]);
    }
}
