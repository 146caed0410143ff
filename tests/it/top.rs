//! `topsell top`: the ranking of some hours without decay, before anything is rolled up or published.

use std::fmt::Write as _;

use expect_test::expect;
use serde_json::Value;

use crate::faults::copy;
use crate::processes::next_random;
use crate::world::World;

const HEADER: &str = "ts,item_id,category,quantity,amount,event_type,event_id\n";

/// Returns some lines, many of which share an id, some of several categories, some returns or of other types.
fn lines(chance: &mut u64, count: u64) -> String {
    let mut text = HEADER.to_owned();
    for _ in 0..count {
        let mut draw = |below: u64| next_random(chance) % below;
        let (hour, minute, item) = (12 + draw(12), draw(60), draw(9));
        let category = ["Food/Fruit", "Food", "Toys/Blocks|Food/Fruit", "Toys", ""][draw(5) as usize];
        let quantity = [1, 1, 2, 5, -1][draw(5) as usize];
        let event_type = ["purchase", "purchase", "view", "refund"][draw(4) as usize];
        let id = [String::new(), format!("e{}", draw(30))][draw(2) as usize].clone();
        writeln!(
            text,
            "2017-01-14T{hour:02}:{minute:02}:00Z,i{item},{category},{quantity},{}.25,{event_type},{id}",
            draw(40)
        )
        .expect("a text can grow");
    }
    text
}

fn json(world: &World, words: &str) -> Value {
    let said = world.run(words);
    assert_eq!(said.code, Some(0), "{words}: {}", said.whole());
    serde_json::from_str(&said.stdout).expect("it is JSON")
}

/// Returns what a list says of its items, and of all others.
fn items_of(list: &Value) -> Value {
    let of_item = |item: &Value| -> Value {
        ["rank", "item_id", "units", "purchases", "amount", "share_percent"]
            .map(|name| item[name].clone())
            .into()
    };
    let items: Vec<Value> = list["items"].as_array().into_iter().flatten().map(of_item).collect();
    serde_json::json!([items, list["eligible_items"], list["total"], list["others"]])
}

#[test]
fn it_is_the_ranking_of_these_hours_as_it_would_be_after_a_rollup() {
    let mut chance = 11;
    let mut listed = 0;
    for round in 0..8 {
        let world = World::new();
        for batch in 0..1 + next_random(&mut chance) % 4 {
            world.write(&format!("{batch}.csv"), lines(&mut chance, 1 + batch * 20));
            // Ids with other contents are a warning.
            let said = world.run(&format!("ingest {batch}.csv"));
            assert!(matches!(said.code, Some(0 | 4)), "{}", said.whole());
            if next_random(&mut chance).is_multiple_of(3) {
                assert_eq!(world.run("rollup").code, Some(0));
            }
        }
        let _ = std::fs::remove_dir_all(world.path("ranked"));
        copy(&world.path("data/lake"), &world.path("ranked"));
        for (hours, measure, more) in [
            (3, "units", ""),
            (12, "purchases", "--subtract refund"),
            (12, "amount", "--event-type purchase --event-type view"),
        ] {
            let ranked = world.run(&format!(
                "--lake ranked rank --promote --window {hours}h --no-decay --min-items 0 --limit 4 --measure {measure} \
                 --as-of 2017-01-14T22:00:00Z {more}"
            ));
            // With 7, there is no eligible item.
            assert!(matches!(ranked.code, Some(0 | 7)), "{}", ranked.whole());
            for category in ["", "-c Food", "-c Food/Fruit", "-c Toys/Blocks", "-c Toys"] {
                let top = json(
                    &world,
                    &format!(
                        "top --last {hours}h --at 2017-01-14T21:15:00Z -n 4 --measure {measure} {more} {category} \
                         --json"
                    ),
                );
                let shown = world.run(&format!("--lake ranked show -n 4 --json {category}"));
                let expected = match shown.code {
                    Some(0) if ranked.code == Some(0) => {
                        items_of(&serde_json::from_str(&shown.stdout).expect("it is JSON"))
                    }
                    // Nothing was sold there.
                    _ => {
                        let nothing = serde_json::json!({ "units": 0, "purchases": 0, "amount": "0.0000" });
                        serde_json::json!([[], 0, nothing, null])
                    }
                };
                assert_eq!(
                    items_of(&top),
                    expected,
                    "round {round}, {hours} h by {measure} {more} {category}"
                );
                listed += top["items"].as_array().map_or(0, Vec::len);
            }
        }
    }
    assert!(listed > 200, "there was much to list: {listed}");
}

