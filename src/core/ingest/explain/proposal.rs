//! A proposed mapping: which columns look like which fields, by their names and their values.

use crate::ingest::explain::column::Column;
use crate::input_format::toml_line;
use crate::model::{Amount, TimeZone, likely_time_format, read_event_time};

/// A mapping to confirm by passing it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposal {
    /// Fields with their columns.
    pub fields: Vec<(&'static str, String)>,
    /// Options of the input, by their names in a mapping file.
    pub options: Vec<(&'static str, String)>,
    /// What the content does not tell.
    pub questions: Vec<String>,
}

/// The names that columns of a field have elsewhere, the likeliest first, in lower case and without anything but
/// letters and digits.
const NAMES: [(&str, &[&str]); 6] = [
    (
        "ts",
        &[
            "ts",
            "timestamp",
            "eventtime",
            "eventtimestamp",
            "time",
            "datetime",
            "createdat",
            "orderdate",
            "orderedat",
            "purchasedate",
            "purchasedat",
            "paidat",
            "soldat",
            "created",
            "datecreated",
            "transactiondate",
            "saledate",
            "date",
            "eventdate",
            "sold",
        ],
    ),
    (
        "item_id",
        &[
            "itemid",
            "sku",
            "lineitemsku",
            "itemsku",
            "productid",
            "productsku",
            "asin",
            "articleid",
            "articlenumber",
            "variantid",
            "ean",
            "upc",
            "gtin",
            "productcode",
            "itemcode",
            "item",
            "product",
            "article",
        ],
    ),
    (
        "event_id",
        &[
            "eventid",
            "messageid",
            "orderitemid",
            "lineitemid",
            "lineid",
            "transactionid",
            "orderid",
            "ordernumber",
            "amazonorderid",
            "order",
            "receiptid",
            "id",
        ],
    ),
    (
        "category",
        &[
            "category",
            "categories",
            "categorypath",
            "producttype",
            "itemcategory",
            "department",
            "productcategory",
        ],
    ),
    ("quantity", &["quantity", "qty", "lineitemquantity", "quantitypurchased", "units", "count", "pieces"]),
    ("amount", &["amount", "linetotal", "itemtotal", "lineamount", "itemprice"]),
];
/// The names of an amount that may be that of a whole order.
const TOTALS: [&str; 5] = ["total", "revenue", "netsales", "grosssales", "value"];
/// The names of a price of one unit.
const UNIT_PRICES: [&str; 5] = ["unitprice", "lineitemprice", "priceperunit", "price", "itemunitprice"];

/// Returns a mapping of the columns that look like fields; none where neither a time nor an item does.
pub(super) fn propose(columns: &[Column]) -> Option<Proposal> {
    let mut proposal = Proposal::default();
    for (field, names) in NAMES {
        let of_field = names.iter().find_map(|name| {
            columns.iter().find(|column| plain(&column.name) == *name && fits(field, column, columns))
        });
        if let Some(column) = of_field {
            proposal.fields.push((field, column.name.clone()));
        }
    }
    let named = |field: &str, proposal: &Proposal| proposal.fields.iter().any(|(known, _)| *known == field);
    if !named("ts", &proposal) {
        // No name is known, but one column alone has times.
        let mut times = columns.iter().filter(|column| fits("ts", column, columns));
        if let (Some(column), None) = (times.next(), times.next()) {
            proposal.fields.insert(0, ("ts", column.name.clone()));
        }
    }
    if !named("amount", &proposal) {
        add_product(columns, &mut proposal);
    }
    if let Some((_, column)) = proposal.fields.iter().find(|(field, _)| *field == "ts").cloned() {
        add_times(columns, &column, &mut proposal);
    }
    (named("ts", &proposal) || named("item_id", &proposal)).then_some(proposal)
}

impl Proposal {
    /// Returns it as a mapping file.
    pub fn to_toml(&self) -> String {
        let pairs = self.fields.iter().chain(&self.options);
        let mut text: String = pairs.map(|(name, value)| toml_line(name, value)).collect();
        for question in &self.questions {
            text.push_str(&format!("# {question}\n"));
        }
        text
    }
}

/// Adds an amount of a unit's price times the quantity.
fn add_product(columns: &[Column], proposal: &mut Proposal) {
    let quantity =
        proposal.fields.iter().find(|(field, _)| *field == "quantity").map(|(_, column)| column.clone());
    let price = UNIT_PRICES.iter().find_map(|name| {
        columns.iter().find(|column| plain(&column.name) == *name && fits("amount", column, columns))
    });
    match (price, quantity) {
        (Some(price), Some(quantity)) => {
            proposal.fields.push(("amount", format!("{} * {quantity}", price.name)));
        }
        (Some(price), None) => proposal.fields.push(("amount", price.name.clone())),
        (None, _) => {
            let named = |column: &&Column| {
                TOTALS.contains(&plain(&column.name).as_str()) && fits("amount", column, columns)
            };
            if let Some(total) = columns.iter().find(named) {
                proposal.fields.push(("amount", total.name.clone()));
                let name = &total.name;
                proposal
                    .questions
                    .push(format!("is `{name}` the amount of one line, or that of a whole order?"));
            }
        }
    }
}

/// Adds the options that read the times, or asks for their time zone.
fn add_times(columns: &[Column], column: &str, proposal: &mut Proposal) {
    let Some(sample) =
        columns.iter().find(|known| known.name == column).and_then(|known| known.samples.first())
    else {
        return;
    };
    if let Some((format, _)) = likely_time_format(sample) {
        proposal.options.push(("ts_format", format.to_owned()));
    } else if read_event_time(sample, None).is_err() {
        proposal.questions.push(format!(
            "the times, such as {sample}, have no offset from UTC: add --assume-tz with the shop's time zone, such as \
             Europe/Berlin"
        ));
    }
}

/// Returns whether the values of a column are such as a field has.
fn fits(field: &str, column: &Column, columns: &[Column]) -> bool {
    let all = |is_one: &dyn Fn(&str) -> bool| {
        !column.samples.is_empty() && column.samples.iter().all(|sample| is_one(sample))
    };
    // A required field, or an id, that some records lack is another's.
    let most = columns.iter().map(|column| column.values).max().unwrap_or(0);
    let is_complete = column.values == most;
    match field {
        "ts" | "item_id" | "event_id" if !is_complete => false,
        "ts" => all(&|text| {
            let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','));
            let is_recent =
                || read_event_time(text, Some(&TimeZone::UTC)).is_ok_and(|ts| ts.micros() > YEAR_2000);
            if is_number { likely_time_format(text).is_some() || is_recent() } else { is_recent() }
        }),
        "quantity" | "amount" => all(&|text| is_money(text)),
        _ => !column.samples.is_empty(),
    }
}

