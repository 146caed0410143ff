//! Sales as purchase logs tell of them, and wishes as a command line does.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::oracle::sales::{Decay, FILES, JANUARY, MEASURES, ONE, Rules, Sale};
use crate::world::World;

const COLUMNS: [&str; 8] =
    ["ts", "event_id", "item_id", "category", "event_type", "quantity", "amount", "buyer"];

/// Ids of which most are an event's own within its hour, while others' events of the hour, of the
/// day and of other days have some of them too.
pub fn event_ids(sales: &[Sale]) -> Vec<String> {
    let mut used: BTreeMap<i64, usize> = BTreeMap::new();
    let mut next = |sale: &Sale| {
        let used = used.entry(sale.second / 3_600).or_default();
        *used = (*used + 1) % 5;
        format!("{}{}", if used.is_multiple_of(2) { "é" } else { "É" }, *used / 2)
    };
    sales.iter().map(|sale| if sale.has_id { next(sale) } else { String::new() }).collect()
}

/// The options that read an export with other names, another delimiter and lines that are no sales.
const EXPORT: &str = "--delimiter ; --where keep=yes --map ts=at --map event_id=no --map item_id=sku \
    --map category=path --map event_type=kind --map quantity=n --map amount=total";
/// The options that read orders with an array of items.
const ORDERS: &str = "--map ts=at --map event_type=kind --map event_id=lines[].no --map item_id=lines[].sku \
    --map category=lines[].path --map quantity=lines[].n --map amount=lines[].total";

/// Writes a round's files and returns their names, each with the options that read it.
pub fn write_logs(
    world: &World,
    sales: &[Sale],
    ids: &[String],
    round: usize,
) -> Vec<(String, &'static str)> {
    let write = |file: usize| {
        let buyer = format!("{round}-{file}");
        let mut lines: Vec<[String; 8]> = Vec::new();
        for (sale, id) in sales.iter().zip(ids) {
            let here = sale.lines.iter().filter(|(r, f, _)| (*r, *f) == (round, file));
            lines.extend(here.map(|(_, _, spelling)| fields(sale, id, &buyer, *spelling)));
        }
        let (name, content, options) = match file {
            0 => (format!("{round}-{file}.csv"), csv(&lines, round), ""),
            1 => (format!("{round}-{file}.ndjson"), ndjson(&lines), ""),
            2 => (format!("{round}-{file}.csv"), export(&lines), EXPORT),
            _ => (format!("{round}-{file}.json"), orders(&lines), ORDERS),
        };
        world.write(&name, content);
        (name, options)
    };
    (0..FILES).map(write).collect()
}

/// Returns a sale's fields, in the order of [`COLUMNS`] and one of many spellings.
pub fn fields(sale: &Sale, id: &str, buyer: &str, spelling: u8) -> [String; 8] {
    let ts = match spelling % 4 {
        0 => rfc3339(sale.second, "Z"),
        1 => rfc3339(sale.second + 19_800, "+05:30"),
        2 => (JANUARY + sale.second).to_string(),
        _ => ((JANUARY + sale.second) * 1_000).to_string(),
    };
    let mut paths: Vec<String> = sale.paths.iter().map(|path| (*path).to_owned()).collect();
    if spelling & 4 != 0 {
        paths.reverse();
        paths.extend(paths.first().map(|path| path.replace("%2F", "%2f").replace("%7C", "%7c")));
    }
    let is_short = spelling & 8 != 0;
    let event_type = if is_short && sale.event_type == "purchase" { "" } else { sale.event_type };
    let amount = sale.amount.map_or(String::new(), |amount| decimal(amount, is_short));
    let quantity = sale.quantity.map_or(String::new(), |quantity| match quantity % ONE {
        0 => (quantity / ONE).to_string(),
        _ => decimal(quantity, is_short),
    });
    let item = sale.item.to_owned();
    [ts, id.to_owned(), item, paths.join("|"), event_type.to_owned(), quantity, amount, buyer.to_owned()]
}

