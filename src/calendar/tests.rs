//! What is due when, against tables, against a walk minute by minute, and against another's search.

use croner::parser::CronParser;
use croner::parser::Seconds;
use proptest::prelude::*;

use jiff::civil;

use super::*;

fn calendar(expression: &str, zone: &str) -> Calendar {
    let zone = Zone::named(zone).expect("a good zone");
    Calendar::parse(expression, zone).unwrap_or_else(|error| panic!("{error}"))
}

fn moment(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap_or_else(|error| panic!("{text} {error}"))
}

/// The next times after a moment, as clocks there show them.
fn check(expression: &str, zone: &str, after: &str, expected: &[&str]) {
    let calendar = calendar(expression, zone);
    let shown = |time: Timestamp| {
        let zoned = calendar.zone().zoned(time).expect("it lies in the calendar");
        zoned.strftime("%Y-%m-%d %H:%M:%S%:z").to_string()
    };
    let times: Vec<String> = calendar.after(moment(after)).take(expected.len()).map(shown).collect();
    let expected: Vec<String> = expected
        .iter()
        .map(|text| match text.matches(':').count() {
            // The seconds go without saying.
            2 => format!("{}:00{}", &text[..16], &text[16..]),
            _ => (*text).to_owned(),
        })
        .collect();
    assert_eq!(times, expected, "{expression} in {zone} after {after}");
}

fn refused(expression: &str) -> String {
    match Calendar::parse(expression, Zone::utc()) {
        Ok(_) => panic!("`{expression}` was taken"),
        Err(error) => error.reason().to_owned(),
    }
}

#[test]
fn fields_say_when() {
    let from = "2026-01-01T00:00:00Z";
    check("* * * * *", "UTC", from, &["2026-01-01 00:01+00:00", "2026-01-01 00:02+00:00"]);
    check(
        "*/20 8-18/5 * * *",
        "UTC",
        from,
        &[
            "2026-01-01 08:00+00:00",
            "2026-01-01 08:20+00:00",
            "2026-01-01 08:40+00:00",
            "2026-01-01 13:00+00:00",
        ],
    );
    check("0 0 29 2 *", "UTC", from, &["2028-02-29 00:00+00:00", "2032-02-29 00:00+00:00"]);
    check("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", &["2104-02-29 00:00+00:00"]);
    check(
        "30 12 * jan,Jun mon-Wed",
        "UTC",
        from,
        &[
            "2026-01-05 12:30+00:00",
            "2026-01-06 12:30+00:00",
            "2026-01-07 12:30+00:00",
            "2026-01-12 12:30+00:00",
        ],
    );
    check("15,45 10-12 * * * *", "UTC", "2026-01-01T11:10:44.5Z", &["2026-01-01 11:10:45+00:00"]);
    check(
        "*/15 * * * * *",
        "UTC",
        "2026-01-01T11:10:44.999999Z",
        &["2026-01-01 11:10:45+00:00", "2026-01-01 11:11:00+00:00"],
    );
    // Sunday is 0, 7 and the end of a week.
    for sundays in ["0", "7", "sun", "*/7", "SUN-SUN", "7-7"] {
        check(
            &format!("0 0 * * {sundays}"),
            "UTC",
            from,
            &["2026-01-04 00:00+00:00", "2026-01-11 00:00+00:00"],
        );
    }
    for weekends in ["SAT-SUN", "6-7", "6,0", "sat,7"] {
        check(
            &format!("0 0 * * {weekends}"),
            "UTC",
            from,
            &["2026-01-03 00:00+00:00", "2026-01-04 00:00+00:00"],
        );
    }
    // Steps that lead out of the field leave its first.
    check("*/90 * * * *", "UTC", from, &["2026-01-01 01:00+00:00", "2026-01-01 02:00+00:00"]);
    check("0 0 1-31/99999999999999999999 * *", "UTC", from, &["2026-02-01 00:00+00:00"]);
}

