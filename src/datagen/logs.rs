//! Purchase logs: one file per hour or day, with its lines in time order.

use std::ops::Range;

use rayon::prelude::*;

use crate::error::DatagenError;
use crate::hours::purchases_by_hour;
use crate::numbers::{hexadecimal, push_cents, push_integer, set_two_digits};
use crate::popularity::Popularity;
use crate::quantities::quantity;
use crate::random::{Random, mixed};
use crate::shop::{Item, Shop};
use crate::workload::Workload;
use topsell_core::model::Hour;
use topsell_core::storage::{Store, StoreError, Stream};

/// The size of one write.
const PIECE_BYTES: usize = 4 << 20;
/// More than the length of any line.
const LINE_BYTES: usize = 4 << 10;
const SECONDS: usize = 3_600;
/// The number of purchases that are drawn before the first of them is written, so that their memory
/// accesses overlap.
const DRAWN_AT_ONCE: usize = 256;

const HEADER: &[u8] = b"ts,item_id,category,quantity,amount\n";
const HEADER_WITH_IDS: &[u8] = b"ts,event_id,item_id,category,quantity,amount\n";

/// The kind of random sequence that is drawn for each hour.
const OF_HOUR: u64 = 2;

/// The format of logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// With a header.
    Csv,
    Ndjson,
}

/// Which purchases a log has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogSpan {
    Hour,
    Day,
}

/// Options of logs.
#[derive(Clone, Copy, Debug)]
pub struct LogOptions {
    pub format: LogFormat,
    pub span: LogSpan,
    /// Whether each purchase has an id: 16 hexadecimal digits, unique, in no order.
    pub event_ids: bool,
}

/// The logs that were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WrittenLogs {
    pub files: u64,
    pub lines: u64,
    pub size_bytes: u64,
}

/// Writes a workload's purchases as logs into the store's folder, and replaces logs of the same time.
///
/// # Errors
/// Fails where the workload is invalid or a file cannot be written.
pub fn write_logs(
    store: &Store,
    workload: &Workload,
    options: LogOptions,
) -> Result<WrittenLogs, DatagenError> {
    workload.check()?;
    store.make_folder("")?;
    let bulk = store.bulk_writer("")?;
    let shop = Shop::of(workload);
    let popularity = Popularity::of(workload.items);
    let hours = purchases_by_hour(workload.purchases, workload.hours);
    let files: Vec<_> =
        hours.chunk_by(|a, b| options.span == LogSpan::Day && a.0.date() == b.0.date()).collect();
    let sizes: Result<Vec<u64>, StoreError> = files
        .par_iter()
        .map(|hours| {
            let mut file = bulk.stream(&file_name(hours[0].0, options))?;
            let mut size_bytes = 0;
            for (at, (hour, numbers)) in hours.iter().enumerate() {
                let lines = LogLines::of(&shop, &popularity, workload.seed, *hour, options);
                size_bytes += lines.write(at == 0, numbers.clone(), &mut file)?;
            }
            file.finish()?;
            Ok(size_bytes)
        })
        .collect();
    let sizes = sizes?;
    bulk.finish()?.keep();
    Ok(WrittenLogs {
        files: sizes.len() as u64,
        lines: workload.purchases,
        size_bytes: sizes.into_iter().sum(),
    })
}

/// Returns the name of the file of an hour, `purchases-2024-01-01T00.csv`, or of its day.
fn file_name(hour: Hour, options: LogOptions) -> String {
    let extension = match options.format {
        LogFormat::Csv => "csv",
        LogFormat::Ndjson => "ndjson",
    };
    match options.span {
        LogSpan::Hour => format!("purchases-{}T{:02}.{extension}", hour.date(), hour.of_day()),
        LogSpan::Day => format!("purchases-{}.{extension}", hour.date()),
    }
}

/// The lines of one hour.
struct LogLines<'a> {
    shop: &'a Shop,
    popularity: &'a Popularity,
    options: LogOptions,
    random: Random,
    event_key: u64,
    /// `2024-01-01T00:00:00Z`
    stamp: Vec<u8>,
    text: Vec<u8>,
}

