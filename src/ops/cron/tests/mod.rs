//! What expressions name, and what is said of those that name nothing.

mod clocks;
mod walked;

use super::*;

fn calendar(expression: &str, zone: &str) -> CronSchedule {
    let zone = Zone::named(zone).expect("a good zone");
    CronSchedule::parse(expression, zone).unwrap_or_else(|error| panic!("{error}"))
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
    match CronSchedule::parse(expression, Zone::utc()) {
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
    check("*/60 * * * *", "UTC", from, &["2026-01-01 01:00+00:00", "2026-01-01 02:00+00:00"]);
    check("0 0 1-31/31 * *", "UTC", from, &["2026-02-01 00:00+00:00"]);
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
fn what_is_wrong_is_named() {
    for (expression, reason) in [
        (
            "",
            "expected five fields, `minute hour day-of-month month day-of-week`, or six with seconds first; found 0",
        ),
        (
            "* * * *",
            "expected five fields, `minute hour day-of-month month day-of-week`, or six with seconds first; found 4",
        ),
        (
            "* * * * * * 2026",
            "expected five fields, `minute hour day-of-month month day-of-week`, or six with seconds first; found 7",
        ),
        ("60 * * * *", "invalid minute `60`: expected 0 to 59"),
        ("0 24 * * *", "invalid hour `24`: expected 0 to 23"),
        ("0 0 0 * *", "invalid day of the month `0`: expected 1 to 31"),
        ("0 0 1 13 *", "invalid month `13`: expected 1 to 12, or JAN to DEC"),
        ("0 0 * * 8", "invalid day of the week `8`: expected 0 to 7, or SUN to SAT"),
        ("0 0 * * MONDAY", "invalid day of the week `MONDAY`: expected 0 to 7, or SUN to SAT"),
        ("0 0 1 MON *", "invalid month `MON`: expected 1 to 12, or JAN to DEC"),
        ("0 0 1 JANFEB *", "invalid month `JANFEB`: expected 1 to 12, or JAN to DEC"),
        ("0 22-3 * * *", "range `22-3` is reversed; write `22-23,0-3`"),
        ("0 0 * * FRI-MON", "range `FRI-MON` is reversed; write `5-6,0-1`"),
        ("0 0 * NOV-FEB *", "range `NOV-FEB` is reversed; write `11-12,1-2`"),
        ("5/15 * * * *", "a step needs a range; write `5-59/15`"),
        ("*/0 * * * *", "invalid step `0`: expected an integer of at least 1 after /"),
        (
            "0 0 1-31/99999999999999999999 * *",
            "step `99999999999999999999` is beyond the 31 values of the day of the month field, so that it is due as if by 31; list the times instead",
        ),
        (
            "*/70 * * * *",
            "step `70` is beyond the 60 values of the minute field, so that it is due as if by 60; list the times instead",
        ),
        (
            "0 0 * * */8",
            "step `8` is beyond the 7 values of the day of the week field, so that it is due as if by 7; list the times instead",
        ),
        ("*/ * * * *", "invalid step ``: expected an integer of at least 1 after /"),
        ("*/5/5 * * * *", "invalid step `5/5`: expected an integer of at least 1 after /"),
        ("1,,2 * * * *", "empty list item in the minute field"),
        (", * * * *", "empty list item in the minute field"),
        ("-5 * * * *", "invalid minute ``: expected 0 to 59"),
        ("+5 * * * *", "invalid minute `+5`: expected 0 to 59"),
        ("é * * * *", "invalid minute `é`: expected 0 to 59"),
        ("0 0 L * *", "invalid day of the month `L`: expected 1 to 31"),
        ("0 0 ? * 5#2", "invalid day of the month `?`: expected 1 to 31"),
        ("99999999999999999999 * * * *", "invalid minute `99999999999999999999`: expected 0 to 59"),
        ("0 0 30 2 *", "no date matches"),
        ("0 0 31 2,4,6,9,11 *", "no date matches"),
        ("0 0 30,31 FEB */2", "no date matches"),
        ("@hourl", "did you mean `@hourly`?"),
        ("@fortnightly", "known macros: @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually"),
        ("@reboot", "not supported; start the command together with the scheduler"),
        ("@", "known macros: @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually"),
    ] {
        assert_eq!(refused(expression), reason, "{expression}");
    }
    assert!(refused(&"1,".repeat(600)).starts_with("longer than"));
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