#[test]
fn words_stand_for_fields() {
    for (word, times) in [
        ("@hourly", ["2026-01-01 01:00+00:00", "2026-01-01 02:00+00:00"]),
        ("@daily", ["2026-01-02 00:00+00:00", "2026-01-03 00:00+00:00"]),
        ("@Midnight", ["2026-01-02 00:00+00:00", "2026-01-03 00:00+00:00"]),
        ("@weekly", ["2026-01-04 00:00+00:00", "2026-01-11 00:00+00:00"]),
        (" @monthly ", ["2026-02-01 00:00+00:00", "2026-03-01 00:00+00:00"]),
        ("@yearly", ["2027-01-01 00:00+00:00", "2028-01-01 00:00+00:00"]),
        ("@ANNUALLY", ["2027-01-01 00:00+00:00", "2028-01-01 00:00+00:00"]),
    ] {
        check(word, "UTC", "2026-01-01T00:00:00Z", &times);
    }
}

#[test]
fn either_day_will_do_unless_one_begins_with_a_star() {
    let from = "2026-02-01T00:00:00Z";
    check(
        "0 0 13 * FRI",
        "UTC",
        from,
        &["2026-02-06 00:00+00:00", "2026-02-13 00:00+00:00", "2026-02-20 00:00+00:00"],
    );
    check(
        "0 0 */2 * FRI",
        "UTC",
        from,
        &["2026-02-13 00:00+00:00", "2026-02-27 00:00+00:00", "2026-03-13 00:00+00:00"],
    );
    check(
        "0 0 13 * */5",
        "UTC",
        from,
        &["2026-02-13 00:00+00:00", "2026-03-13 00:00+00:00", "2026-09-13 00:00+00:00"],
    );
    check("0 0 1-31 * FRI", "UTC", from, &["2026-02-02 00:00+00:00", "2026-02-03 00:00+00:00"]);
    // A leap day that is a Sunday comes every 28 years, and once after 40.
    check(
        "0 0 29 2 */7",
        "UTC",
        from,
        &[
            "2032-02-29 00:00+00:00",
            "2060-02-29 00:00+00:00",
            "2088-02-29 00:00+00:00",
            "2128-02-29 00:00+00:00",
        ],
    );
}

#[test]
fn a_reading_that_clocks_jump_over_is_due_right_after_the_jump() {
    for (expression, zone, after, expected) in [
        // 29 March 2026: from 02:00 to 03:00.
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T00:00:00Z",
            &["2026-03-28 02:30+01:00", "2026-03-29 03:00+02:00", "2026-03-30 02:30+02:00"][..],
        ),
        (
            "0 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00:00Z",
            &["2026-03-29 03:00+02:00", "2026-03-30 02:00+02:00"],
        ),
        // Several are one.
        (
            "*/10 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00:00Z",
            &["2026-03-29 03:00+02:00", "2026-03-30 02:00+02:00"],
        ),
        (
            "0 2,3 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00:00Z",
            &["2026-03-29 03:00+02:00", "2026-03-30 02:00+02:00"],
        ),
        (
            "0 */2 * * *",
            "Europe/Berlin",
            "2026-03-28T22:00:00Z",
            &["2026-03-29 00:00+01:00", "2026-03-29 03:00+02:00", "2026-03-29 04:00+02:00"],
        ),
        // The jump is not due for what it did not jump over.
        ("0 4 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", &["2026-03-29 04:00+02:00"]),
        (
            "30 2 * * *",
            "America/New_York",
            "2026-03-07T12:00:00Z",
            &["2026-03-08 03:00-04:00", "2026-03-09 02:30-04:00"],
        ),
        // Half an hour, from 02:00 to 02:30.
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T00:00:00Z",
            &["2026-10-04 02:30+11:00", "2026-10-05 02:15+11:00"],
        ),
        (
            "45 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T00:00:00Z",
            &["2026-10-04 02:45+11:00", "2026-10-05 02:45+11:00"],
        ),
        // Midnight itself, on 4 November 2018.
        (
            "0 0 * * *",
            "America/Sao_Paulo",
            "2018-11-03T12:00:00Z",
            &["2018-11-04 01:00-02:00", "2018-11-05 00:00-02:00"],
        ),
        (
            "0 0 4 11 *",
            "America/Sao_Paulo",
            "2018-01-01T00:00:00Z",
            &["2018-11-04 01:00-02:00", "2019-11-04 00:00-03:00"],
        ),
        // Two hours, from 01:00 to 03:00.
        (
            "30 1 * * *",
            "Antarctica/Troll",
            "2026-03-28T12:00:00Z",
            &["2026-03-29 03:00+02:00", "2026-03-30 01:30+02:00"],
        ),
        (
            "59 2 * * *",
            "Antarctica/Troll",
            "2026-03-28T12:00:00Z",
            &["2026-03-29 03:00+02:00", "2026-03-30 02:59+02:00"],
        ),
        // A whole day: 30 December 2011 was left out.
        (
            "0 12 * * *",
            "Pacific/Apia",
            "2011-12-29T12:00:00Z",
            &["2011-12-29 12:00-10:00", "2011-12-31 00:00+14:00", "2011-12-31 12:00+14:00"],
        ),
        (
            "0 12 30 12 *",
            "Pacific/Apia",
            "2011-01-01T00:00:00Z",
            &["2011-12-31 00:00+14:00", "2012-12-30 12:00+14:00"],
        ),
        // The end of Ramadan, 22 March 2026; clocks go back for it.
        (
            "30 2 * * *",
            "Africa/Casablanca",
            "2026-03-21T12:00:00Z",
            &["2026-03-22 03:00+01:00", "2026-03-23 02:30+01:00"],
        ),
        (
            "30 2 * * *",
            "Asia/Kolkata",
            "2026-03-28T00:00:00Z",
            &["2026-03-29 02:30+05:30", "2026-03-30 02:30+05:30"],
        ),
    ] {
        check(expression, zone, after, expected);
    }
}

