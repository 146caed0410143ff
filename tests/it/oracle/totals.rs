//! What every item comes to, as it is published, against the whole of a ranking.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int64Type};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::world::{Ranked, World, units};

/// Item, units, units of the days and of the week; and the score.
type Place = ((String, i64, [i64; 7], i64), f64);

/// Compares every rank of every category, and of the shop, and tells where they part.
pub fn compare(world: &World, everyone: &[Ranked]) -> Result<(), String> {
    let mut places = places(world)?;
    for row in everyone {
        let place = places.remove(&(row.category.clone(), i64::from(row.rank)));
        let (got, score) = place.ok_or_else(|| format!("not among the totals: {row:?}"))?;
        let expected = (row.item_id.clone(), row.units, row.days, row.week);
        if got != expected || score.to_bits() != row.score.to_bits() {
            return Err(format!("totals   {got:?}, score {score}\nexpected {row:?}"));
        }
    }
    if places.is_empty() { Ok(()) } else { Err(format!("more among the totals: {places:?}")) }
}

fn places(world: &World) -> Result<BTreeMap<(Option<String>, i64), Place>, String> {
    let folder = world.path("data/lake/totals");
    let pointer = std::fs::read(folder.join("current.json")).expect("totals were published");
    let pointer: serde_json::Value = serde_json::from_slice(&pointer).expect("a pointer is JSON");
    let file = folder.join(pointer["file"].as_str().expect("a pointer names a file"));
    let file = Bytes::from(std::fs::read(file).expect("the pointer's file is there"));
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(file).and_then(ParquetRecordBatchReaderBuilder::build);
    let mut places = BTreeMap::new();
    let mut before = None;
    for batch in reader.expect("totals are Parquet") {
        let batch = batch.expect("totals can be read");
        let column = |name: &str| batch.column_by_name(name).expect("totals have all their columns");
        let long = |name: &str, at: usize| column(name).as_primitive::<Int64Type>().value(at);
        for at in 0..batch.num_rows() {
            let text = |name: &str| {
                let texts = column(name).as_string::<i32>();
                texts.is_valid(at).then(|| texts.value(at).to_owned())
            };
            let (top, item) = (text("top_category"), text("item_id").expect("every row has an item"));
            let sorted = Some((top.clone(), item.clone()));
            if sorted < before {
                return Err(format!("{sorted:?} comes behind {before:?}"));
            }
            before = sorted;
            let days = std::array::from_fn(|day| units(&batch, &format!("units_day_{}", day + 1), at));
            let of_row = (item, units(&batch, "units", at), days, units(&batch, "units_week", at));
            let score = column("score").as_primitive::<Float64Type>().value(at);
            let categories = column("categories").as_list::<i32>().value(at);
            let ranks = column("ranks").as_list::<i32>().value(at);
            let categories = categories.as_string::<i32>().iter();
            let ranks = ranks.as_primitive::<Int64Type>().values().iter();
            let mut keys: Vec<(Option<String>, i64)> =
                categories.zip(ranks).map(|(path, rank)| (path.map(str::to_owned), *rank)).collect();
            if let Some((path, _)) = keys.iter().find(|(path, _)| top_of(path.as_deref()) != top.as_deref()) {
                return Err(format!("{path:?} lies below {top:?}"));
            }
            if column("shop_rank").is_valid(at) {
                keys.push((None, long("shop_rank", at)));
            }
            for key in keys {
                let known = places.insert(key.clone(), (of_row.clone(), score));
                if let Some(known) = known {
                    return Err(format!("{key:?} is {known:?} and {of_row:?}"));
                }
            }
        }
    }
    Ok(places)
}

fn top_of(path: Option<&str>) -> Option<&str> {
    path.and_then(|path| path.split('/').next())
}
