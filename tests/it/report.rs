//! `topsell report`: a published ranking as one page, which holds all of it and nothing that runs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use expect_test::expect;
use flate2::read::ZlibDecoder;
use serde_json::Value;

use crate::world::World;

const LOG: &str = "\
ts,item_id,category,quantity,amount
2017-01-14T23:10:00Z,apple,Food/Fruit,3,1.50
2017-01-14T22:10:00Z,pear,Food/Fruit,2,1.50
2017-01-14T23:20:00Z,käse,Food/CHEESE & MORE,2,4
2017-01-14T11:00:00Z,novel,Books/Fiction|Gifts,1,9.99
2017-01-12T11:00:00Z,atlas,Books,4,20
2017-01-12T11:00:00Z,pear,Food/Fruit,9,1.50
";

/// Names that markup could take for its own, and others that are hard to show.
const STRANGE: [&str; 8] = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "\"><img src=x onerror=alert(1)>",
    "@FACTS@ &lt; @NONCE@",
    "\u{2028}\u{2029}\u{202e}שלום",
    "👩‍👩‍👧 '\\",
    "𝒳",
    "ￗ",
];

/// A page taken apart: what it says of the ranking, and each packed part.
struct Page {
    text: String,
    facts: Value,
    parts: Vec<Value>,
}

/// A row as the page has it.
#[derive(Debug, PartialEq)]
struct Row {
    category: Option<String>,
    rank: i32,
    item_id: String,
    units: i64,
    days: Vec<i64>,
}

impl Page {
    /// Writes the page of a world's ranking.
    fn of(world: &World) -> Page {
        let said = world.run("report -o -");
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        Page::parse(said.stdout)
    }

    fn parse(text: String) -> Page {
        let block = |id: &str| {
            let (_, rest) = text.split_once(&format!("id=\"{id}\">"))?;
            rest.split_once("</script>").map(|(block, _)| block)
        };
        let facts = serde_json::from_str(block("facts").expect("there are facts")).expect("they are JSON");
        let unpacked = |packed: &str| {
            let bytes = STANDARD.decode(packed).expect("a part is base64");
            let mut json = String::new();
            ZlibDecoder::new(&bytes[..]).read_to_string(&mut json).expect("a part is deflated text");
            serde_json::from_str(&json).expect("a part is JSON")
        };
        let parts = (0..).map_while(|part| block(&format!("part-{part}")).map(unpacked)).collect();
        Page { text, facts, parts }
    }

    /// Returns what is said of each category itself.
    fn categories(&self) -> impl Iterator<Item = (Option<&str>, &Value)> {
        let own = self.parts.iter().flat_map(|part| array(&part["categories"]));
        array(&self.facts["paths"]).iter().map(Value::as_str).zip(own)
    }

    /// Returns every row.
    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let firsts: Vec<u64> = array(&self.facts["firsts"]).iter().filter_map(Value::as_u64).collect();
        let categories: Vec<_> =
            array(&self.facts["paths"]).iter().zip(array(&self.facts["items"])).collect();
        for (at, part) in self.parts.iter().enumerate() {
            let end = firsts.get(at + 1).map_or(categories.len(), |&first| first as usize);
            let mut row = 0;
            for (path, items) in &categories[firsts[at] as usize..end] {
                for rank in 1..=items.as_i64().expect("a count") {
                    let item = part["item"][row].as_u64().expect("an item's number") as usize;
                    let days = &array(&part["days"])[row * 7..row * 7 + 7];
                    rows.push(Row {
                        category: path.as_str().map(str::to_owned),
                        rank: i32::try_from(rank).expect("ranks are small"),
                        item_id: part["ids"][item].as_str().expect("an id").to_owned(),
                        units: part["units"][row].as_i64().expect("units"),
                        days: days.iter().map(|day| day.as_i64().expect("units")).collect(),
                    });
                    row += 1;
                }
            }
            assert_eq!(row, array(&part["item"]).len(), "no row is left over");
        }
        rows
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().expect("an array")
}