/// Returns what a decayed list or a ranking says of its window, its items, and all others.
fn decayed_of(list: &Value) -> Value {
    let of_item = |item: &Value| -> Value {
        ["rank", "item_id", "score", "units", "purchases", "amount", "share_percent"]
            .map(|name| item[name].clone())
            .into()
    };
    let items: Vec<Value> = list["items"].as_array().into_iter().flatten().map(of_item).collect();
    let of_list =
        ["window_from", "window_to", "window_hours", "half_life_hours", "eligible_items", "total", "others"];
    serde_json::json!([items, of_list.map(|name| list[name].clone())])
}

#[test]
fn a_decayed_list_is_the_ranking_of_the_moment_with_the_same_scores() {
    let mut chance = 5;
    let (mut listed, mut extended) = (0, 0);
    for round in 0..6 {
        let world = World::new();
        for batch in 0..1 + next_random(&mut chance) % 4 {
            // Most of the last hours, some of weeks before.
            let text = lines(&mut chance, 1 + batch * 12);
            let mut old = lines(&mut chance, 1 + batch * 6).replace("2017-01-14", "2016-12-02");
            old.push_str(&lines(&mut chance, 4).replace("2017-01-14", "2017-01-09")[HEADER.len()..]);
            for (name, text) in [("new", text), ("old", old)] {
                world.write(&format!("{name}{batch}.csv"), text);
                let said = world.run(&format!("ingest {name}{batch}.csv"));
                // Ids with other contents are a warning.
                assert!(matches!(said.code, Some(0 | 4)), "{}", said.whole());
            }
            if next_random(&mut chance).is_multiple_of(3) {
                assert_eq!(world.run("rollup").code, Some(0));
            }
        }
        for (options, at) in [
            ("", "2017-01-14T21:15:00Z"),
            ("--window 5h --half-life 90min --min-items 4 --max-lookback 30d", "2017-01-14T22:00:00Z"),
            ("--window 12h --measure amount --min-items 9", "2017-01-14T23:59:59.5Z"),
            ("--window 30h --decay 0.05 --min-items 0 --subtract refund", "2017-01-14T20:00:01Z"),
            ("--half-life 5min --max-lookback 60d --measure purchases --event-type view", "2017-01-15"),
        ] {
            let _ = std::fs::remove_dir_all(world.path("ranked"));
            copy(&world.path("data/lake"), &world.path("ranked"));
            let ranked = world.run(&format!("--lake ranked rank --promote --limit 4 --as-of {at} {options}"));
            // With 7, there is no eligible item.
            assert!(matches!(ranked.code, Some(0 | 7)), "{}", ranked.whole());
            let decay = if options.contains("--decay") { "" } else { "--decay" };
            for category in ["", "-c Food", "-c Food/Fruit", "-c Toys/Blocks", "-c Toys"] {
                let top = json(&world, &format!("top {decay} {options} --at {at} -n 4 {category} --json"));
                let shown = world.run(&format!("--lake ranked show -n 4 --json {category}"));
                if shown.code != Some(0) || ranked.code != Some(0) {
                    assert_eq!(top["items"], serde_json::json!([]), "round {round}, {options} {category}");
                    continue;
                }
                let shown: Value = serde_json::from_str(&shown.stdout).expect("it is JSON");
                assert_eq!(decayed_of(&top), decayed_of(&shown), "round {round}, {options} {category}");
                let hours = |list: &Value| list["window_hours"].as_i64();
                assert_eq!(
                    top["is_extended"] == true,
                    hours(&top) > Some(150)
                        || options.contains("--window") && {
                            let window =
                                options.split("--window ").nth(1).and_then(|rest| rest.split('h').next());
                            hours(&top) > window.and_then(|window| window.parse().ok())
                        },
                    "{options}"
                );
                listed += top["items"].as_array().map_or(0, Vec::len);
                extended += usize::from(top["is_extended"] == true);
            }
        }
    }
    assert!(listed > 200 && extended > 20, "there was much to list: {listed}, {extended} extended");
}

