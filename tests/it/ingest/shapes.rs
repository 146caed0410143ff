//! Parquet columns of shapes that a purchase log does not have: rejected, never ignored.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, Int64Array, ListArray};
use arrow::datatypes::Int64Type;
use parquet::data_type::{Int96, Int96Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::ingest::formats::{parquet, texts};
use crate::world::World;

const NOON: i64 = 1_484_395_200;

fn moments() -> (&'static str, ArrayRef) {
    ("ts", Arc::new(Int64Array::from(vec![NOON; 2])))
}

/// A list used to be no value: each sale counted one unit, and none had an amount.
#[test]
fn a_list_instead_of_a_value_rejects_its_row() {
    let world = World::new();
    let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(5)]), None]);
    for field in ["quantity", "amount", "event_id", "event_type", "item_id"] {
        let mut columns = vec![moments(), (field, Arc::new(lists.clone()) as ArrayRef)];
        if field != "item_id" {
            columns.push(("item_id", texts([Some("a"), Some("b")])));
        }
        world.write("log.parquet", parquet(columns));
        let said = world.run("ingest log.parquet");
        assert_eq!(said.code, Some(4), "{field}: {}", said.whole());
        assert!(said.stderr.contains(&format!("{field} is not UTF-8 text")), "{}", said.whole());
    }
}

#[test]
fn paths_as_text_may_have_either_name() {
    let world = World::new();
    let columns = vec![
        moments(),
        ("item_id", texts([Some("a"), Some("b")])),
        ("categories", texts([Some("Food/Fruit"), None])),
    ];
    world.write("log.parquet", parquet(columns));
    assert_eq!(world.run("ingest log.parquet").code, Some(0));
    assert!(world.sold().contains("Food/Fruit: 1"), "{}", world.sold());
}

/// Converted to wider floats they used to have more digits than were written.
#[test]
fn narrow_floats_keep_the_digits_they_were_written_with() {
    let world = World::new();
    let amounts = Float32Array::from(vec![12_345.67, 99_999.99]);
    let columns = vec![
        moments(),
        ("item_id", texts([Some("a"), Some("b")])),
        ("amount", Arc::new(amounts) as ArrayRef),
    ];
    world.write("log.parquet", parquet(columns));
    assert_eq!(world.run("ingest log.parquet").code, Some(0));
    let sold = world.sold();
    assert!(sold.contains("a,1,1,12345.6700") && sold.contains("b,1,1,99999.9900"), "{sold}");
}

/// Times of 96 bits, as Hive and Spark wrote them, used to wrap around where nanoseconds since 1970
/// do not fit in 64 bits: the year 9999 was taken for 1816.
#[test]
fn times_of_96_bits_keep_their_year() {
    let world = World::new();
    let schema = parse_message_type("message log { required int96 ts; required binary item_id (UTF8); }");
    let mut writer =
        SerializedFileWriter::new(Vec::new(), Arc::new(schema.expect("the schema is plain")), Arc::default())
            .expect("memory can be written");
    let mut group = writer.next_row_group().expect("memory can be written");
    // Nanoseconds of the day in two words, and the Julian day: noon on 2017-01-14, and in 9999.
    let moment = |julian_day: u32| {
        let nanos = 12 * 3_600 * 1_000_000_000_u64;
        let mut value = Int96::new();
        value.set_data(nanos as u32, (nanos >> 32) as u32, julian_day);
        value
    };
    let mut column = group.next_column().expect("memory can be written").expect("there is a first");
    let days = [moment(2_457_768), moment(5_373_484)];
    column.typed::<Int96Type>().write_batch(&days, None, None).expect("memory can be written");
    column.close().expect("memory can be written");
    let mut column = group.next_column().expect("memory can be written").expect("there is a second");
    let items = ["a".into(), "b".into()];
    column
        .typed::<parquet::data_type::ByteArrayType>()
        .write_batch(&items, None, None)
        .expect("memory can be written");
    column.close().expect("memory can be written");
    group.close().expect("memory can be written");
    world.write("log.parquet", writer.into_inner().expect("memory can be written"));
    let said = world.run("ingest log.parquet");
    assert!(
        said.stderr
            .contains("rejected: log.parquet:2: ts `253402257600000000` is outside the years 1 to 9998"),
        "{}",
        said.whole()
    );
    assert!(said.stderr.contains("2 read = 1 accepted + 0 duplicate + 1 rejected"), "{}", said.whole());
}