impl<'a> LogLines<'a> {
    fn of(
        shop: &'a Shop,
        popularity: &'a Popularity,
        seed: u64,
        hour: Hour,
        options: LogOptions,
    ) -> LogLines<'a> {
        LogLines {
            shop,
            popularity,
            options,
            random: Random::of(seed, OF_HOUR, u64::from(hour.number().unsigned_abs())),
            event_key: mixed(seed),
            stamp: hour.start().to_string().into_bytes(),
            text: Vec::new(),
        }
    }

    /// Writes the purchases of a range of numbers, and returns their size in bytes.
    fn write(
        mut self,
        is_first: bool,
        numbers: Range<u64>,
        file: &mut Stream<'_>,
    ) -> Result<u64, StoreError> {
        let mut size_bytes = 0;
        let mut per_second = vec![0_u64; SECONDS];
        for _ in numbers.clone() {
            per_second[self.random.below(SECONDS as u64).0 as usize] += 1;
        }
        self.text = Vec::with_capacity(PIECE_BYTES + LINE_BYTES);
        if is_first && self.options.format == LogFormat::Csv {
            let header = if self.options.event_ids { HEADER_WITH_IDS } else { HEADER };
            self.text.extend_from_slice(header);
        }
        let mut number = numbers.start;
        let mut drawn: Vec<(Item, i64)> = Vec::with_capacity(DRAWN_AT_ONCE);
        for (second, purchases) in (0_u32..).zip(per_second) {
            set_two_digits(&mut self.stamp[14..16], second / 60);
            set_two_digits(&mut self.stamp[17..19], second % 60);
            for _ in 0..purchases {
                if drawn.is_empty() {
                    drawn.extend((0..DRAWN_AT_ONCE).map(|_| self.draw()));
                }
                let (item, quantity) = drawn.pop().expect("some were just drawn");
                self.push(number, &item, quantity);
                number += 1;
                if self.text.len() >= PIECE_BYTES {
                    size_bytes += self.text.len() as u64;
                    let next = Vec::with_capacity(PIECE_BYTES + LINE_BYTES);
                    file.append(std::mem::replace(&mut self.text, next).into())?;
                }
            }
        }
        size_bytes += self.text.len() as u64;
        file.append(self.text.into())?;
        Ok(size_bytes)
    }

    /// Draws an item and its quantity.
    #[inline]
    fn draw(&mut self) -> (Item, i64) {
        let item = self.shop.items[self.popularity.draw(&mut self.random) as usize];
        (item, quantity(&mut self.random))
    }

    /// Appends one purchase's line.
    #[inline]
    fn push(&mut self, number: u64, item: &Item, quantity: i64) {
        // Mixing is one-to-one, so that ids are distinct.
        let event_id = self.options.event_ids.then(|| hexadecimal(mixed(number ^ self.event_key)));
        match self.options.format {
            LogFormat::Csv => self.push_csv(item, quantity, event_id),
            LogFormat::Ndjson => self.push_json(item, quantity, event_id),
        }
    }

    #[inline]
    fn push_csv(&mut self, item: &Item, quantity: i64, event_id: Option<[u8; 16]>) {
        let text = &mut self.text;
        text.extend_from_slice(&self.stamp);
        text.push(b',');
        if let Some(event_id) = event_id {
            text.extend_from_slice(&event_id);
            text.push(b',');
        }
        text.extend_from_slice(item.id().as_bytes());
        let mut before = b',';
        for &leaf in item.leaves() {
            text.push(before);
            text.extend_from_slice(self.shop.tree.leaves[leaf as usize].as_bytes());
            before = b'|';
        }
        text.push(b',');
        push_integer(text, quantity);
        text.push(b',');
        push_cents(text, quantity * i64::from(item.price_cents));
        text.push(b'\n');
    }

    #[inline]
    fn push_json(&mut self, item: &Item, quantity: i64, event_id: Option<[u8; 16]>) {
        let text = &mut self.text;
        text.extend_from_slice(b"{\"ts\":\"");
        text.extend_from_slice(&self.stamp);
        if let Some(event_id) = event_id {
            text.extend_from_slice(b"\",\"event_id\":\"");
            text.extend_from_slice(&event_id);
        }
        text.extend_from_slice(b"\",\"item_id\":\"");
        text.extend_from_slice(item.id().as_bytes());
        let mut before: &[u8] = b"\",\"categories\":[\"";
        for &leaf in item.leaves() {
            text.extend_from_slice(before);
            text.extend_from_slice(self.shop.tree.leaves[leaf as usize].as_bytes());
            before = b"\",\"";
        }
        text.extend_from_slice(b"\"],\"quantity\":");
        push_integer(text, quantity);
        text.extend_from_slice(b",\"amount\":");
        push_cents(text, quantity * i64::from(item.price_cents));
        text.extend_from_slice(b"}\n");
    }
}