/// What an item has in some hours, and before them.
type Measured = (i64, i64);

#[test]
fn what_rises_is_found_by_the_formula_over_all_events() {
    let mut chance = 3;
    let mut listed = 0;
    for round in 0..4 {
        let world = World::new();
        let mut events: Vec<(u64, u64, i64, bool)> = Vec::new();
        for batch in 0..3 {
            let mut text = "ts,item_id,category,quantity\n".to_owned();
            for _ in 0..60 {
                let mut draw = |below: u64| next_random(&mut chance) % below;
                let (hour, item, is_food) = (draw(20), draw(7), draw(2) == 0);
                // The last hours sell more.
                let quantity = (draw(5) + hour / 4).cast_signed() - 1;
                let category = if is_food { "Food/Fruit|Garden" } else { "Toys" };
                writeln!(text, "2017-01-14T{hour:02}:10:00Z,i{item},{category},{quantity}")
                    .expect("a text can grow");
                events.push((hour, item, quantity, is_food));
            }
            world.write(&format!("{batch}.csv"), text);
            assert!(matches!(world.run(&format!("ingest {batch}.csv")).code, Some(0 | 4)));
            if batch == round % 3 {
                assert_eq!(world.run("rollup").code, Some(0));
            }
        }
        for (hours, min, category) in [(1, 1, ""), (2, 5, "-c Food"), (2, 20, "-c Toys"), (3, 0, "-c Garden")]
        {
            let window = 20 - hours..20;
            let before = (20_u64).saturating_sub(8 * hours)..20 - hours;
            let mut measured = [Measured::default(); 7];
            for (hour, item, quantity, is_food) in &events {
                let is_there = category.is_empty() || (category == "-c Toys") != *is_food;
                let (now, earlier) = &mut measured[*item as usize];
                match hour {
                    _ if !is_there => {}
                    hour if window.contains(hour) => *now += quantity,
                    hour if before.contains(hour) => *earlier += quantity,
                    _ => {}
                }
            }
            let rise = |(now, earlier): Measured| {
                let mean = earlier.max(0) as f64 / 7.0;
                (now as f64 - mean) / (mean + 1.0).sqrt()
            };
            let mut expected: Vec<(f64, Measured, usize)> = (0..7)
                .map(|item| (rise(measured[item]), measured[item], item))
                .filter(|(rise, (now, _), _)| *now >= min && *now > 0 && *rise > 1e-9)
                .collect();
            expected.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.0.cmp(&a.1.0)).then(a.2.cmp(&b.2)));
            let list = json(
                &world,
                &format!(
                    "top --rising --last {hours}h --min {min} --at 2017-01-14T19:30:00Z {category} --json"
                ),
            );
            let got = list["items"].as_array().expect("it has items");
            let ids: Vec<&str> = got.iter().filter_map(|item| item["item_id"].as_str()).collect();
            let expected_ids: Vec<String> = expected.iter().map(|(.., item)| format!("i{item}")).collect();
            assert_eq!(ids, expected_ids, "round {round}, {hours} h, {category}: {list}");
            for (item, (rise, (now, earlier), _)) in got.iter().zip(&expected) {
                assert_eq!(item["units"].as_i64(), Some(*now), "{item}");
                assert!(
                    (item["rise"].as_f64().expect("a number") - rise).abs() < 0.000_051,
                    "{item}, not {rise}"
                );
                let mean: f64 =
                    item["before"].as_str().and_then(|text| text.parse().ok()).expect("a decimal");
                assert!((mean - earlier.max(&0).to_owned() as f64 / 7.0).abs() < 0.000_051, "{item}");
            }
            assert_eq!(list["eligible_items"], ids.len());
            listed += ids.len();
        }
    }
    assert!(listed > 30, "much rises: {listed}");
}

