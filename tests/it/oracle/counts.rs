//! What single items have sold, against the same brute force.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use crate::oracle::logs::rfc3339;
use crate::oracle::sales::{ITEMS, NOW, Rules};
use crate::oracle::{Hours, Nodes};
use crate::world::World;

/// Counts every item, and one that nobody sold: hour by hour in the whole shop, or in a lump in one
/// of the categories, by turns.
pub fn check_counts(world: &World, rules: &Rules, nodes: &Nodes<'_>) -> Result<(), TestCaseError> {
    let number = rules.window as usize + nodes.values().map(BTreeMap::len).sum::<usize>();
    match number % 2 {
        0 => check_shop(world, rules, nodes),
        _ => {
            // Another one from round to round.
            let category = nodes.keys().nth(number / 2 % nodes.len().max(1)).cloned().flatten();
            match category {
                Some(category) => check_category(world, rules, nodes, &category),
                None => check_unknown(world),
            }
        }
    }
}

fn check_shop(world: &World, rules: &Rules, nodes: &Nodes<'_>) -> Result<(), TestCaseError> {
    for (item, of_item) in count(world, rules, 0..NOW + 2, None, &["--by=hour"])? {
        let expected = nodes.get(&None).and_then(|items| items.get(item.as_str()));
        let hours = of_item["by"].as_array().map(Vec::as_slice).unwrap_or_default();
        prop_assert_eq!(hours.len(), NOW as usize + 2);
        for (hour, got) in (0..).zip(hours) {
            prop_assert_eq!(&got["hour"], &Value::from(rfc3339(hour * 3_600, "Z")));
            let aggregate = expected.and_then(|hours| hours.get(&hour)).copied().unwrap_or_default();
            prop_assert_eq!(numbers(got, aggregate[0]), aggregate, "{} at {}: {}", item, hour, got);
        }
    }
    Ok(())
}

/// A category in which nothing was ever sold is told from one that sold nothing lately.
fn check_unknown(world: &World) -> Result<(), TestCaseError> {
    let said = world.run("count a -c A/none");
    prop_assert_eq!(said.code, Some(5), "{}", said.whole());
    Ok(())
}

/// Counts over hours that begin and end within those of the sales.
fn check_category(
    world: &World,
    rules: &Rules,
    nodes: &Nodes<'_>,
    category: &str,
) -> Result<(), TestCaseError> {
    let hours = rules.as_of().min(NOW) - rules.window..rules.as_of().min(NOW);
    let has_events = |items: &BTreeMap<&str, Hours>| {
        items.values().any(|hours| hours.values().any(|aggregate| *aggregate != [0; 3]))
    };
    if !nodes.get(&Some(category.to_owned())).is_some_and(has_events) {
        // Nothing of it came in yet, or what came in does not count.
        return Ok(());
    }
    for (item, got) in count(world, rules, hours.clone(), Some(category), &[])? {
        let sold = nodes.get(&Some(category.to_owned())).and_then(|items| items.get(item.as_str()));
        let sold = sold
            .unwrap_or(&Hours::new())
            .range(hours.clone())
            .fold([0; 3], |sum, (_, of_hour)| std::array::from_fn(|at| sum[at] + of_hour[at]));
        prop_assert_eq!(numbers(&got, sold[0]), sold, "{} in {} {:?}: {}", item, category, hours, got);
    }
    Ok(())
}

fn count(
    world: &World,
    rules: &Rules,
    hours: std::ops::Range<i64>,
    category: Option<&str>,
    more: &[&str],
) -> Result<Vec<(String, Value)>, TestCaseError> {
    let (from, to) = (rfc3339(hours.start * 3_600, "Z"), rfc3339(hours.end * 3_600, "Z"));
    let mut arguments = vec!["count".to_owned(), format!("--from={from}"), format!("--to={to}")];
    arguments.extend(category.map(|category| format!("--category={category}")));
    arguments.extend(rules.event_types.iter().map(|event_type| format!("--event-type={event_type}")));
    arguments.extend(rules.subtract.iter().map(|event_type| format!("--subtract={event_type}")));
    arguments.extend(more.iter().map(|&more| more.to_owned()));
    arguments.extend(["--", "nobody's"].map(str::to_owned));
    arguments.extend(ITEMS.map(str::to_owned));
    let said = world.run_with(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), b"");
    prop_assert_eq!(said.code, Some(0), "{}", said.whole());
    let answer: Value = serde_json::from_str(&said.stdout).expect("an answer is JSON");
    prop_assert_eq!(&answer["hours_from"], &Value::from(from));
    prop_assert_eq!(&answer["hours_to"], &Value::from(to));
    let items = answer["items"].as_array().cloned().unwrap_or_default();
    prop_assert_eq!(items.len(), ITEMS.len() + 1);
    Ok(items
        .into_iter()
        .map(|item| (item["item_id"].as_str().unwrap_or_default().to_owned(), item))
        .collect())
}

/// Units, purchases and money, as the brute force has them; units with more digits than a number of JSON
/// keeps are those expected, if they are near.
fn numbers(of: &Value, expected: i128) -> [i128; 3] {
    let purchases = of["purchases"].as_i64().expect("a count has its numbers");
    let amount = of["amount"].as_str().expect("money is a text").replace('.', "");
    [units(&of["units"], expected), purchases.into(), amount.parse().expect("an amount has four places")]
}

/// Units in ten-thousandths, by the digits of a JSON number without trailing zeros.
fn units(of: &Value, expected: i128) -> i128 {
    let text = of.as_number().expect("units are a number").to_string();
    let has_many_digits = expected.abs() >= 1_000_000_000_000_000 && expected % 10_000 != 0;
    if has_many_digits && of.as_f64() == Some(expected as f64 / 10_000.0) {
        return expected;
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    assert!(fraction.len() <= 4 && !fraction.ends_with('0'), "{text}");
    format!("{whole}{fraction:0<4}").parse().expect("it has digits alone")
}
