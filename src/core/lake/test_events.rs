//! Event files for the tests of other modules.

use crate::delta::{Commit, NewFile};
use crate::lake::open::Lake;
use crate::lake::partition::DayPartition;
use crate::model::{CategoryGroup, Event, Events, Hour, Places, RawCategories, Sharing, levels_of};
use crate::parquet_format::{EventCopy, EventEncoder};
use crate::storage::unique_id;

/// Adds a file of sales of the category Food in an hour, by id, item and quantity.
pub fn add_sales(lake: &Lake, hour: Hour, sales: &[(u32, &str, i32)]) {
    add_sales_of(lake, "Food", hour, sales);
}

/// Adds a file of sales of one category, or of none for an empty text, in an hour, by id, item and quantity.
pub fn add_sales_of(lake: &Lake, category: &str, hour: Hour, sales: &[(u32, &str, i32)]) {
    let mut events = Events::default();
    events.path_sets.read(&RawCategories::Text(category)).expect("it is a path");
    for (id, item_id, quantity) in sales {
        let event_id = &*format!("id{id}");
        let event = Event {
            ts: hour.start(),
            event_id: Some(event_id),
            item_id,
            path_set: 0,
            event_type: 0,
            quantity: (*quantity).into(),
            amount: None,
            version: None,
        };
        events.push(&event);
    }
    let copies: Vec<EventCopy> = (0..).take(sales.len()).map(|row| EventCopy { row, place: 0 }).collect();
    let places = Places::of(&events.path_sets);
    let encoded = EventEncoder::of(&events, &places, "batch").encode(&copies).expect("rows fit");
    let top_level = levels_of(category).next().filter(|level| !level.is_empty());
    let group = CategoryGroup::of(top_level, sales.len(), Sharing::ByShard);
    let partition = DayPartition { event_type: "purchase".to_owned(), date: hour.date(), group };
    let path = format!("{}/{}", partition.folder(), encoded.name(&unique_id()));
    lake.store().put(&format!("events/{path}"), encoded.bytes.clone()).expect("the disk writes");
    let adds = vec![NewFile::of(path, partition.values(), encoded)];
    let newest = lake.events().newest().expect("the log can be read");
    newest.commit(&Commit { adds, ..Commit::default() }).expect("the log can be written");
}
