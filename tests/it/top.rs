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
                "--lake ranked rank --window {hours}h --no-decay --min-items 0 --limit 4 --measure {measure} \
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
    for wrong in ["top --last 90min", "top -n 0", "top --to 2017-01-14", "top -c /x", "top --measure score"] {
        assert_eq!(world.run(wrong).code, Some(2), "{wrong}");
    }
}