/// 2000-01-01T00:00:00Z in microseconds.
const YEAR_2000: i64 = 946_684_800_000_000;

fn is_money(text: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let others = text.chars().filter(|c| c.is_alphabetic()).count();
    Amount::parse(text).is_ok() || (!digits.is_empty() && others <= 3)
}

/// Returns a name in lower case, without anything but letters and digits, of the last key of a path.
fn plain(name: &str) -> String {
    let last = name.rsplit(['.', ']']).next().unwrap_or(name);
    last.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(columns: &[(&str, &[&str])], expected: Option<&str>) {
        let columns: Vec<Column> = columns
            .iter()
            .map(|(name, samples)| Column {
                name: (*name).to_owned(),
                fields: Vec::new(),
                samples: samples.iter().map(|sample| (*sample).to_owned()).collect(),
                values: samples.len(),
            })
            .collect();
        let shown = propose(&columns).map(|proposal| {
            let pairs = proposal.fields.iter().chain(&proposal.options);
            let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
            format!("{}{}", pairs.join(" "), " ?".repeat(proposal.questions.len()))
        });
        assert_eq!(shown.as_deref(), expected, "{columns:?}");
    }

    #[test]
    fn columns_are_proposed_by_name_and_content() {
        check(
            &[
                ("Created at", &["2017-01-14 05:00:00 -0500"]),
                ("Lineitem sku", &["MUG-B"]),
                ("Lineitem quantity", &["2"]),
                ("Lineitem price", &["10.00"]),
            ],
            Some(
                "ts=Created at item_id=Lineitem sku quantity=Lineitem quantity amount=Lineitem price * Lineitem quantity",
            ),
        );
        check(
            &[("event_date", &["20170114"]), ("sku", &["A"])],
            Some("ts=event_date item_id=sku ts_format=%Y%m%d"),
        );
        check(&[("when", &["2017-01-14 12:00"]), ("sku", &["A"])], Some("ts=when item_id=sku ?"));
        check(
            &[("items[].sku", &["A"]), ("timestamp", &["2017-01-14T12:00:00Z"])],
            Some("ts=timestamp item_id=items[].sku"),
        );
        // A name alone is not enough.
        check(&[("time", &["morning"]), ("sku", &["A"]), ("qty", &["many"])], Some("item_id=sku"));
        check(&[("a", &["x"]), ("b", &["y"])], None);
    }
}
