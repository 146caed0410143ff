//! Accepted events as bytes: what a log keeps of them until they are in the lake.
//!
//! ```text
//! record    = 1 currency count event_type… count path_set… count event…
//! currency  = number of the currency, 0 for none
//! path_set  = count path…
//! event     = ts item_id event_id event_type path_set quantity flags [amount] [version]
//! ```
//!
//! Numbers are varints, signed ones zigzag-encoded; texts have their length in front. `ts` is in microseconds after
//! the event before; `event_id` is empty where there is none; `event_type` and `path_set` are positions in the lists;
//! quantities and amounts are in ten-thousandths; of the flags, 1 says that there is an amount, 2 a version.
//!
//! Invariant: the events that are read are those that were written, in their order, whatever options and item catalog
//! there are by then.

use crate::model::{
    Amount, Currency, Event, Events, PathSet, Timestamp, Units, put_varint, put_zigzag, take_varint,
    take_zigzag,
};

const VERSION: u8 = 1;
const HAS_AMOUNT: u64 = 1;
const HAS_VERSION: u64 = 2;

/// Returns the bytes of events whose amounts are in a currency, where that is known.
pub fn encode_record(events: &Events, currency: Option<Currency>) -> Vec<u8> {
    let mut out = vec![VERSION];
    put_zigzag(currency.map_or(0, Currency::number), &mut out);
    put_varint(events.event_types.len() as u64, &mut out);
    events.event_types.iter().for_each(|event_type| put_text(event_type, &mut out));
    put_varint(events.path_sets.len() as u64, &mut out);
    for code in 0..events.path_sets.len() as u32 {
        let members = events.path_sets.members(code);
        put_varint(members.len() as u64, &mut out);
        members.iter().for_each(|&path| put_text(events.path_sets.paths().name(path), &mut out));
    }
    put_varint(events.len() as u64, &mut out);
    let mut last = 0;
    for row in 0..events.len() {
        let event = events.event(row);
        put_zigzag(event.ts.micros().wrapping_sub(last), &mut out);
        last = event.ts.micros();
        put_text(event.item_id, &mut out);
        put_text(event.event_id.unwrap_or_default(), &mut out);
        put_varint(event.event_type.into(), &mut out);
        put_varint(event.path_set.into(), &mut out);
        put_zigzag(event.quantity.ten_thousandths(), &mut out);
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        put_varint(
            flag(event.amount.is_some(), HAS_AMOUNT) | flag(event.version.is_some(), HAS_VERSION),
            &mut out,
        );
        event.amount.iter().for_each(|amount| put_zigzag(amount.ten_thousandths(), &mut out));
        event.version.iter().for_each(|version| put_zigzag(*version, &mut out));
    }
    out
}