#[test]
fn a_reading_that_comes_twice_is_due_the_first_time() {
    for (expression, zone, after, expected) in [
        // 25 October 2026: from 03:00 back to 02:00.
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00Z",
            &["2026-10-25 02:30+02:00", "2026-10-26 02:30+01:00"][..],
        ),
        (
            "*/30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00Z",
            &["2026-10-25 02:00+02:00", "2026-10-25 02:30+02:00", "2026-10-26 02:00+01:00"],
        ),
        (
            "0 */2 * * *",
            "Europe/Berlin",
            "2026-10-24T22:00:00Z",
            &["2026-10-25 02:00+02:00", "2026-10-25 04:00+01:00"],
        ),
        // Asked within the second of the two hours.
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", &["2026-10-26 02:30+01:00"]),
        (
            "* * 2 * * *",
            "Europe/Berlin",
            "2026-10-25T00:59:58Z",
            &["2026-10-25 02:59:59+02:00", "2026-10-26 02:00:00+01:00"],
        ),
        (
            "30 1 * * *",
            "America/New_York",
            "2026-10-31T12:00:00Z",
            &["2026-11-01 01:30-04:00", "2026-11-02 01:30-05:00"],
        ),
        (
            "45 1 * * *",
            "Australia/Lord_Howe",
            "2026-04-04T00:00:00Z",
            &["2026-04-05 01:45+11:00", "2026-04-06 01:45+10:30"],
        ),
        (
            "15 1 * * *",
            "Australia/Lord_Howe",
            "2026-04-04T00:00:00Z",
            &["2026-04-05 01:15+11:00", "2026-04-06 01:15+10:30"],
        ),
        // Back over midnight: the evening comes twice.
        (
            "30 23 * * *",
            "America/Sao_Paulo",
            "2018-02-17T00:00:00Z",
            &["2018-02-16 23:30-02:00", "2018-02-17 23:30-02:00", "2018-02-18 23:30-03:00"],
        ),
        ("0 0 18 2 *", "America/Sao_Paulo", "2018-01-01T00:00:00Z", &["2018-02-18 00:00-03:00"]),
        (
            "30 1 * * *",
            "Antarctica/Troll",
            "2026-10-24T12:00:00Z",
            &["2026-10-25 01:30+02:00", "2026-10-26 01:30+00:00"],
        ),
        (
            "30 2 * * *",
            "Africa/Casablanca",
            "2026-02-14T12:00:00Z",
            &["2026-02-15 02:30+01:00", "2026-02-16 02:30+00:00"],
        ),
    ] {
        check(expression, zone, after, expected);
    }
}