/// A lake with two published rankings, the newer one of a day later.
fn shop() -> World {
    let world = World::new();
    world.write("log.csv", LOG);
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    for as_of in ["2017-01-14T00:00:00Z", "2017-01-15T00:00:00Z"] {
        let said = world.run(&format!("--now {as_of} rank --window 48h --half-life 12h --min-items 1"));
        assert_eq!(said.code, Some(0), "{}", said.stderr);
    }
    world
}

/// A lake whose ranking has many categories, and names that are hard to show.
fn strange() -> World {
    let world = World::new();
    let mut log = String::new();
    for (at, name) in STRANGE.iter().enumerate() {
        for below in 0..40 {
            let path = [name, &format!("{} {below}", STRANGE[below % STRANGE.len()])[..]];
            let event = serde_json::json!({
                "ts": 1_484_400_000 - at * 90_000, "item_id": format!("{name}{}", at * below),
                "categories": [path, [format!("{below}")]], "quantity": at + below + 1,
            });
            writeln!(log, "{event}").expect("a text can grow");
        }
    }
    world.write("log.ndjson", log);
    assert_eq!(world.run("ingest log.ndjson").code, Some(0));
    assert_eq!(world.run("rank --limit 1000").code, Some(0));
    world
}

#[test]
fn the_help_shows_how_to_ask() {
    expect![[r#"
        stdout: Examples:
        stdout:   topsell report -o bestsellers.html
        stdout:   topsell report                                  write report.html in the lake
        stdout:   topsell report -o bestsellers.html --title 'Best sellers of our shop'
        stdout:   topsell report -o - | gzip > bestsellers.html.gz
        stdout: 
        stdout: Write a published ranking as an HTML page
        stdout: 
        stdout: The page is a single self-contained file: the whole shop and every category, with rank changes, the
        stdout: last seven days and a search. It is written atomically.
        stdout: 
        stdout: Usage: topsell report [OPTIONS]
        stdout: 
        stdout: Options:
        stdout:   -o, --output <FILE>
        stdout:           File to write, - for standard output [default: report.html in the lake]
        stdout: 
        stdout:       --since <TIME>
        stdout:           Compare ranks with those of the newest ranking as of TIME or earlier; a duration is before
        stdout:           the ranking's own time [default: 1d]
        stdout: 
        stdout:       --name <NAME>
        stdout:           Name under which the ranking was published [default: default]
        stdout: 
        stdout:       --at <TIME>
        stdout:           Use the newest ranking as of TIME or earlier [default: the current ranking]
        stdout: 
        stdout:       --title <TEXT>
        stdout:           Title of the page
        stdout: 
        stdout:       --record
        stdout:           Keep a run record of this run
        stdout: 
        stdout:       --record-reads <SHARE>
        stdout:           Share of the runs of show, count and report that leave a run record: 0 (none), 1 (all) or
        stdout:           1/N, by the id of the trace
        stdout:           
        stdout:           [default: 0]
        stdout: 
        stdout:   -h, --help
        stdout:           Print help (see a summary with '-h')
        stdout: 
        stdout: Global options:
        stdout:       --lake <DIR>
        stdout:           Lake directory, or s3://BUCKET/PREFIX
        stdout:           
        stdout:           [default: data/lake]
        stdout: 
        stdout:       --threads <N>
        stdout:           Number of threads [default: number of CPUs]
        stdout: 
        stdout:   -q, --quiet
        stdout:           Print errors only
        stdout: 
        stdout:   -v, --verbose
        stdout:           Print more details
        stdout: 
        stdout:       --color <WHEN>
        stdout:           When to use colors
        stdout:           
        stdout:           [default: auto]
        stdout:           [possible values: auto, always, never]
        stdout: 
        stdout:       --metrics-file <FILE>
        stdout:           Write metrics of the lake and its last runs to FILE, for the textfile collector of the
        stdout:           Prometheus node_exporter
        stdout: 
        stdout: TIME is a date (2017-01-10, the start of that day in UTC), RFC 3339 (2017-01-07T13:05:00Z),
        stdout: an epoch number, `now`, `today`, `yesterday`, or a duration before now (7d).
        exit code 0
    "#]].assert_eq(&World::new().run("report --help").whole());
}

#[test]
fn the_page_holds_the_whole_ranking() {
    for world in [shop(), strange()] {
        let ranking = world.ranking("data/lake").into_iter().zip(world.ranked_days("data/lake"));
        let expected = ranking.map(|(row, days)| Row {
            category: row.category,
            rank: row.rank,
            item_id: row.item_id,
            units: row.in_window.map_or(row.units.into(), |window| window[0]) as i64 / 10_000,
            days: days.into_iter().map(|units| units / 10_000).collect(),
        });
        let expected: Vec<Row> = expected.collect();
        let page = Page::of(&world);
        assert!(expected.len() > 10);
        assert_eq!(page.rows(), expected);
        assert_eq!(page.categories().count(), array(&page.facts["paths"]).len());
    }
}

#[test]
fn shares_add_up_to_the_whole() {
    for world in [shop(), strange()] {
        let page = Page::of(&world);
        let mut shares: BTreeMap<Option<&str>, u64> = BTreeMap::new();
        let mut categories = page.categories();
        let mut items = array(&page.facts["items"]).iter();
        for part in &page.parts {
            let mut share = array(&part["share"]).iter();
            for _ in array(&part["categories"]) {
                let (path, own) = categories.next().expect("each is listed");
                let count = items.next().and_then(Value::as_u64).expect("a count") as usize;
                let of_items: Vec<Option<u64>> = share.by_ref().take(count).map(Value::as_u64).collect();
                match own["others_share"].as_u64() {
                    Some(of_others) => {
                        shares.insert(path, of_items.iter().flatten().sum::<u64>() + of_others);
                    }
                    // Nothing was sold in the ranking's window, or more returned.
                    None => {
                        assert!(!own["extended"].is_null() && of_items.iter().all(Option::is_none), "{own}");
                    }
                }
            }
        }
        assert!(shares.len() > 5 && shares.values().all(|&sum| sum == 10_000), "{shares:?}");
    }
}

#[test]
fn names_are_text_and_the_page_runs_nothing_but_its_own() {
    let plain = Page::of(&shop());
    let page = Page::of(&strange());
    let scripts = |page: &Page| page.text.matches("<script").count() - page.parts.len();
    assert_eq!(scripts(&page), scripts(&plain));
    assert_eq!(page.text.matches("</script").count(), page.text.matches("<script").count());
    for evil in ["alert(1)</script", "<img", "<!--<"] {
        assert!(!page.text.contains(evil), "{evil}");
    }
    let titled = World::new();
    titled.write("log.csv", LOG);
    assert_eq!(titled.run("ingest log.csv").code, Some(0));
    assert_eq!(titled.run("rank").code, Some(0));
    for title in STRANGE {
        let said = titled.run_with(&["report", "-o", "-", "--title", title], b"");
        let page = Page::parse(said.stdout);
        assert_eq!(page.facts["title"], title);
        assert_eq!(scripts(&page), scripts(&plain), "{title}");
    }
}

#[test]
fn the_same_ranking_gives_the_same_page() {
    let world = shop();
    let first = world.run("report -o first.html");
    let [page, again] = [(); 2].map(|()| world.run("report -o -").stdout);
    assert_eq!(page, again);
    assert_eq!(std::fs::read_to_string(world.path("first.html")).expect("it was written"), page);
    let kilobytes = format!("{:.1} kB", page.len() as f64 / 1_000.0);
    let said = format!("stderr: report: 7 categories, 13 rows, {kilobytes} in first.html\nexit code 0\n");
    assert_eq!(first.whole(), said);
    let later = Page::parse(world.run("--now 2017-01-17T12:30:00Z report -o -").stdout);
    let mut facts = later.facts.clone();
    assert_eq!(
        (&facts["age_hours"], &facts["written"]),
        (&60.into(), &serde_json::json!(["2017-01-17T12:30", "UTC"]))
    );
    let before = Page::parse(page);
    for name in ["age_hours", "written"] {
        facts[name] = before.facts[name].clone();
    }
    assert_eq!(facts, before.facts);
    assert_eq!(later.parts, before.parts);
}

#[test]
fn a_page_is_of_the_ranking_of_that_time_and_told_by_the_one_before() {
    let world = shop();
    let page = Page::of(&world);
    assert_eq!(page.facts["before"], serde_json::json!(["2017-01-14T00:00", "UTC"]));
    let previous: Vec<&Value> = page.parts.iter().flat_map(|part| array(&part["previous"])).collect();
    let told: Vec<String> = page
        .rows()
        .iter()
        .zip(previous)
        .filter(|(row, _)| row.category.is_none())
        .map(|(row, previous)| format!("{} {} was {previous}", row.rank, row.item_id))
        .collect();
    expect![[r#"
        1 apple was 0
        2 käse was 0
        3 pear was 1
        4 novel was 0"#]]
    .assert_eq(&told.join("\n"));
    let (_, shop) = page.categories().next().expect("there is the shop");
    assert_eq!((&shop["dropped_count"], &shop["dropped"]), (&1.into(), &serde_json::json!([[1, 2]])));
    assert_eq!(page.parts[0]["ids"][1], "atlas");
    let older = world.run("report -o - --at 2017-01-14T23:59:59Z");
    let older = Page::parse(older.stdout);
    assert_eq!(older.facts["as_of"], serde_json::json!(["2017-01-14T00:00", "UTC"]));
    assert_eq!(older.facts["before"], Value::Null);
    assert!(older.parts.iter().flat_map(|part| array(&part["previous"])).all(Value::is_null));
    expect![[r#"
        stderr: error: no ranking of 2017-01-13T23:59:59Z or earlier is kept
        exit code 5
    "#]]
    .assert_eq(&world.run("report -o - --at 2017-01-13T23:59:59Z").whole());
    expect![[r#"
        stderr: error: --at `someday` is not a time; write a date (2017-01-10), RFC 3339 (2017-01-07T13:05:00Z), an epoch number, now, today, yesterday, or a duration before now (7d)
        exit code 2
    "#]].assert_eq(&world.run("report -o - --at someday").whole());
}

#[test]
fn a_page_replaces_an_older_one_or_leaves_it_alone() {
    let world = shop();
    world.write("page.html", "older");
    assert_eq!(world.run("report -o page.html --title New").code, Some(0));
    let page = std::fs::read_to_string(world.path("page.html")).expect("it was written");
    assert!(
        page.starts_with("<!doctype html>")
            && page.ends_with("</html>\n")
            && page.contains("<title>New</title>")
    );
    expect![[r#"
        stderr: error: .: Is a directory (os error 21)
        exit code 1
    "#]]
    .assert_eq(&world.run("report -o .").whole());
    expect![[r#"
        stderr: error: nowhere/page.html: No such file or directory (os error 2)
        exit code 1
    "#]]
    .assert_eq(&world.run("report -o nowhere/page.html").whole());
    expect![[r#"
        stderr: report: 7 categories, 13 rows, 60.6 kB in WORLD/data/lake/report.html
        exit code 0
    "#]]
    .assert_eq(&world.run("report").whole());
    let unranked = World::new();
    unranked.write("page.html", "older");
    unranked.write("log.csv", LOG);
    expect![[r#"
        stderr: error: there is no lake in WORLD/data/lake
        stderr: hint: load logs with `topsell ingest FILE`, or pass another directory with --lake
        exit code 1
    "#]]
    .assert_eq(&unranked.run("report -o page.html").whole());
    assert_eq!(unranked.run("ingest log.csv").code, Some(0));
    expect![[r#"
        stderr: error: there is no ranking in this lake yet
        stderr: hint: publish one with `topsell rank`
        exit code 5
    "#]]
    .assert_eq(&unranked.run("report -o page.html").whole());
    assert_eq!(std::fs::read_to_string(unranked.path("page.html")).expect("it is there"), "older");
    assert_eq!(unranked.files("").iter().filter(|name| name.starts_with('.')).count(), 0);
}
