//! Items that are too far down for any list.

use expect_test::expect;

use crate::world::World;

const LOG: &str = "\
ts,item_id,category,quantity
2017-01-14T20:00:00Z,apple,Food/Fruit,90
2017-01-14T20:00:00Z,bread,Food/Bakery,80
2017-01-14T20:00:00Z,pear,Food/Fruit|Gifts,70
2017-01-14T21:00:00Z,plum,Food/Fruit,60
2017-01-14T22:00:00Z,loose,,5
";

#[test]
fn an_item_has_its_ranks_however_far_down_where_all_are_published() {
    let world = World::new();
    world.write("log.csv", LOG);
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    let rank = |arguments: &str| {
        let said = world.run(&format!("rank --window 24h --no-decay --limit 1 --min-items 1 {arguments}"));
        assert_eq!(said.code, Some(0), "{}", said.whole());
    };
    rank("");
    expect![[r#"
        stderr: error: item `plum` is not ranked
        stderr: hint: search for it with `topsell show --search TEXT`
        exit code 5
    "#]]
    .assert_eq(&world.run("show --item plum").whole());
    rank("--all-items");
    expect![[r#"
        stdout: pear
        stdout: as of 2017-01-15T00:00:00Z, no decay, sold from 2017-01-14T20:00:00Z to 2017-01-14T21:00:00Z
        stdout: 
        stdout: Ranks
        stdout: category          rank  of  units     share  weeks   score  above  below           window from  units (extended)
        stdout: (the whole shop)     3   5     70         -         70.000  bread  plum   2017-01-14T00:00:00Z                70
        stdout: Food                 3   4     70         -         70.000  bread  plum   2017-01-14T00:00:00Z                70
        stdout: Food/Fruit           2   3     70         -         70.000  apple  plum   2017-01-14T00:00:00Z                70
        stdout: Gifts                1   1     70  100.00 %      1  70.000  -      -      2017-01-14T00:00:00Z                70
        stdout: 
        stdout: Units by day, UTC
        stdout: weekday    date        units
        stdout: Sunday     2017-01-08      0
        stdout: Monday     2017-01-09      0
        stdout: Tuesday    2017-01-10      0
        stdout: Wednesday  2017-01-11      0
        stdout: Thursday   2017-01-12      0
        stdout: Friday     2017-01-13      0
        stdout: Saturday   2017-01-14     70
        exit code 0
    "#]]
    .assert_eq(&world.run("show --item pear --format table").whole());
    expect![[r#"
        stdout: item_id,category,rank,eligible_items,movement,previous_rank,weeks,units,share_percent,score,above_item_id,above_score,below_item_id,below_score,window_from,as_of,window_units,window_share_percent,is_extended
        stdout: plum,,4,5,,,,60,,60,pear,70,loose,5,2017-01-14T00:00:00Z,2017-01-15T00:00:00Z,60,,false
        stdout: plum,Food,4,4,,,,60,,60,pear,70,,,2017-01-14T00:00:00Z,2017-01-15T00:00:00Z,60,,false
        stdout: plum,Food/Fruit,3,3,,,,60,,60,pear,70,,,2017-01-14T00:00:00Z,2017-01-15T00:00:00Z,60,,false
        exit code 0
    "#]].assert_eq(&world.run("show --item plum --format csv").whole());
    expect![[r#"
        stdout: {"item_id":"loose","category":null,"rank":5,"eligible_items":5,"movement":null,"previous_rank":null,"weeks":null,"units":5,"share_percent":null,"score":5.0,"above_item_id":"plum","above_score":60.0,"below_item_id":null,"below_score":null,"window_from":"2017-01-14T00:00:00Z","as_of":"2017-01-15T00:00:00Z","window_units":5,"window_share_percent":null,"is_extended":false}
        exit code 0
    "#]].assert_eq(&world.run("show --item loose --format ndjson").whole());
    rank("--as-of 2017-01-15T01:00:00Z");
    expect![[r#"
        stdout: plum
        stdout: as of 2017-01-15T01:00:00Z, no decay, sold from 2017-01-14T21:00:00Z to 2017-01-14T22:00:00Z,
        stdout: ranks below the rankings as of 2017-01-15T00:00:00Z
        stdout: 
        stdout: Ranks
        stdout: category          rank  of  units  share   score  above  below  units (extended)
        stdout: (the whole shop)     4   5     60      -  60.000  pear   loose                60
        stdout: Food                 4   4     60      -  60.000  pear   -                    60
        stdout: Food/Fruit           3   3     60      -  60.000  pear   -                    60
        stdout: 
        stdout: Units by day, UTC
        stdout: weekday    date        units
        stdout: Monday     2017-01-09      0
        stdout: Tuesday    2017-01-10      0
        stdout: Wednesday  2017-01-11      0
        stdout: Thursday   2017-01-12      0
        stdout: Friday     2017-01-13      0
        stdout: Saturday   2017-01-14     60
        stdout: Sunday     2017-01-15      0
        exit code 0
    "#]]
    .assert_eq(&world.run("show --item plum --format table --width 100").whole());
    // They are newer than this ranking.
    rank("--as-of 2017-01-14T23:00:00Z");
    let then = world.run("show --item plum --at 2017-01-14T23:00:00Z");
    assert_eq!(then.code, Some(5), "{}", then.whole());
}