/// Spells ten-thousandths, with trailing zeros or without.
fn decimal(value: i64, is_short: bool) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let text = format!("{sign}{}.{:04}", value.abs() / ONE, value.abs() % ONE);
    if is_short { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

pub fn rfc3339(second: i64, zone: &str) -> String {
    let (day, hour, minute) = (second / 86_400 + 1, second / 3_600 % 24, second / 60 % 60);
    format!("2017-01-{day:02}T{hour:02}:{minute:02}:{:02}{zone}", second % 60)
}

/// Returns lines under a header whose columns begin with the given one.
pub fn csv(lines: &[[String; 8]], first_column: usize) -> String {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let header = COLUMNS.map(str::to_owned);
    for mut line in std::iter::once(&header).chain(lines).cloned() {
        line.rotate_left(first_column);
        csv.write_record(line).expect("memory can be written");
    }
    String::from_utf8(csv.into_inner().expect("memory can be written")).expect("a log is text")
}

/// Returns lines below a header with other names, each followed by one that is no sale.
fn export(lines: &[[String; 8]]) -> String {
    let mut csv = csv::WriterBuilder::new().delimiter(b';').from_writer(Vec::new());
    let header = ["at", "no", "sku", "path", "kind", "n", "total", "buyer", "keep"];
    csv.write_record(header).expect("memory can be written");
    for line in lines {
        for keep in ["yes", "no"] {
            let fields = line.iter().map(String::as_str).chain([keep]);
            csv.write_record(fields).expect("memory can be written");
        }
    }
    String::from_utf8(csv.into_inner().expect("memory can be written")).expect("a log is text")
}

/// Returns lines as one array of orders: those of one time and type are items of one order.
fn orders(lines: &[[String; 8]]) -> String {
    let mut orders: BTreeMap<(&str, &str), Vec<Value>> = BTreeMap::new();
    for [ts, id, item, paths, event_type, quantity, amount, buyer] in lines {
        let item =
            json!({ "no": id, "sku": item, "path": paths, "n": quantity, "total": amount, "buyer": buyer });
        orders.entry((ts, event_type)).or_default().push(item);
    }
    let orders: Vec<Value> =
        orders.iter().map(|((ts, kind), lines)| json!({ "at": ts, "kind": kind, "lines": lines })).collect();
    serde_json::to_string_pretty(&orders).expect("it has only texts")
}

/// Returns lines as objects, categories as a text, as paths or as levels by turns.
pub fn ndjson(lines: &[[String; 8]]) -> String {
    let object = |(at, line): (usize, &[String; 8])| {
        let mut object: Value = COLUMNS.iter().copied().zip(line.iter().cloned()).collect();
        let paths: Vec<&str> = line[3].split('|').filter(|path| !path.is_empty()).collect();
        match at % 3 {
            0 => {}
            1 => object["categories"] = json!(paths),
            _ => object["categories"] = paths.iter().map(|path| levels(path)).collect(),
        }
        for column in ["quantity", "event_id", "amount"] {
            match object[column].as_str().map(str::parse::<i64>) {
                Some(Ok(number)) if at % 2 == 0 => object[column] = json!(number),
                Some(Err(_)) if object[column] == "" => object[column] = Value::Null,
                _ => {}
            }
        }
        let decimal = object["quantity"].as_str().and_then(|text| text.parse::<f64>().ok());
        if let Some(decimal) = decimal.filter(|_| at % 2 == 0) {
            object["quantity"] = json!(decimal);
        }
        format!("{object}\n")
    };
    lines.iter().enumerate().map(object).collect()
}

/// Returns a path's levels, plain.
pub fn levels(path: &str) -> Value {
    let plain = |level: &str| {
        let level = level.replace("%2F", "/").replace("%2f", "/").replace("%7C", "|").replace("%7c", "|");
        level.replace("%25", "%")
    };
    path.split('/').map(plain).collect()
}

impl Rules {
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["rank".to_owned(), format!("--as-of={}", rfc3339(self.as_of_second, "Z"))];
        arguments.push(format!("--window={}h", self.window));
        arguments.push(format!("--max-lookback={}h", self.max_lookback));
        arguments.push(format!("--min-items={}", self.min_items));
        arguments.push(format!("--limit={}", self.top));
        arguments.push(format!("--measure={}", MEASURES[self.by]));
        arguments.push(format!("--tz={}", self.zone.0));
        arguments.push(match self.decay {
            Decay::None => "--no-decay".to_owned(),
            Decay::HalfLife(seconds) => format!("--half-life={seconds}s"),
            Decay::Rate(rate) => format!("--decay={rate}"),
        });
        arguments.extend(self.event_types.iter().map(|event_type| format!("--event-type={event_type}")));
        arguments.extend(self.subtract.iter().map(|event_type| format!("--subtract={event_type}")));
        arguments
    }
}