#[test]
fn with_every_hour_named_runs_go_on_while_clocks_change() {
    for (expression, zone, after, expected) in [
        (
            "30 * * * *",
            "Europe/Berlin",
            "2026-03-28T23:45:00Z",
            &["2026-03-29 01:30+01:00", "2026-03-29 03:30+02:00"][..],
        ),
        (
            "0 0-23 * * *",
            "Europe/Berlin",
            "2026-03-28T23:45:00Z",
            &["2026-03-29 01:00+01:00", "2026-03-29 03:00+02:00"],
        ),
        (
            "30 * * * *",
            "Europe/Berlin",
            "2026-10-24T23:45:00Z",
            &["2026-10-25 02:30+02:00", "2026-10-25 02:30+01:00", "2026-10-25 03:30+01:00"],
        ),
        (
            "*/30 * * * *",
            "America/New_York",
            "2026-11-01T05:15:00Z",
            &[
                "2026-11-01 01:30-04:00",
                "2026-11-01 01:00-05:00",
                "2026-11-01 01:30-05:00",
                "2026-11-01 02:00-05:00",
            ],
        ),
        (
            "*/10 * * * *",
            "Australia/Lord_Howe",
            "2026-10-03T15:15:00Z",
            &["2026-10-04 01:50+10:30", "2026-10-04 02:30+11:00"],
        ),
        (
            "0 * * * *",
            "Antarctica/Troll",
            "2026-03-28T23:30:00Z",
            &["2026-03-29 00:00+00:00", "2026-03-29 03:00+02:00"],
        ),
        // The last evening hour comes again, and the day after it is a year away.
        (
            "0 * 17 2 *",
            "America/Sao_Paulo",
            "2018-02-18T00:30:00Z",
            &["2018-02-17 23:00-02:00", "2018-02-17 23:00-03:00", "2019-02-17 00:00-03:00"],
        ),
        (
            "0 * * * *",
            "Pacific/Apia",
            "2011-12-30T08:30:00Z",
            &["2011-12-29 23:00-10:00", "2011-12-31 00:00+14:00", "2011-12-31 01:00+14:00"],
        ),
    ] {
        check(expression, zone, after, expected);
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (expression, reason) in [
        (
            "",
            "it has no fields; write five, `minute hour day-of-month month day-of-week`, or six with seconds first",
        ),
        (
            "* * * *",
            "it has 4 fields; write five, `minute hour day-of-month month day-of-week`, or six with seconds first",
        ),
        (
            "* * * * * * 2026",
            "it has 7 fields; write five, `minute hour day-of-month month day-of-week`, or six with seconds first",
        ),
        ("60 * * * *", "`60` is no minute; write 0 to 59"),
        ("0 24 * * *", "`24` is no hour; write 0 to 23"),
        ("0 0 0 * *", "`0` is no day of the month; write 1 to 31"),
        ("0 0 1 13 *", "`13` is no month; write 1 to 12, or JAN to DEC"),
        ("0 0 * * 8", "`8` is no day of the week; write 0 to 7, or SUN to SAT"),
        ("0 0 * * MONDAY", "`MONDAY` is no day of the week; write 0 to 7, or SUN to SAT"),
        ("0 0 1 MON *", "`MON` is no month; write 1 to 12, or JAN to DEC"),
        ("0 0 1 JANFEB *", "`JANFEB` is no month; write 1 to 12, or JAN to DEC"),
        ("0 22-3 * * *", "`22-3` goes backwards; write `22-23,0-3`"),
        ("0 0 * * FRI-MON", "`FRI-MON` goes backwards; write `5-6,0-1`"),
        ("0 0 * NOV-FEB *", "`NOV-FEB` goes backwards; write `11-12,1-2`"),
        ("5/15 * * * *", "a step needs a range before it; write `5-59/15`"),
        ("*/0 * * * *", "`0` is no step; write a whole number from 1 on after the /"),
        ("*/ * * * *", "`` is no step; write a whole number from 1 on after the /"),
        ("*/5/5 * * * *", "`5/5` is no step; write a whole number from 1 on after the /"),
        ("1,,2 * * * *", "something is missing in the field of the minute"),
        (", * * * *", "something is missing in the field of the minute"),
        ("-5 * * * *", "`` is no minute; write 0 to 59"),
        ("+5 * * * *", "`+5` is no minute; write 0 to 59"),
        ("é * * * *", "`é` is no minute; write 0 to 59"),
        ("0 0 L * *", "`L` is no day of the month; write 1 to 31"),
        ("0 0 ? * 5#2", "`?` is no day of the month; write 1 to 31"),
        ("99999999999999999999 * * * *", "`99999999999999999999` is no minute; write 0 to 59"),
        ("0 0 30 2 *", "there is never such a day"),
        ("0 0 31 2,4,6,9,11 *", "there is never such a day"),
        ("0 0 30,31 FEB */2", "there is never such a day"),
        ("@hourl", "did you mean `@hourly`?"),
        ("@fortnightly", "the words are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually"),
        ("@reboot", "a start of the machine is no time; have what starts the scheduler do it"),
        ("@", "the words are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually"),
    ] {
        assert_eq!(refused(expression), reason, "{expression}");
    }
    assert!(refused(&"1,".repeat(600)).starts_with("it is longer"));
}

#[test]
fn the_ends_of_the_calendar_are_ends() {
    let minutes = calendar("* * * * *", "Europe/Berlin");
    let last = Timestamp::from_micros(253_370_764_800_000_000 - 1).expect("it is the last");
    assert_eq!(minutes.next_after(last), None);
    assert!(minutes.next_after(moment("0001-01-01T00:00:00Z")).is_some());
    assert_eq!(calendar("0 0 1 1 *", "UTC").next_after(moment("9998-06-01T00:00:00Z")), None);
    assert_eq!(calendar("0 2 29 2 */7", "Europe/Berlin").next_after(moment("9990-06-01T00:00:00Z")), None);
}

#[test]
fn the_last_of_many_is_found() {
    for (expression, zone) in [
        ("* * * * * *", "UTC"),
        ("30 2 * * *", "Europe/Berlin"),
        ("0 0 29 2 *", "Asia/Tokyo"),
        ("*/7 * * 3 *", "America/New_York"),
    ] {
        let calendar = calendar(expression, zone);
        for (after, until) in [
            ("2026-03-28T00:00:00Z", "2026-03-29T01:00:00.5Z"),
            ("2026-10-24T12:00:00Z", "2026-10-25T01:30:00Z"),
            ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
            ("2026-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
            ("2023-12-31T00:00:00Z", "2024-03-01T00:00:00Z"),
        ] {
            let (after, until) = (moment(after), moment(until));
            let walked = calendar.after(after).take_while(|time| *time <= until).last();
            assert_eq!(calendar.last_between(after, until), walked, "{expression} {after} {until}");
        }
    }
    let seconds = calendar("* * * * * *", "UTC");
    let until = moment("2026-01-01T00:00:00Z");
    assert_eq!(seconds.last_between(moment("1970-01-01T00:00:00Z"), until), Some(until));
}

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
        let Ok(calendar) = Calendar::parse(&expression, zone.clone()) else { return Ok(()) };
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
        let Ok(calendar) = Calendar::parse(&expression, Zone::utc()) else { return Ok(()) };
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
            if let Ok(calendar) = Calendar::parse(&expression, Zone::utc()) {
                prop_assert!(calendar.next_after(moment("2026-01-01T00:00:00Z")).is_some());
            }
        }
    }
}