#[test]
fn lists_by_score_and_by_rise_say_what_they_are() {
    let world = World::new();
    world.write(
        "log.csv",
        "ts,item_id,category,quantity\n2017-01-10T20:00:00Z,apple,Food,70\n2017-01-14T20:00:00Z,apple,Food,5\n\
         2017-01-14T21:20:00Z,pear,Food,30\n2017-01-14T23:20:00Z,ball,Toys,4\n",
    );
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    let at = "--at 2017-01-14T23:45:00Z";
    expect![[r#"
        stdout: Top items of the whole shop, decayed, by units, 2016-01-16T00:00:00Z to 2017-01-15T00:00:00Z, the last hour still filling
        stdout: half-life 48 h, window extended: fewer than 10 items sold in 150 hours
        stdout: rank  item       score  units    share  purchases  amount
        stdout:    1  pear      29.146     30  27.52 %          1    0.00
        stdout:    2  apple     21.546     75  68.81 %          2    0.00
        stdout:       1 others              4   3.67 %          1    0.00
        exit code 0
    "#]].assert_eq(&world.run(&format!("top --decay -n 2 {at} --format table")).whole());
    expect![[r#"
        stdout: {"schema":1,"as_of":"2017-01-15T00:00:00Z","window_from":"2017-01-08T18:00:00Z","window_to":"2017-01-15T00:00:00Z","window_hours":150,"is_extended":false,"is_filling":true,"half_life_hours":48.0,"event_types":["purchase"],"category":null,"measure":"units","eligible_items":3,"total":{"units":109,"purchases":4,"amount":"0.0000"},"others":{"items":2,"units":79,"purchases":3,"amount":"0.0000","share_percent":72.48},"items":[{"rank":1,"item_id":"pear","score":29.145958234608177,"units":30,"purchases":1,"amount":"0.0000","share_percent":27.52}]}
        exit code 0
    "#]].assert_eq(&world.run(&format!("top --decay -n 1 --min-items 1 {at} --json")).whole());
    expect![[r#"
        stdout: Rising items of the whole shop by units, 2017-01-14T20:00:00Z to 2017-01-15T00:00:00Z, the last hour still filling
        stdout: against the mean of 7 times as long before, at least 5 units
        stdout: rank  item     rise  before  units  purchases  amount
        stdout:    1  pear   30.000    0.00     30          1    0.00
        stdout:    2  apple   5.000    0.00      5          1    0.00
        exit code 0
    "#]]
        .assert_eq(&world.run(&format!("top --rising --last 4h --min 5 {at} --format table")).whole());
    expect![[r#"
        stdout: {"schema":1,"hours_from":"2017-01-14T20:00:00Z","hours_to":"2017-01-15T00:00:00Z","before_from":"2017-01-13T16:00:00Z","is_filling":true,"event_types":["purchase"],"category":null,"measure":"units","min":5,"eligible_items":2,"items":[{"rank":1,"item_id":"pear","rise":30.0,"before":"0.0000","units":30,"purchases":1,"amount":"0.0000"}]}
        exit code 0
    "#]]
        .assert_eq(&world.run(&format!("top --rising --last 4h --min 5 -n 1 {at} --json")).whole());
    expect![[r#"
        stdout: category,rank,item_id,rise,before,units,purchases,amount
        stdout: ,1,pear,30,0.0000,30,1,0.0000
        stdout: ,2,apple,5,0.0000,5,1,0.0000
        exit code 0
    "#]]
    .assert_eq(&world.run(&format!("top --rising --last 4h --min 5 {at} --format csv")).whole());
    for wrong in [
        "top --decay --last 3h",
        "top --decay --rising",
        "top --half-life 3h",
        "top --min 3",
        "top --decay 0",
        "top --decay --window 90min",
        "top --decay --max-lookback 1000y",
        "top --rising --last 100000d",
    ] {
        let said = world.run(wrong);
        assert_eq!(said.code, Some(2), "{wrong}: {}", said.whole());
    }
    // What is set for rankings is set for these lists.
    world.write("data/lake/topsell.toml", "window = \"24h\"\nhalf_life = \"6h\"\nmin_items = 0\n");
    let list = json(&world, &format!("top --decay {at} --json"));
    assert_eq!((list["window_hours"].as_i64(), list["half_life_hours"].as_f64()), (Some(24), Some(6.0)));
    assert_eq!(json(&world, &format!("top {at} --json"))["eligible_items"], 3);
}

#[test]
fn it_lists_what_sold_most_up_to_now_and_tells_of_all_others() {
    let world = World::new();
    world.write(
        "log.csv",
        "ts,item_id,category,quantity,amount\n2017-01-14T20:10:00Z,apple,Food,5,10\n\
         2017-01-14T20:20:00Z,pear,Food,3,12\n2017-01-14T21:20:00Z,ball,Toys,2,40\n\
         2017-01-14T23:20:00Z,ball,Toys,1,20\n2017-01-14T23:30:00Z,gone,Toys,-1,-9\n",
    );
    let at = "--at 2017-01-14T23:45:00Z";
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    expect![[r#"
        stdout: Top items of the whole shop by units, 2017-01-14T00:00:00Z to 2017-01-15T00:00:00Z, the last hour still filling
        stdout: rank  item      units    share  purchases  amount
        stdout:    1  apple         5  45.46 %          1   10.00
        stdout:    2  ball          3  27.27 %          2   60.00
        stdout:       1 others      3  27.27 %          1   12.00
        exit code 0
    "#]].assert_eq(&world.run(&format!("top -n 2 {at} --format table")).whole());
    expect![[r#"
        stdout: {"schema":1,"hours_from":"2017-01-14T00:00:00Z","hours_to":"2017-01-15T00:00:00Z","is_filling":true,"event_types":["purchase"],"category":null,"measure":"units","eligible_items":3,"total":{"units":11,"purchases":4,"amount":"82.0000"},"others":{"items":1,"units":3,"purchases":1,"amount":"12.0000","share_percent":27.27},"items":[{"rank":1,"item_id":"apple","units":5,"purchases":1,"amount":"10.0000","share_percent":45.46},{"rank":2,"item_id":"ball","units":3,"purchases":2,"amount":"60.0000","share_percent":27.27}]}
        exit code 0
    "#]].assert_eq(&world.run(&format!("top -n 2 {at} --json")).whole());
    expect![[r#"
        stdout: category,rank,item_id,units,purchases,amount,share_percent
        stdout: ,1,ball,1,1,20.0000,100.00
        exit code 0
    "#]]
    .assert_eq(&world.run(&format!("top --last 2h {at} --format csv")).whole());
    expect![[r#"
        stdout: {"schema":1,"hours_from":"2017-01-14T00:00:00Z","hours_to":"2017-01-15T00:00:00Z","is_filling":true,"event_types":["purchase"],"category":"Garden","measure":"units","eligible_items":0,"total":{"units":0,"purchases":0,"amount":"0.0000"},"others":null,"items":[]}
        exit code 0
    "#]].assert_eq(&world.run(&format!("top -c Garden {at} --json")).whole());
    for wrong in ["top --last 90s", "top -n 0", "top --to 2017-01-14", "top -c /x", "top --measure score"] {
        assert_eq!(world.run(wrong).code, Some(2), "{wrong}");
    }
}
