//! Parquet as other programs write it: structs and lists, columns without a value, bytes of a fixed size.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Date32Array, Decimal128Array, DictionaryArray, FixedSizeBinaryArray, Float64Array,
    Int64Array, ListArray, NullArray, StructArray, TimestampMillisecondArray, TimestampNanosecondArray,
    UInt32Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{Field, Int32Type};
use expect_test::expect;

use crate::ingest::formats::{parquet, texts};
use crate::world::World;

/// 2017-01-14T12:00:00Z in seconds.
const NOON: i64 = 1_484_395_200;

fn structs(members: Vec<(&str, ArrayRef)>) -> StructArray {
    let members = members
        .into_iter()
        .map(|(name, column)| (Arc::new(Field::new(name, column.data_type().clone(), true)), column));
    StructArray::from(members.collect::<Vec<_>>())
}

/// Returns lists of so many elements each.
fn lists(elements: StructArray, lengths: &[usize]) -> ArrayRef {
    let field = Arc::new(Field::new("element", elements.data_type().clone(), true));
    let lengths = OffsetBuffer::from_lengths(lengths.iter().copied());
    Arc::new(ListArray::new(field, lengths, Arc::new(elements), None))
}

fn ingested(columns: Vec<(&str, ArrayRef)>, flags: &str) -> String {
    let world = World::new();
    world.write("log.parquet", parquet(columns));
    let said = world.run(&format!("ingest log.parquet {flags}"));
    let sold = if said.stderr.contains("new batch") && !said.stderr.contains("0 new") {
        world.sold()
    } else {
        String::new()
    };
    said.whole() + &sold
}

#[test]
fn items_in_lists_of_structs_are_events() {
    let items = structs(vec![
        ("sku", texts([Some("MUG"), Some("PAN"), Some("MUG")])),
        (
            "price",
            Arc::new(
                Decimal128Array::from(vec![1_050, 5_000, 1_050])
                    .with_precision_and_scale(9, 2)
                    .expect("it fits"),
            ),
        ),
        ("n", Arc::new(Int64Array::from(vec![2, 1, 1]))),
    ]);
    let order = structs(vec![
        ("id", texts([Some("O-1"), Some("O-2"), Some("O-3")])),
        ("at", Arc::new(TimestampNanosecondArray::from(vec![NOON * 1_000_000_000; 3]))),
    ]);
    let columns = || -> Vec<(&str, ArrayRef)> {
        vec![
            ("order", Arc::new(order.clone())),
            ("status", texts([Some("paid"), Some("paid"), Some("open")])),
            ("items", lists(items.clone(), &[2, 0, 1])),
        ]
    };
    let flags = "--map ts=order.at --map event_id=order.id --map item_id=items[].sku --map quantity=items[].n \
                 --map amount=items[].price*items[].n";
    expect![[r#"
        stderr: lines: 3 read = 2 used + 1 filtered + 0 rejected
        stderr: ingest: 3 events = 3 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
        item,units,purchases,amount
        MUG,3,2,31.5000
        PAN,1,1,50.0000
    "#]]
    .assert_eq(&ingested(columns(), flags));
    expect![[r#"
        stderr: failed: log.parquet: has no column `items[].sk`, which item_id is mapped to; its columns are: order, status, items
        stderr: ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches, 1 of 1 input failed
        exit code 1
    "#]].assert_eq(&ingested(columns(), "--map ts=order.at --map item_id=items[].sk"));
    let flags = "--map ts=order.at --map event_id=order.id+status --map item_id=status --where status=paid";
    expect![[r#"
        stderr: lines: 3 read = 2 used + 1 filtered + 0 rejected
        stderr: ingest: 2 events = 2 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
        item,units,purchases,amount
        paid,2,2,0.0000
    "#]]
    .assert_eq(&ingested(columns(), flags));
}

#[test]
fn columns_without_a_value_are_empty() {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("ts", Arc::new(TimestampMillisecondArray::from(vec![NOON * 1_000; 2]).with_timezone("+02:00"))),
        ("item_id", texts([Some("a"), Some("b")])),
        ("category", Arc::new(NullArray::new(2))),
        ("quantity", Arc::new(NullArray::new(2))),
        ("amount", Arc::new(NullArray::new(2))),
        ("event_id", Arc::new(NullArray::new(2))),
        ("event_type", Arc::new(NullArray::new(2))),
    ];
    expect![[r#"
        stderr: ingest: 2 read = 2 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
        item,units,purchases,amount
        a,1,1,0.0000
        b,1,1,0.0000
    "#]]
    .assert_eq(&ingested(columns, ""));
}

#[test]
fn values_of_any_type_are_read_as_texts() {
    let ids: Vec<[u8; 16]> = vec![[0xab; 16], [1; 16]];
    let names: DictionaryArray<Int32Type> = ["Food", "Toys"].into_iter().collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("ts", Arc::new(Date32Array::from(vec![17_180; 2]))),
        ("item_id", Arc::new(FixedSizeBinaryArray::try_from_iter(ids.iter()).expect("they have one size"))),
        ("category", Arc::new(names)),
        (
            "quantity",
            Arc::new(Decimal128Array::from(vec![200, 300]).with_precision_and_scale(9, 2).expect("it fits")),
        ),
        ("amount", Arc::new(Float64Array::from(vec![1.25, f64::NAN]))),
        ("event_id", Arc::new(UInt32Array::from(vec![1, 2]))),
    ];
    expect![[r#"
        stderr: ingest: 2 read = 2 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
        item,units,purchases,amount
        01010101010101010101010101010101,3,1,0.0000
        abababababababababababababababab,2,1,1.2500
        Food: 1
        Toys: 1
    "#]]
    .assert_eq(&ingested(columns, ""));
}

#[test]
fn uuids_have_their_form() {
    use parquet::data_type::{FixedLenByteArray, FixedLenByteArrayType, Int64Type};
    use parquet::file::writer::SerializedFileWriter;
    let schema = "message log { required int64 ts; required fixed_len_byte_array(16) item_id (UUID); }";
    let schema = parquet::schema::parser::parse_message_type(schema).expect("the schema is valid");
    let mut writer =
        SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::default()).expect("it can be written");
    let mut group = writer.next_row_group().expect("it can be written");
    let mut column = group.next_column().expect("it can be written").expect("there are two");
    column.typed::<Int64Type>().write_batch(&[NOON], None, None).expect("it can be written");
    column.close().expect("it can be written");
    let mut column = group.next_column().expect("it can be written").expect("there are two");
    let id = FixedLenByteArray::from((0..16).collect::<Vec<u8>>());
    column.typed::<FixedLenByteArrayType>().write_batch(&[id], None, None).expect("it can be written");
    column.close().expect("it can be written");
    group.close().expect("it can be written");
    let world = World::new();
    world.write("log.parquet", writer.into_inner().expect("it can be written"));
    assert_eq!(world.run("ingest log.parquet").code, Some(0));
    assert_eq!(
        world.sold(),
        "item,units,purchases,amount\n00010203-0405-0607-0809-0a0b0c0d0e0f,1,1,0.0000\n"
    );
}
