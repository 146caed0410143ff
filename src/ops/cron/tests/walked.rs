//! Expressions of chance, against a walk minute by minute, and against another's search.

use croner::parser::{CronParser, Seconds};
use jiff::civil;
use proptest::prelude::*;

use crate::cron::CronSchedule;
use crate::cron::tests::moment;
use topsell_core::model::{Timestamp, Zone};

/// The numbers of a field, and how they may be written.
fn field(least: u8, most: u8) -> impl Strategy<Value = (String, Vec<u8>)> {
    let all = move |step: u8| (least..=most).step_by(step.into()).collect::<Vec<u8>>();
    let range = (least..=most, least..=most, 1..=most.max(2));
    prop_oneof![
        2 => Just(("*".to_owned(), all(1))),
        1 => (1..=most).prop_map(move |step| (format!("*/{step}"), all(step))),
        1 => range.prop_map(|(a, b, step)| {
            let (from, to) = (a.min(b), a.max(b));
            (format!("{from}-{to}/{step}"), (from..=to).step_by(step.into()).collect())
        }),
        3 => prop::collection::vec(least..=most, 1..4).prop_map(|numbers| {
            (numbers.iter().map(u8::to_string).collect::<Vec<_>>().join(","), numbers)
        }),
    ]
}

/// An expression, and the fields it was written from.
fn expressions() -> impl Strategy<Value = (String, [Vec<u8>; 5], bool)> {
    let fields = (field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7));
    fields.prop_map(|(minute, hour, day, month, weekday)| {
        let by_both = day.0.starts_with('*') || weekday.0.starts_with('*');
        let text = [&minute.0, &hour.0, &day.0, &month.0, &weekday.0].map(String::as_str).join(" ");
        (text, [minute.1, hour.1, day.1, month.1, weekday.1], by_both)
    })
}

/// Zones and days around which their clocks are changed.
const CHANGES: &[(&str, &str)] = &[
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("America/New_York", "2026-11-01"),
    ("America/New_York", "2026-03-08"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Pacific/Apia", "2011-12-30"),
    ("Africa/Casablanca", "2026-02-15"),
    ("Africa/Casablanca", "2026-03-22"),
    ("America/Sao_Paulo", "2018-02-17"),
    ("America/Sao_Paulo", "2018-11-04"),
    ("Antarctica/Troll", "2026-03-29"),
    ("Antarctica/Troll", "2026-10-25"),
    ("Asia/Kolkata", "2026-01-01"),
    ("UTC", "2028-02-29"),
];

/// Walks minute by minute: a reading is new when it is later than all before it.
fn walked(
    zone: &Zone,
    fields: &[Vec<u8>; 5],
    by_both: bool,
    from: Timestamp,
    minutes: i64,
) -> Vec<Timestamp> {
    let is_named = |reading: civil::DateTime| {
        let [minute, hour, day, month, weekday] = fields;
        let has = |set: &[u8], number: i8| set.iter().any(|of_set| i16::from(*of_set) == i16::from(number));
        let of_week = reading.weekday().to_sunday_zero_offset();
        let by_week = has(weekday, of_week) || of_week == 0 && has(weekday, 7);
        let by_month = has(day, reading.day());
        has(minute, reading.minute())
            && has(hour, reading.hour())
            && has(month, reading.month())
            && if by_both { by_week && by_month } else { by_week || by_month }
    };
    let goes_on = (0..24).all(|hour| fields[1].contains(&hour));
    let minute = jiff::Span::new().minutes(1);
    let reading_at = |moment: Timestamp| zone.zoned(moment).expect("it lies in the calendar").datetime();
    let mut latest = reading_at(from);
    let mut due = Vec::new();
    for passed in 1..=minutes {
        let now = from.plus_seconds(passed * 60);
        let reading = reading_at(now);
        let mut is_due = goes_on && is_named(reading);
        while latest < reading {
            latest = latest.checked_add(minute).expect("it lies in the calendar");
            is_due = is_due || !goes_on && is_named(latest);
        }
        if is_due {
            due.push(now);
        }
    }
    due
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn times_are_those_of_a_walk_minute_by_minute(
        (expression, fields, by_both) in expressions(),
        (zone, day) in prop::sample::select(CHANGES),
    ) {
        let zone = Zone::named(zone).expect("a good zone");
        let Ok(calendar) = CronSchedule::parse(&expression, zone.clone()) else { return Ok(()) };
        let from = moment(&format!("{day}T00:00:00Z")).plus_seconds(-36 * 3_600);
        let minutes = 4 * 24 * 60;
        let until = from.plus_seconds(minutes * 60);
        let found: Vec<Timestamp> = calendar.after(from).take_while(|time| *time <= until).collect();
        prop_assert!(found.is_sorted_by(|a, b| a < b));
        prop_assert_eq!(&found, &walked(&zone, &fields, by_both, from, minutes), "{} {}", expression, day);
        prop_assert_eq!(calendar.last_between(from, until), found.last().copied());
    }

    #[test]
    fn where_clocks_never_change_times_are_those_that_another_search_finds(
        (expression, _, by_both) in expressions(),
        start in 0..2_000_000_000_i64,
    ) {
        let Ok(calendar) = CronSchedule::parse(&expression, Zone::utc()) else { return Ok(()) };
        let parser = CronParser::builder().seconds(Seconds::Optional).dom_and_dow(by_both).build();
        let cron = parser.parse(&expression).expect("it could be read before");
        let mut at = Timestamp::from_epoch(start).expect("a good moment");
        for _ in 0..5 {
            let zoned = Zone::utc().zoned(at).expect("a good moment");
            let theirs = cron.find_next_occurrence(&zoned, false).expect("there is one");
            let ours = calendar.next_after(at).expect("there is one");
            prop_assert_eq!(ours.micros(), theirs.timestamp().as_microsecond(), "{}", expression);
            at = ours;
        }
    }

    #[test]
    fn no_text_makes_it_stumble(text in "[ */,@0-9A-Za-z#?+é-]{0,20}", words in prop::collection::vec("[*/,0-9A-Z-]{1,4}", 5..7)) {
        for expression in [text, words.join(" ")] {
            if let Ok(calendar) = CronSchedule::parse(&expression, Zone::utc()) {
                prop_assert!(calendar.next_after(moment("2026-01-01T00:00:00Z")).is_some());
            }
        }
    }
}
