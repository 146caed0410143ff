//! A vendor's sales and list of products, ingested by a mapping and a catalog like native logs.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};

use crate::ingest::formats::{gzip, parquet, zstd};
use crate::world::World;

/// 2017-01-14T10:00:00Z in seconds.
const TEN: i64 = 1_484_388_000;

/// A vendor's sales of a few hundred rows, and the catalog to them, as columns of Parquet.
struct Vendor {
    sales: Vec<(&'static str, ArrayRef)>,
    products: Vec<(&'static str, ArrayRef)>,
    /// The same as a native log.
    plain: String,
    sales_csv: String,
    products_csv: String,
}

fn vendor() -> Vendor {
    const ROWS: i64 = 400;
    const PRODUCTS: i64 = 40;
    let product = |row: i64| row * row % (PRODUCTS + 3);
    let (at, quantity) = (|row: i64| TEN + row * 60, |row: i64| 1 + row % 4);
    let paid = |row: i64| (row % 17) as f64 * 0.25;
    let dept = |id: i64| ["GROCERY", "DRUG GM", "FLORAL"][id as usize % 3];
    let group = |id: i64| (id % 5 > 0).then(|| format!("GROUP 1/{}", id % 5));
    let kind = |id: i64| (id % 7 > 0).then(|| format!("TYPE {}%", id % 7));
    let mut plain = String::from("ts,item_id,category,quantity,amount\n");
    let mut sales_csv = String::from("basket,sold_at,product,qty,paid\n");
    let mut products_csv = String::from("product,brand,dept,group,type\n");
    for row in 0..ROWS {
        let (id, units, money) = (product(row), quantity(row), paid(row));
        let path = match (id < PRODUCTS, group(id), kind(id)) {
            (false, _, _) => String::new(),
            (true, None, _) => dept(id).to_owned(),
            (true, Some(group), None) => format!("{}/{}", dept(id), group.replace('/', "%2F")),
            (true, Some(group), Some(kind)) => {
                format!("{}/{}/{}", dept(id), group.replace('/', "%2F"), kind.replace('%', "%25"))
            }
        };
        writeln!(plain, "{},{id},{path},{units},{money}", at(row)).expect("a text can grow");
        writeln!(sales_csv, "{row},{},{id},{units}.0,{money}", at(row)).expect("a text can grow");
    }
    for id in 0..PRODUCTS {
        let (group, kind) = (group(id).unwrap_or_default(), kind(id).unwrap_or_default());
        writeln!(products_csv, "{id},\"A \"\"brand\"\"\",{},{group},{kind}", dept(id))
            .expect("a text can grow");
    }
    let strings = |of: &dyn Fn(i64) -> Option<String>| -> ArrayRef {
        Arc::new((0..PRODUCTS).map(of).collect::<StringArray>())
    };
    let rows = || 0..ROWS;
    Vendor {
        sales: vec![
            ("basket", Arc::new(rows().collect::<Int64Array>())),
            (
                "sold_at",
                Arc::new(rows().map(|row| Some(at(row) * 1_000_000)).collect::<TimestampMicrosecondArray>()),
            ),
            ("product", Arc::new(rows().map(product).collect::<Int64Array>())),
            ("qty", Arc::new(rows().map(|row| Some(quantity(row) as f64)).collect::<Float64Array>())),
            ("paid", Arc::new(rows().map(|row| Some(paid(row))).collect::<Float64Array>())),
        ],
        products: vec![
            ("product", Arc::new((0..PRODUCTS).collect::<Int64Array>())),
            ("dept", strings(&|id| Some(dept(id).to_owned()))),
            ("group", strings(&group)),
            ("type", strings(&kind)),
        ],
        plain,
        sales_csv,
        products_csv,
    }
}

#[test]
fn a_vendors_sales_and_catalog_are_ingested_unchanged() {
    let Vendor { sales, products, plain, sales_csv, products_csv } = vendor();
    let world = World::new();
    world.write("plain.csv", plain);
    assert_eq!(world.run("ingest plain.csv").code, Some(0));
    let expected = world.sold();
    assert!(expected.contains("GROCERY/GROUP 1%2F1/TYPE 1%25: "), "{expected}");
    let (sales, products) = (parquet(sales), parquet(products));
    let tsv = products_csv.replace(',', "\t");
    let catalogs: [(&str, &[u8]); 5] = [
        ("products.csv", products_csv.as_bytes()),
        ("products.csv.gz", &gzip(products_csv.as_bytes())),
        ("products.tsv.zst", &zstd(tsv.as_bytes())),
        ("products.parquet", &products),
        ("products.parquet.gz", &gzip(&products)),
    ];
    for (log, bytes) in [("sales.csv", sales_csv.as_bytes()), ("sales.parquet", &sales)] {
        for (catalog, products) in catalogs {
            let world = World::new();
            world.write(log, bytes);
            world.write(catalog, products);
            let said = world.run(&format!(
                "ingest {log} --map ts=sold_at --map item_id=product --map quantity=qty --map amount=paid \
                 --catalog {catalog} --catalog-map item_id=product --catalog-map category=dept/group/type"
            ));
            assert_eq!(said.code, Some(0), "{log} {catalog}: {}", said.whole());
            assert_eq!(world.sold(), expected, "{log} {catalog}");
        }
    }
}
