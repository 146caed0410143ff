//! Logs in every form, as files and as streams.

use proptest::prelude::*;

use crate::bad_input::arbitrary::{account, ended, good_log, harm_or_packing, json_lines, try_cases};
use crate::world::{Said, World};

const FORMATS: [&str; 4] = ["csv", "tsv", "ndjson", "parquet"];

/// Returns whether a warning says that numbers of an input may be wrong, which ends a run with 4.
fn warns_of_numbers(said: &Said) -> bool {
    let is_one = |line: &str| {
        let named = line.strip_prefix("warning: ").and_then(|line| line.split_once(':'));
        named.is_some_and(|(name, text)| !name.contains(' ') && !text.contains(" more than a year "))
            || line.contains(" has changed since it was ingested: ")
    };
    said.stderr.lines().any(is_one)
}

/// Takes bytes in as a file and from standard input.
fn check(world: &World, format: &str, bytes: &[u8]) -> Result<usize, TestCaseError> {
    let lines = json_lines(bytes).filter(|_| format == "ndjson");
    let name = format!("log.{format}");
    world.write(&name, bytes);
    let from_file = world.run(&format!("ingest {name}"));
    let again = world.run_with(&["ingest", "--format", format, "-"], bytes);
    for said in [&from_file, &again] {
        ended(said, &[0, 1, 4])?;
        let [read, _, _, rejected] = account(said)?;
        prop_assert!(lines.is_none_or(|lines| lines == read), "{:?} lines: {}", lines, said.whole());
        let is_whole = rejected == 0 && !said.stderr.contains("failed: ") && !warns_of_numbers(said);
        prop_assert_eq!(said.code == Some(0), is_whole, "{}", said.whole());
    }
    // Only an input of which nothing could be read is read again, with nothing to show for it.
    let [_, first, ..] = account(&from_file)?;
    let [_, accepted, _, rejected] = account(&again)?;
    prop_assert_eq!(accepted, 0, "what was ingested stays: {}", again.whole());
    prop_assert!(rejected == 0 || first == 0, "and is skipped: {}", again.whole());
    Ok(2 * bytes.len())
}

#[test]
fn random_logs_are_counted() {
    let worlds = FORMATS.map(|_| World::new());
    try_cases("logs", 60, (0..FORMATS.len(), harm_or_packing()), |(format, harm)| {
        check(&worlds[format], FORMATS[format], &harm.done_to(good_log(FORMATS[format])))
    });
    for world in worlds {
        let said = world.run("rank --window 365d");
        assert!(
            matches!(said.code, Some(0 | 1 | 5 | 7)),
            "what was ingested can be ranked: {}",
            said.whole()
        );
    }
}

/// Orders whose later lines have the values of the first one.
const ORDERS: &str = "order,at,status,sku,qty,total,currency\n\
    1,2017-01-14T10:00:00Z,paid,a,1,2.50,EUR\n\
    1,,,b,2,\"1,5\",\n\
    2,2017-01-14T11:00:00Z,refunded,a,1,2.50,EUR\n\
    3,2017-01-14T12:00:00Z,paid,\"c\"\"d\",1,2.50,EUR\n\
    3,,,a,-1,,\n";
const FILLED: &str = "--fill order --where status=paid --map ts=at --map event_id=order --map item_id=sku --map \
    quantity=qty --map amount=total";
/// The number of forms.
const FORMS: usize = 15;

/// Returns objects as the logs of containers have them, each second one with a text around it.
fn in_containers(objects: &[String]) -> String {
    let line = |(number, object): (usize, &String)| match number % 2 {
        0 => {
            let text = serde_json::Value::from(format!("{object}\n"));
            format!("{{\"log\":{text},\"stream\":\"stdout\",\"time\":\"2017-01-14T10:00:00Z\"}}\n")
        }
        _ => format!("2017-01-14T10:00:00.5Z stdout F {object}\n"),
    };
    objects.iter().enumerate().map(line).collect()
}

/// Returns a valid input in one of the forms that need more than lines, and the options that read it.
fn other_form(form: usize) -> (&'static str, Vec<u8>, &'static str) {
    const NESTED: &str =
        "--map ts=at --map event_id=o.id --map item_id=o.lines[].sku --map quantity=o.lines[].n";
    let objects: Vec<String> = good_log("ndjson")
        .split(|&byte| byte == b'\n')
        .filter(|line| line.starts_with(b"{"))
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    let orders: Vec<String> = (0..4)
        .map(|n| {
            let lines = r#"[{"sku":"a","n":1},{"sku":"a","n":2},{"sku":"b"}]"#;
            format!(r#"{{"at":"2017-01-14T1{n}:00:00Z","o":{{"id":{n},"lines":{lines}}}}}"#)
        })
        .collect();
    let wide = |text: String| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    match form {
        0 => ("json", format!("[{}]", objects.join(",\n")).into_bytes(), ""),
        1 => ("json", objects.concat().replace(',', ",\n  ").into_bytes(), ""),
        2 => ("json", format!("{{\"n\":1,\"records\":[{}],\"m\":{{}}}}", objects.join(",")).into_bytes(), ""),
        3 => ("ndjson", (orders.join("\n") + "\n").into_bytes(), NESTED),
        4 => ("json", format!("[{}]", orders.join(",")).into_bytes(), NESTED),
        5 => ("csv", wide(String::from_utf8_lossy(&good_log("csv")).into_owned()), "--encoding utf-16le"),
        6 => ("csv", good_log("csv"), "--encoding shift_jis"),
        7 => ("csv", String::from_utf8_lossy(&good_log("csv")).replace('\n', "\r").into_bytes(), ""),
        8 => ("ndjson", in_containers(&objects).into_bytes(), ""),
        9 => {
            let shipped = objects.iter().map(|object| format!("shop: [1483794300.25, {object}]\n"));
            ("ndjson", shipped.collect::<String>().into_bytes(), "")
        }
        10 => ("csv", ORDERS.as_bytes().to_vec(), FILLED),
        11 => ("csv", ORDERS.replace(',', "|").into_bytes(), FILLED),
        12 => ("csv", format!("sep=;\n\n{}", ORDERS.replace(',', ";")).into_bytes(), FILLED),
        13 => (
            "tsv",
            ORDERS.replace(',', "\t").into_bytes(),
            "--quoting backslash --map ts=at --map item_id=sku",
        ),
        _ => (
            "csv",
            format!("Report\nof today\n{ORDERS}").into_bytes(),
            "--skip-lines 2 --map ts=at --map item_id=sku",
        ),
    }
}

#[test]
fn random_inputs_in_other_forms_are_counted() {
    let worlds = [(); FORMS].map(|()| World::new());
    try_cases("other forms", 120, (0..worlds.len(), harm_or_packing()), |(form, harm)| {
        let (format, good, options) = other_form(form);
        let bytes = harm.done_to(good);
        let name = format!("log.{format}");
        worlds[form].write(&name, &bytes);
        let said = worlds[form].run(&format!("ingest {name} {options}"));
        ended(&said, &[0, 1, 4])?;
        let [_, _, _, rejected] = account(&said)?;
        let is_whole = rejected == 0 && !said.stderr.contains("failed: ") && !warns_of_numbers(&said);
        prop_assert_eq!(said.code == Some(0), is_whole, "{}", said.whole());
        Ok(bytes.len())
    });
}