/// Returns the events of a record and the currency of their amounts; none where the bytes are no such record.
pub fn decode_record(mut bytes: &[u8]) -> Option<(Events, Option<Currency>)> {
    let bytes = &mut bytes;
    (*bytes.split_off_first()? == VERSION).then_some(())?;
    let currency = match take_zigzag(bytes)? {
        0 => None,
        number => Some(Currency::of_number(number)?),
    };
    let mut events = Events::default();
    for _ in 0..take_varint(bytes)? {
        events.event_types.push(take_text(bytes)?.to_owned());
    }
    for code in 0..take_varint(bytes)? {
        let mut paths = Vec::new();
        for _ in 0..take_varint(bytes)? {
            paths.push(take_text(bytes)?.to_owned());
        }
        (u64::from(events.path_sets.code(&PathSet::of(paths).ok()?)) == code).then_some(())?;
    }
    let mut last = 0_i64;
    for _ in 0..take_varint(bytes)? {
        last = last.wrapping_add(take_zigzag(bytes)?);
        let item_id = take_text(bytes)?;
        let event_id = Some(take_text(bytes)?).filter(|id| !id.is_empty());
        let event_type = u32::try_from(take_varint(bytes)?).ok()?;
        let path_set = u32::try_from(take_varint(bytes)?).ok()?;
        let is_known =
            (event_type as usize) < events.event_types.len() && (path_set as usize) < events.path_sets.len();
        is_known.then_some(())?;
        let quantity = Units::from_ten_thousandths(take_zigzag(bytes)?);
        let flags = take_varint(bytes)?;
        let amount = match flags & HAS_AMOUNT {
            0 => None,
            _ => Some(Amount::from_ten_thousandths(take_zigzag(bytes)?.into())?),
        };
        let version = match flags & HAS_VERSION {
            0 => None,
            _ => Some(take_zigzag(bytes)?),
        };
        let ts = Timestamp::from_micros(last).ok()?;
        events.push(&Event { ts, event_id, item_id, path_set, event_type, quantity, amount, version });
    }
    bytes.is_empty().then_some((events, currency))
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    put_varint(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

fn take_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::try_from(take_varint(bytes)?).ok()?;
    str::from_utf8(bytes.split_off(..length)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::collection::vec;
    use proptest::prelude::*;

    type Drawn = (i64, String, Option<String>, usize, usize, i64, Option<i64>, Option<i64>);

    fn drawn() -> impl Strategy<Value = Drawn> {
        let text = || "[a-zé#]{1,6}";
        (
            0_i64..4_000_000_000_000_000,
            text(),
            proptest::option::of(text()),
            0_usize..3,
            0_usize..4,
            -9_000_000_000_000_i64..9_000_000_000_000,
            proptest::option::of(-9_000_000_000_000_i64..9_000_000_000_000),
            proptest::option::of(i64::MIN + 1..i64::MAX),
        )
    }

    fn events_of(drawn: &[Drawn]) -> Events {
        let mut events = Events::default();
        for (ts, item_id, event_id, event_type, paths, quantity, amount, version) in drawn {
            let paths = (0..*paths).map(|path| format!("Top{}/Leaf{path}", path % 2)).collect();
            let path_set = events.path_sets.code(&PathSet::of(paths).expect("few paths"));
            let event_type = events.code_of_type(["purchase", "view", "like"][*event_type]);
            events.push(&Event {
                ts: Timestamp::from_micros(*ts).expect("a time"),
                event_id: event_id.as_deref(),
                item_id,
                path_set,
                event_type,
                quantity: Units::from_ten_thousandths(*quantity),
                amount: amount.and_then(|amount| Amount::from_ten_thousandths(amount.into())),
                version: *version,
            });
        }
        events
    }

    fn shown(events: &Events) -> Vec<String> {
        let row = |row| {
            let event = events.event(row);
            let set = events.path_sets.set(event.path_set);
            format!("{event:?} {} {:?}", events.event_types[event.event_type as usize], set.paths())
        };
        (0..events.len()).map(row).collect()
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written(drawn in vec(drawn(), 0..40)) {
            let events = events_of(&drawn);
            let euros = Currency::parse("EUR");
            for currency in [None, euros] {
                let bytes = encode_record(&events, currency);
                let (read, of) = decode_record(&bytes).expect("it is a record");
                prop_assert_eq!(shown(&read), shown(&events));
                prop_assert_eq!(of, currency);
                for length in 0..bytes.len() {
                    prop_assert!(decode_record(&bytes[..length]).is_none(), "cut to {}", length);
                }
            }
            // Appended to others, they are the same events.
            let mut both = events_of(&drawn[drawn.len() / 2..]);
            let before = both.len();
            both.append(&events);
            let appended = shown(&both)[before..].iter().map(|of| without_codes(of)).collect::<Vec<_>>();
            prop_assert_eq!(appended, shown(&events).iter().map(|of| without_codes(of)).collect::<Vec<_>>());
        }
    }

    /// Returns an event without the numbers of its type and paths, which differ from batch to batch.
    fn without_codes(shown: &str) -> String {
        let (before, after) = shown.split_once("path_set:").expect("it has one");
        let (_, after) = after.split_once("quantity:").expect("it has one");
        format!("{before}{after}")
    }

    #[test]
    fn bytes_of_something_else_are_no_record() {
        for bytes in
            [&b""[..], b"\x02", b"\x01", b"{\"ts\":1}", &[1, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]]
        {
            assert!(decode_record(bytes).is_none(), "{bytes:?}");
        }
    }
}
