//! Scores that can be checked by hand.

use std::collections::HashMap;

use expect_test::expect;
use num_bigint::BigInt;
use serde_json::Value;

use crate::oracle::scores::quotient;
use crate::world::World;

const LOG: &str = "\
ts,item_id,category,quantity,amount
2017-01-14T23:10:00Z,apple,Food/Fruit|Gifts,3,1.50
2017-01-14T23:40:00Z,apple,Food/Fruit,4,2.1234
2017-01-14T13:00:00Z,apple,Food,-1,-0.5
2017-01-14T02:00:00Z,apple,Food/Fruit,10,5
2017-01-10T02:00:00Z,apple,Food/Fruit,7,3.33
2017-01-14T20:00:00Z,pear,Food/Fruit,90,8
";

fn shop(rules: &str) -> World {
    let world = World::new();
    world.write("log.csv", LOG);
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    let said = world.run(&format!("rank --window 24h --min-items 1 {rules}"));
    assert_eq!(said.code, Some(0), "{}", said.whole());
    world
}

fn json(world: &World, arguments: &str) -> Value {
    let said = world.run(&format!("show --format json {arguments}"));
    assert_eq!(said.code, Some(0), "{}", said.whole());
    serde_json::from_str(&said.stdout).expect("the answer is JSON")
}

/// Returns the lines of a CSV answer: programs read its numbers to the last digit.
fn lines(world: &World, arguments: &str) -> Vec<HashMap<String, String>> {
    let said = world.run(&format!("show --format csv {arguments}"));
    assert_eq!(said.code, Some(0), "{}", said.whole());
    let mut lines = csv::Reader::from_reader(said.stdout.as_bytes());
    lines.deserialize().map(|line| line.expect("the answer is CSV")).collect()
}

fn number(line: &HashMap<String, String>, name: &str) -> f64 {
    line[name].parse().expect("it is a number")
}

#[test]
fn the_hours_add_up_to_the_very_score_that_is_shown() {
    for rules in ["--half-life 7h", "--decay 0.0371", "--no-decay", "--measure amount", "--measure purchases"]
    {
        let world = shop(rules);
        for category in ["", "--category Food", "--category Food/Fruit", "--category Gifts"] {
            let list = lines(&world, category);
            let place = list.iter().find(|line| line["item_id"] == "apple");
            let score = number(place.unwrap_or_else(|| panic!("{rules} {category}: it ranks")), "score");
            let integer = |text: &str| text.parse::<BigInt>().expect("it is an integer");
            let mut sum = BigInt::ZERO;
            for hour in lines(&world, &format!("--item apple --explain {category}")) {
                let product = integer(&hour["measure"]) * integer(&hour["weight"]);
                assert_eq!(integer(&hour["product"]), product, "{rules} {category}");
                sum += product;
                assert_eq!(integer(&hour["sum"]), sum, "{rules} {category}");
            }
            let told = json(&world, &format!("--item apple --explain {category}"));
            let [whole, divisor] = ["explained_sum", "explained_divisor"]
                .map(|name| integer(told[name].as_str().expect("a text")));
            assert_eq!(whole, sum, "{rules} {category}");
            assert_eq!(quotient(&sum, &divisor), score, "{rules} {category}");
            assert_eq!(told["explained_score"].as_f64(), Some(score), "{rules} {category}");
        }
    }
}

#[test]
fn a_score_is_explained_hour_by_hour() {
    let world = shop("--half-life 12h");
    expect![[r#"
        stdout: apple
        stdout: as of 2017-01-15T00:00:00Z, half-life 12 h, sold from 2017-01-10T02:00:00Z to 2017-01-15T00:00:00Z,
        stdout: score 9.411786763352117
        stdout: 
        stdout: Score in the whole shop
        stdout:                 hour  age  units × 10000           × weight             running sum
        stdout: 2017-01-14T02:00:00Z   21        100,000   5055119662503616   505511966250361600000
        stdout: 2017-01-14T13:00:00Z   10        -10,000   9542795193938630   410084014310975300000
        stdout: 2017-01-14T23:00:00Z    0         70,000  17003328011511432  1600316975116775540000
        stdout:                  sum                                         1600316975116775540000
        stdout:              divisor                                          170033280115114320000
        stdout:                score                                              9.411786763352117
        stdout: 
        stdout: Ranks
        stdout: category          rank  of  units     share  score  above  below           window from
        stdout: (the whole shop)     2   2     16   15.09 %  9.412  pear   -      2017-01-14T00:00:00Z
        stdout: Food                 2   2     16   15.09 %  9.412  pear   -      2017-01-14T00:00:00Z
        stdout: Food/Fruit           2   2     17   15.89 %  9.973  pear   -      2017-01-14T00:00:00Z
        stdout: Gifts                1   1      3  100.00 %  3.000  -      -      2017-01-14T00:00:00Z
        stdout: 
        stdout: Units by day, UTC
        stdout: weekday    date        units
        stdout: Sunday     2017-01-08      0
        stdout: Monday     2017-01-09      0
        stdout: Tuesday    2017-01-10      7
        stdout: Wednesday  2017-01-11      0
        stdout: Thursday   2017-01-12      0
        stdout: Friday     2017-01-13      0
        stdout: Saturday   2017-01-14     16
        exit code 0
    "#]].assert_eq(&world.run("show --item apple --explain --format table --width 100").whole());
    expect![[r#"
        stdout: hour,age_hours,units,purchases,amount,measure,weight,product,sum
        stdout: 2017-01-14T23:00:00Z,0,3,1,1.5000,30000,17003328011511432,510099840345342960000,510099840345342960000
        exit code 0
    "#]]
    .assert_eq(&world.run("show --item apple --explain --category Gifts --format csv").whole());
    expect![[r#"
        stderr: error: --item shows all categories of the item; omit the category, or pass --explain
        exit code 2
    "#]]
    .assert_eq(&world.run("show --item apple --category Gifts").whole());
    expect![[r#"
        stderr: error: there is no ranking of `Gift`
        stderr: hint: did you mean `Gifts`?
        exit code 5
    "#]]
    .assert_eq(&world.run("show --item apple --explain --category Gift").whole());
}

#[test]
fn what_came_in_since_and_what_is_not_listed_is_explained_and_said() {
    let world = shop("--half-life 12h --limit 1");
    let second = |arguments: &str| {
        let said = world.run(&format!("show --format table {arguments}"));
        said.stdout.lines().nth(1).map(str::to_owned).unwrap_or_else(|| panic!("{}", said.whole()))
    };
    let listed = second("--item pear --explain");
    assert!(listed.ends_with("score 75.68067737283431"), "{listed}");
    let unlisted = second("--item apple --explain");
    assert!(unlisted.contains("score 9.41") && unlisted.ends_with(", not in the ranking"), "{unlisted}");
    world.write("late.csv", "ts,item_id,category,quantity\n2017-01-14T22:00:00Z,pear,Food/Fruit,1\n");
    assert_eq!(world.run("ingest late.csv").code, Some(0));
    let late = second("--item pear --explain");
    let told = "score 75.68067737283431 as published, 76.6245";
    assert!(late.contains(told) && late.ends_with(" with events ingested since"), "{late}");
}

#[test]
fn an_item_is_shown_where_only_rankings_are_at_hand() {
    let world = shop("");
    for folder in ["events", "rollups"] {
        std::fs::remove_dir_all(world.path("data/lake").join(folder)).expect("the folder is there");
    }
    let answer = json(&world, "--item apple");
    assert_eq!((&answer["first_sale_hour"], &answer["places"][0]["rank"]), (&Value::Null, &Value::from(2)));
}
