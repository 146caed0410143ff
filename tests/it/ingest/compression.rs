//! Compressed inputs: every packing that is read, and the right name of every one that is not.

use expect_test::expect;

use crate::ingest::formats::{bzip2, gzip, xz, zip, zip_of, zstd};
use crate::world::World;

const LOG: &[u8] = b"ts,item_id\n2017-01-14T10:00:00Z,apple\n";
const MORE: &[u8] = b"2017-01-14T10:00:00Z,plum\n";

type File<'a> = (&'a str, &'a [u8]);

fn ingested(files: &[File<'_>]) -> String {
    let world = World::new();
    files.iter().for_each(|(name, bytes)| world.write(name, bytes));
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    world.run(&format!("ingest {}", names.join(" "))).whole()
}

#[test]
fn several_members_and_padding_are_read_as_one_input() {
    let zeros = [0; 700];
    let files: [File<'_>; 5] = [
        ("a.csv.gz", &[&gzip(LOG)[..], &gzip(MORE)].concat()),
        ("b.csv.gz", &[&gzip(LOG)[..], &gzip(b"2017-01-14T11:00:00Z,pear\n"), &zeros].concat()),
        ("c.csv.bz2", &[&bzip2(LOG)[..], &bzip2(b"2017-01-14T12:00:00Z,pear\n")].concat()),
        ("d.csv.xz", &[&xz(LOG)[..], &zeros, &xz(b"2017-01-14T13:00:00Z,pear\n")].concat()),
        ("e.csv.zst", &[&zstd(LOG)[..], &zstd(b"2017-01-14T14:00:00Z,pear\n")].concat()),
    ];
    expect![[r#"
        stderr: ingest: 10 read = 10 accepted + 0 duplicate + 0 rejected, 5 new batches
        exit code 0
    "#]]
    .assert_eq(&ingested(&files));
}

#[test]
fn the_only_file_of_a_zip_archive_is_read_and_gives_the_format() {
    let mac = zip(&[
        ("orders/", b""),
        ("orders/log.ndjson", br#"{"ts":1484388000,"item_id":"fig"}"#),
        ("__MACOSX/orders/._log.ndjson", b"x"),
    ]);
    let parquet = zip(&[("a.parquet", &crate::ingest::formats::purchases_as_parquet())]);
    let files: [File<'_>; 3] = [("a.csv", &zip_of(LOG)), ("b.zip", &mac), ("c.zip", &parquet)];
    expect![[r#"
        stderr: ingest: 5 read = 5 accepted + 0 duplicate + 0 rejected, 3 new batches
        exit code 0
    "#]]
    .assert_eq(&ingested(&files));
    let world = World::new();
    expect![[r#"
        stderr: ingest: 1 read = 1 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run_with(&["ingest", "-"], &mac).whole());
}

#[test]
fn zip_archives_that_are_not_one_log_are_refused() {
    let many: Vec<String> = (1..=7).map(|n| format!("{n}.csv")).collect();
    let many: Vec<File<'_>> = many.iter().map(|name| (name.as_str(), LOG)).collect();
    let mut broken = zip_of(LOG);
    let at = broken.windows(5).position(|part| part == b"log.c").expect("it is named") + 12;
    broken[at] ^= 0x55;
    let mut locked = zip_of(LOG);
    locked[6] |= 1;
    let central = locked.windows(4).rposition(|part| part == b"PK\x01\x02").expect("it is listed");
    locked[central + 8] |= 1;
    let files: [File<'_>; 8] = [
        ("two.zip", &zip(&[("a.csv", LOG), ("b\u{1b}.csv", LOG)])),
        ("many.zip", &zip(&many)),
        ("none.zip", &zip(&[("a/", b"")])),
        ("book.xlsx.csv", &zip(&[("[Content_Types].xml", b"x"), ("xl/workbook.xml", b"x")])),
        ("half.csv.zip", &zip_of(LOG)[..60]),
        ("broken.csv.zip", &broken),
        ("locked.csv.zip", &locked),
        ("unknown.zip", &zip(&[("orders", LOG)])),
    ];
    expect![[r#"
        stderr: failed: two.zip: is a zip archive with 2 files, of which only one is supported: a.csv, b\u{1b}.csv; extract it and pass its files
        stderr: failed: many.zip: is a zip archive with 7 files, of which only one is supported: 1.csv, 2.csv, 3.csv, 4.csv, 5.csv and 2 more; extract it and pass its files
        stderr: failed: none.zip: is a zip archive with 0 files, of which only one is supported; extract it and pass its files
        stderr: failed: book.xlsx.csv: is an Excel workbook (XLSX), which is not supported; save it as CSV
        stderr: failed: half.csv.zip: ends in the middle of its zip data; its last part was not ingested, so ingest the complete file again
        stderr: failed: broken.csv.zip: is corrupt: its zip data cannot be decompressed: corrupt deflate stream
        stderr: failed: locked.csv.zip: is an encrypted zip archive, which is not supported; extract its file with its password
        stderr: failed: unknown.zip: cannot infer the format from the file name or content; pass --format csv, tsv, ndjson or parquet
        stderr: ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches, 8 of 8 inputs failed
        exit code 1
    "#]].assert_eq(&ingested(&files));
}

#[test]
fn what_is_not_read_is_refused_by_its_name() {
    let mut tar = vec![0; 1_024];
    tar[..5].copy_from_slice(b"a.csv");
    tar[257..262].copy_from_slice(b"ustar");
    let files: [File<'_>; 16] = [
        ("a.csv.lz4", b"\x04\x22\x4d\x18\x64\x40"),
        ("a.csv.sz", b"\xff\x06\0\0sNaPpY"),
        ("a.csv.lz", b"LZIP\x01\x0c"),
        ("a.csv.lzma", b"\x5d\0\0\x80\0\xff"),
        ("a.csv.Z", b"\x1f\x9d\x90"),
        ("a.7z", b"7z\xbc\xaf\x27\x1c\0\x04"),
        ("a.rar", b"Rar!\x1a\x07\x01\0"),
        ("a.tar", &tar),
        ("a.tar.gz", &gzip(&tar)),
        ("a.csv.gz.xz", &xz(&gzip(LOG))),
        ("a.orc", b"ORC\x0a\x03\0\0"),
        ("a.avro", b"Obj\x01\x04"),
        ("a.db", b"SQLite format 3\0\x10\0"),
        ("a.pdf", b"%PDF-1.7\n"),
        ("a.html", b"<!DOCTYPE html>\n<html>"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0"),
    ];
    let world = World::new();
    files.iter().for_each(|(name, bytes)| world.write(name, bytes));
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    let said = world.run(&format!("ingest --format csv {}", names.join(" ")));
    expect![[r#"
        stderr: failed: a.csv.lz4: is compressed with LZ4, which is not supported; decompress it first: lz4 -dc FILE | topsell ingest -
        stderr: failed: a.csv.sz: is compressed with Snappy, which is not supported; decompress it first: snzip -dc FILE | topsell ingest -
        stderr: failed: a.csv.lz: is compressed with lzip, which is not supported; decompress it first: lzip -dc FILE | topsell ingest -
        stderr: failed: a.csv.lzma: is compressed with LZMA, which is not supported; decompress it first: xz -dc FILE | topsell ingest -
        stderr: failed: a.csv.Z: is compressed with compress (.Z), which is not supported; decompress it first: uncompress -c FILE | topsell ingest -
        stderr: failed: a.7z: is a 7z archive, which is not supported; extract its files and pass those
        stderr: failed: a.rar: is a RAR archive, which is not supported; extract its files and pass those
        stderr: failed: a.tar: is a tar archive, which is not supported; extract its files and pass those
        stderr: failed: a.tar.gz: is a tar archive, which is not supported; extract its files and pass those
        stderr: failed: a.csv.gz.xz: is compressed twice: its xz data is compressed data; decompress it once
        stderr: failed: a.orc: is an ORC file, which is not supported; convert it to Parquet, CSV or NDJSON
        stderr: failed: a.avro: is an Avro file, which is not supported; convert it to Parquet, CSV or NDJSON
        stderr: failed: a.db: is an SQLite database, which is not supported; export its table as CSV: sqlite3 -csv -header FILE 'SELECT …'
        stderr: failed: a.pdf: is a PDF document, which is not supported; ask its sender for CSV
        stderr: failed: a.html: is an HTML page, which is not supported; the server may have answered with an error or a login page; download the file again
        stderr: failed: a.xls: is an Excel workbook (XLS), which is not supported; save it as CSV
        stderr: ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches, 16 of 16 inputs failed
        exit code 1
    "#]].assert_eq(&said.whole());
    let parquet = crate::ingest::formats::purchases_as_parquet();
    expect![[r#"
        stderr: failed: a.csv: is a Parquet file; pass --format parquet
        stderr: failed: b.ndjson.gz: is a Parquet file; pass --format parquet
        stderr: ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches, 2 of 2 inputs failed
        exit code 1
    "#]]
    .assert_eq(&ingested(&[("a.csv", &parquet), ("b.ndjson.gz", &gzip(&parquet))]));
}
