//! Memory stays within bounds, whatever comes: bombs and false claims, under a limit of address
//! space. Whoever needs more than that is ended by a failed allocation, and has no exit code.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use arrow::array::{
    Array as _, AsArray as _, DictionaryArray, Int32Array, ListArray, RecordBatch, StringArray,
};
use arrow::datatypes::{Field, Int32Type};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::metadata::{
    FileMetaData, ParquetMetaDataBuilder, ParquetMetaDataReader, ParquetMetaDataWriter,
};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use crate::ingest::formats::{bzip2, gzip, parquet, purchases_as_parquet, texts, xz, zip_of, zstd};
use crate::world::{Said, World};

/// Above what an ingest of a few lines needs, and one slice of 64 MiB; far below any bomb.
const LIMIT_KIB: usize = 384 << 10;
const MIB: usize = 1 << 20;

/// Something that is large once unpacked: a beginning, and so many times the same after it.
struct Bomb {
    head: &'static str,
    piece: Vec<u8>,
    times: usize,
}

impl Bomb {
    fn of(head: &'static str, piece: &str, mebibytes: usize) -> Bomb {
        Bomb { head, piece: piece.repeat(MIB / piece.len()).into_bytes(), times: mebibytes }
    }

    /// Packs it piece by piece; both compressions allow several parts, one behind the other.
    fn packed(&self, pack: fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
        [pack(self.head.as_bytes()), pack(&self.piece).repeat(self.times)].concat()
    }
}

/// Runs the program within the limit, on standard input so many times the same.
fn run(world: &World, arguments: &str, stdin: &[u8], times: usize) -> Said {
    run_within(LIMIT_KIB, world, arguments, stdin, times)
}

fn run_within(limit_kib: usize, world: &World, arguments: &str, stdin: &[u8], times: usize) -> Said {
    let arguments: Vec<&str> = ["--threads", "2"].into_iter().chain(arguments.split(' ')).collect();
    let free = world.command(&arguments);
    let mut limited = Command::new("/bin/sh");
    // A file is not larger than 32 MiB, in blocks of 512 bytes: whoever writes more is ended by a signal.
    limited.args(["-c", "ulimit -v \"$0\" && ulimit -f 65536 && exec \"$@\"", &limit_kib.to_string()]);
    limited.arg(free.get_program()).args(free.get_args()).env_clear();
    limited.envs(free.get_envs().filter_map(|(name, value)| Some((name, value?))));
    // Each arena reserves 64 MiB of addresses, which is not memory that anything needs.
    limited.env("MALLOC_ARENA_MAX", "1").current_dir(world.path("."));
    limited.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = limited.spawn().expect("there is a shell");
    let mut pipe = child.stdin.take().expect("standard input is a pipe");
    let piece = stdin.to_vec();
    // Whoever has had enough closes the pipe, which is its right.
    let feeder = std::thread::spawn(move || (0..times).try_for_each(|_| pipe.write_all(&piece)).is_ok());
    let output = child.wait_with_output().expect("the run ends");
    feeder.join().expect("feeding does not panic");
    Said {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: output.status.code(),
    }
}

/// Takes a bomb in as a file and as a stream, in large slices and in small ones.
fn check(bomb: &Bomb, ending: &str, code: i32, words: &str) {
    for (pack, packing, size) in
        [(gzip as fn(&[u8]) -> Vec<u8>, "gz", "64MiB"), (zstd as fn(&[u8]) -> Vec<u8>, "zst", "64KiB")]
    {
        let packed = bomb.packed(pack);
        assert!(packed.len() < bomb.times * MIB / 100, "a bomb is small: {} bytes", packed.len());
        let file = format!("bomb.{ending}.{packing}");
        for (input, stdin) in [(file.as_str(), &b""[..]), ("-", &packed)] {
            let world = World::new();
            world.write(&file, &packed);
            let said = run(&world, &format!("ingest --slice-size {size} {input}"), stdin, 1);
            assert_eq!(said.code, Some(code), "{input} {size}: {}", said.whole());
            assert!(said.stderr.contains(words), "{input} {size}: {}", said.whole());
        }
    }
}

#[test]
fn the_limit_is_one() {
    let world = World::new();
    world.write("log.csv", "ts,item_id\n1484388000,apple\n");
    let said = run(&world, "ingest log.csv", b"", 0);
    assert_eq!(said.code, Some(0), "there is room for an honest log: {}", said.whole());
    let said = run(&world, "ingest --slice-size 1GiB --lake other -", "x".repeat(MIB).as_bytes(), 400);
    assert_eq!(said.code, None, "a slice larger than the limit cannot be held: {}", said.whole());
}

#[test]
fn a_bomb_of_zeros_costs_no_memory() {
    check(&Bomb::of("", "\0", 256), "csv", 1, "the header has no column `ts`");
}

#[test]
fn a_bomb_of_empty_lines_costs_no_memory() {
    check(&Bomb::of("", "\n", 72), "csv", 0, "0 read");
}

#[test]
fn an_endless_line_costs_no_memory() {
    // A file is looked at for its framing, a stream is not.
    let one = " longer than ";
    check(&Bomb::of("{\"ts\":1,\"a\":", "[[", 256), "ndjson", 4, one);
}

#[test]
fn an_endless_quoted_field_costs_no_memory() {
    check(&Bomb::of("ts,item_id\n1484388000,\"", "x", 256), "csv", 4, "longer than a whole slice");
}

#[test]
fn a_header_of_commas_alone_costs_no_memory() {
    // Shorter than a slice, so that it is read as a header.
    let world = World::new();
    let bomb = Bomb::of("ts,item_id", ",", 60);
    world.write("bomb.csv.gz", [bomb.packed(gzip), gzip(b"\n1484388000,apple\n")].concat());
    let said = run(&world, "ingest bomb.csv.gz", b"", 0);
    assert_eq!(said.code, Some(1), "{}", said.whole());
    assert!(said.stderr.contains("line 1: the header has more than 16384 columns"), "{}", said.whole());
}

/// Every rejected line was held with its reason until its slice was read: a slice of 64 MiB in which
/// each line was one letter took 14 GB, and ended the machine rather than the run.
#[test]
fn a_slice_of_garbage_lines_is_accounted_for_without_being_held() {
    let world = World::new();
    let packed = Bomb::of("", "x\n", 4).packed(gzip);
    let said = run(&world, "ingest --slice-size 4MiB --format ndjson -", &packed, 1);
    let lines = 4 * MIB / 2;
    assert_eq!(said.code, Some(4), "{}", said.whole());
    let account =
        format!("ingest: {lines} read = 0 accepted + 0 duplicate + {lines} rejected, 0 new batches");
    assert!(said.stderr.contains(&account), "{}", said.whole());
    let folder = world.path("data/lake/rejects");
    let kept: usize = world
        .files("data/lake/rejects")
        .iter()
        .map(|name| std::fs::read(folder.join(name)).expect("a listed file can be read"))
        .map(|text| text.iter().filter(|&&byte| byte == b'\n').count())
        .sum();
    assert!((10_000..lines / 10).contains(&kept), "the first ones are kept: {kept}");
}

#[test]
fn a_batch_of_many_short_lines_is_one_batch_in_one_commit() {
    let world = World::new();
    let bomb = Bomb::of("ts,item_id\n", "1,a\n1,b\nx\n\n\n\n\n\n\n", 4);
    let packed = bomb.packed(gzip);
    let said = run(&world, "ingest --min-ts 1970-01-01 --slice-size 16MiB --format csv -", &packed, 1);
    let thirds = 4 * MIB / 16;
    let account = format!(
        "ingest: {} read = {} accepted + 0 duplicate + {thirds} rejected, 1 new batch\n",
        3 * thirds,
        2 * thirds
    );
    assert!(said.stderr.ends_with(&account), "{}", said.whole());
    let again = run(&world, "ingest --min-ts 1970-01-01 --format csv -", &packed, 1);
    assert!(again.stderr.contains(&format!(" {} duplicate", 3 * thirds)), "{}", again.whole());
    assert_eq!(run(&world, "rank --no-decay --window 500000h --max-lookback 500000h", b"", 0).code, Some(0));
    let shown = world.run("show --format csv");
    assert!(shown.stdout.contains(&format!(",a,{0},{0},{0},", thirds)), "{}", shown.whole());
}

/// The part of a batch behind its last full part may be blank, and yet the parts must come in.
#[test]
fn a_batch_that_fills_a_part_to_the_line_comes_in_whole() {
    for lines in [172_960, 172_961, 172_962] {
        let world = World::new();
        world.write("log.csv", format!("ts,item_id\n{}\n\n", "1,a\n".repeat(lines)));
        let said = run(&world, "ingest --min-ts 1970-01-01 --slice-size 4MiB log.csv", b"", 0);
        let account = format!("{lines} read = {lines} accepted + 0 duplicate + 0 rejected, 1 new batch\n");
        assert!(said.stderr.ends_with(&account), "{}", said.whole());
        let again = run(&world, "ingest log.csv", b"", 0);
        assert!(again.stderr.contains(&format!(" {lines} duplicate")), "{}", again.whole());
    }
}

/// Each line of these opens a quote that only the next line closes, and so opens another: read as
/// one record each to the end, a file of a megabyte took minutes, one of a slice days.
#[test]
fn lines_that_each_leave_a_quote_open_are_read_once() {
    let world = World::new();
    let lines = 300_000;
    world.write("log.csv", format!("ts,item_id\n{}1484388000,apple\n", "x\",\"y\n".repeat(lines)));
    let said = run(&world, "ingest log.csv", b"", 0);
    assert_eq!(said.code, Some(4), "{}", said.whole());
    let account = format!("{} read = 1 accepted + 0 duplicate + {lines} rejected", lines + 1);
    assert!(said.stderr.contains(&account), "{}", said.whole());
}

#[test]
fn a_catalog_bomb_is_refused_by_its_first_line() {
    for (piece, words) in [("\0", "longer than 16777216 bytes"), (",", "more than 16384 columns")] {
        for (pack, name) in
            [(gzip as fn(&[u8]) -> Vec<u8>, "items.csv.gz"), (zstd as fn(&[u8]) -> Vec<u8>, "items.csv.zst")]
        {
            let world = World::new();
            let mebibytes = if piece == "," { 15 } else { 256 };
            let head = if piece == "," { "item_id,category,name" } else { "" };
            world.write(name, Bomb::of(head, piece, mebibytes).packed(pack));
            world.write("log.csv", "ts,item_id\n1484388000,apple\n");
            let said = run(&world, &format!("ingest log.csv --catalog {name}"), b"", 0);
            assert_eq!(said.code, Some(1), "{}", said.whole());
            assert!(said.stderr.contains(&format!("error: the item catalog {name}:1: ")), "{}", said.whole());
            assert!(said.stderr.contains(words), "{}", said.whole());
            assert_eq!(world.run("ingest log.csv").code, Some(0));
            let said = run(&world, &format!("rank --catalog {name}"), b"", 0);
            assert_eq!(said.code, Some(1), "{}", said.whole());
            assert!(said.stderr.contains(words), "{}", said.whole());
        }
    }
}

#[test]
fn a_message_without_an_end_is_held_to_the_length_of_a_line() {
    let world = World::new();
    let endless = "x".repeat(MIB);
    let said = run(&world, "ingest --ack rsyslog -", endless.as_bytes(), 256);
    assert_eq!((said.stdout.as_str(), said.code), ("OK\n", Some(0)), "{}", said.whole());
    assert!(said.stderr.starts_with("unacknowledged: 1 message"), "{}", said.whole());
    // With an end, at last, it is one rejected line.
    let ended = format!("{}\n", "x".repeat(40 * MIB));
    let said = run(&world, "ingest --ack rsyslog -", ended.as_bytes(), 1);
    assert_eq!((said.stdout.as_str(), said.code), ("OK\nOK\n", Some(4)), "{}", said.whole());
    assert!(said.stderr.contains("longer than the limit of 16777216"), "{}", said.whole());
}

/// Returns three purchases whose footer claims more rows than anyone has sold.
fn boastful(bytes: &[u8], rows: i64) -> Vec<u8> {
    let footer = ParquetMetaDataReader::new().parse_and_finish(&Bytes::copy_from_slice(bytes));
    let footer = footer.expect("it is good Parquet");
    let was = footer.file_metadata();
    let file = FileMetaData::new(
        was.version(),
        rows,
        was.created_by().map(str::to_owned),
        None,
        was.schema_descr_ptr(),
        None,
    );
    let group = footer.row_group(0).clone();
    let columns = group.columns().iter().map(|column| {
        let column = column.clone().into_builder().set_num_values(rows);
        column.set_total_uncompressed_size(rows).build().expect("a column may claim anything")
    });
    let group = group.clone().into_builder().set_num_rows(rows).set_column_metadata(columns.collect());
    let groups = vec![group.build().expect("a group may claim anything")];
    let metadata = ParquetMetaDataBuilder::new(file).set_row_groups(groups).build();
    let mut claims = bytes.to_vec();
    ParquetMetaDataWriter::new(&mut claims, &metadata).finish().expect("memory can be written");
    claims
}

#[test]
fn a_footer_that_claims_a_trillion_rows_costs_no_memory() {
    let world = World::new();
    world.write("log.parquet", boastful(&purchases_as_parquet(), 1 << 40));
    for input in ["log.parquet", "--dry-run log.parquet", "log.parquet --slice-size 64MiB --batch-id b"] {
        let said = run(&world, &format!("ingest {input}"), b"", 0);
        assert_eq!(said.code, Some(1), "{}", said.whole());
        assert!(said.stderr.starts_with("failed: log.parquet: "), "{}", said.whole());
    }
}

/// Returns a purchase whose last page claims two gigabytes once it is unpacked.
fn swollen() -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None);
    let batch = RecordBatch::try_from_iter([
        ("ts", texts([Some("2017-01-14T10:00:00Z")])),
        ("item_id", texts([Some("apple")])),
    ]);
    let batch = batch.expect("the columns are of one length");
    let writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties.build()));
    let mut writer = writer.expect("the schema is plain");
    writer.write(&batch).expect("memory can be written");
    let mut bytes = writer.into_inner().expect("memory can be written");
    let footer = ParquetMetaDataReader::new().parse_and_finish(&Bytes::copy_from_slice(&bytes));
    let footer = footer.expect("it is good Parquet");
    let group = footer.row_group(0).clone();
    let mut columns = group.columns().to_vec();
    let page = usize::try_from(columns[1].data_page_offset()).expect("it lies in the file");
    // A page's header: its kind, the bytes it has once unpacked, the bytes it has now, each behind
    // the number of its field, as zigzag varints.
    assert_eq!((bytes[page], bytes[page + 2]), (0x15, 0x15));
    bytes.splice(page + 3..page + 4, [0xfe, 0xff, 0xff, 0xff, 0x0f]);
    let size = columns[1].compressed_size() + 4;
    let column = columns[1].clone().into_builder().set_total_compressed_size(size);
    columns[1] = column.set_total_uncompressed_size(1 << 31).build().expect("a column may claim anything");
    let group = group.into_builder().set_column_metadata(columns).build().expect("so may a group");
    let metadata = ParquetMetaDataBuilder::new(footer.file_metadata().clone()).set_row_groups(vec![group]);
    ParquetMetaDataWriter::new(&mut bytes, &metadata.build()).finish().expect("memory can be written");
    bytes
}

/// A page is unpacked whole, into as much memory as it says: two gigabytes is the most it can say.
#[test]
fn a_page_of_parquet_is_believed_up_to_two_gigabytes() {
    let world = World::new();
    world.write("log.parquet", swollen());
    let said = run_within((2 << 20) + LIMIT_KIB, &world, "ingest log.parquet", b"", 0);
    assert_eq!(said.code, Some(0), "what it holds is read all the same: {}", said.whole());
}

/// Returns many rows of one very long name, which a dictionary holds once.
fn repeated(rows: usize, bytes: usize) -> Vec<u8> {
    let name = "x".repeat(bytes);
    let names: DictionaryArray<Int32Type> =
        DictionaryArray::new(Int32Array::from(vec![0; rows]), Arc::new(StringArray::from(vec![name])));
    let ts: DictionaryArray<Int32Type> = std::iter::repeat_n("2017-01-14T10:00:00Z", rows).collect();
    parquet(vec![("ts", Arc::new(ts)), ("item_id", Arc::new(names))])
}

#[test]
fn a_long_name_that_a_dictionary_repeats_costs_no_memory() {
    let world = World::new();
    let rows = 8_000;
    let file = repeated(rows, 200_000);
    assert!(file.len() < MIB);
    world.write("log.parquet", file);
    let said = run(&world, "ingest log.parquet", b"", 0);
    assert_eq!(said.code, Some(4), "{}", said.whole());
    assert!(said.stderr.contains(&format!(" {rows} rejected")), "{}", said.whole());
}

#[test]
fn a_long_path_that_lists_repeat_costs_no_memory() {
    let world = World::new();
    let rows = 4_000;
    let path = "x".repeat(100_000);
    let lists = (0..rows).map(|_| Some([Some(0), Some(0)]));
    let keys = ListArray::from_iter_primitive::<Int32Type, _, _>(lists);
    let names: DictionaryArray<Int32Type> = DictionaryArray::new(
        keys.values().as_primitive::<Int32Type>().clone(),
        Arc::new(StringArray::from(vec![path])),
    );
    let field = Field::new("element", names.data_type().clone(), true);
    let lists = ListArray::new(Arc::new(field), keys.offsets().clone(), Arc::new(names), None);
    let ts: DictionaryArray<Int32Type> = std::iter::repeat_n("2017-01-14T10:00:00Z", rows).collect();
    let item: DictionaryArray<Int32Type> = std::iter::repeat_n("apple", rows).collect();
    let file =
        parquet(vec![("ts", Arc::new(ts)), ("item_id", Arc::new(item)), ("categories", Arc::new(lists))]);
    assert!(file.len() < MIB);
    world.write("log.parquet", file);
    let said = run(&world, "ingest log.parquet", b"", 0);
    assert_eq!(said.code, Some(4), "{}", said.whole());
    assert!(said.stderr.contains(&format!(" {rows} rejected")), "{}", said.whole());
}

/// A bomb in each packing: 29 KB of bad lines made rejects of 1.5 GB, and took 1 GB of memory.
#[test]
fn bombs_in_every_packing_cost_no_memory() {
    let deep = format!("{{\"ts\":1484388000,\"item_id\":{}\n", "[".repeat(100_000));
    let bombs = [
        ("endless.ndjson", Bomb::of("{\"ts\":1,\"a\":", "[[", 96), 4, " longer than "),
        ("quoted.csv", Bomb::of("ts,item_id\n1484388000,\"", "x", 96), 4, "longer than a whole slice"),
        ("bad.csv", Bomb::of("ts,item_id\n", "never,a\n", 4), 4, "over the limit of --max-rejects"),
        ("deep.ndjson", Bomb::of("", &deep, 8), 4, " rejected, 0 new batches"),
        ("columns.csv", Bomb::of("ts,item_id", ",x", 3), 1, "more than 16384 columns"),
    ];
    for (name, bomb, code, words) in bombs {
        let whole = || [bomb.head.as_bytes(), &bomb.piece.repeat(bomb.times)].concat();
        let packed = [
            ("gz", bomb.packed(gzip)),
            ("zst", bomb.packed(zstd)),
            ("bz2", bomb.packed(bzip2)),
            ("xz", bomb.packed(xz)),
            ("zip", zip_of(&whole())),
        ];
        for (packing, bytes) in packed {
            let world = World::new();
            let file = format!("{name}.{packing}");
            world.write(&file, &bytes);
            let format = if name.ends_with("csv") { "csv" } else { "ndjson" };
            let said = run(&world, &format!("ingest --slice-size 4MiB --format {format} {file}"), b"", 1);
            assert_eq!(said.code, Some(code), "{file}: {}", said.whole());
            assert!(said.stderr.contains(words), "{file}: {}", said.whole());
            let kept = world.files("data/lake/rejects").into_iter();
            let sizes = kept.map(|name| world.path("data/lake/rejects").join(name));
            let bytes: u64 = sizes.map(|path| path.metadata().expect("it is there").len()).sum();
            assert!(bytes < 20 << 20, "{file} left {bytes} bytes of rejects");
        }
    }
}

/// A mapping or a crontab is read whole; nobody writes so much.
#[test]
fn files_that_people_write_are_read_up_to_a_size() {
    let world = World::new();
    world.write("log.csv", "ts,item_id\n1484388000,apple\n");
    for call in [
        "ingest --map /dev/zero log.csv",
        "schedule --check --crontab endless",
        "schedule --check --jobs jobs",
        "run jobs/endless.toml",
    ] {
        for name in ["endless", "jobs/endless.toml"] {
            world.write(name, "");
            let file = std::fs::File::options().write(true).open(world.path(name));
            file.and_then(|file| file.set_len(1 << 30)).expect("a sparse file can be made");
        }
        let said = run(&world, call, b"", 0);
        assert!(said.code.is_some_and(|code| code > 0), "{call}: {}", said.whole());
        assert!(said.stderr.contains("larger than 4096 KiB"), "{call}: {}", said.whole());
    }
}

/// An array of objects is read one by one; an array in a record is a part of it.
#[test]
fn arrays_without_an_end_cost_no_memory() {
    let sale = "{\"ts\":1484388000,\"item_id\":\"apple\"},\n";
    let world = World::new();
    let bomb = Bomb::of("[", sale, 40);
    world.write(
        "array.json.gz",
        [bomb.packed(gzip), gzip(b"{\"ts\":1484388000,\"item_id\":\"pear\"}]")].concat(),
    );
    let said = run(&world, "ingest --slice-size 4MiB array.json.gz", b"", 0);
    let sales = 40 * (MIB / sale.len()) + 1;
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert!(said.stderr.contains(&format!("{sales} read = {sales} accepted")), "{}", said.whole());
    let head = "{\"ts\":1484388000,\"items\":[";
    world.write("items.ndjson.gz", Bomb::of(head, "{\"sku\":\"a\"},", 256).packed(gzip));
    let said = run(&world, "ingest --map item_id=items[].sku items.ndjson.gz", b"", 0);
    assert_eq!(said.code, Some(4), "{}", said.whole());
    assert!(said.stderr.contains(" longer than "), "{}", said.whole());
}

#[test]
fn what_is_no_parquet_is_not_unpacked_to_the_disk() {
    for (pack, name) in [(gzip as fn(&[u8]) -> Vec<u8>, "bomb.parquet.gz"), (xz, "bomb.parquet.xz")] {
        let world = World::new();
        world.write(name, Bomb::of("", "\0", 128).packed(pack));
        let said = run(&world, &format!("ingest {name}"), b"", 0);
        assert_eq!(said.code, Some(1), "{}", said.whole());
        assert!(said.stderr.contains("is not a readable Parquet file"), "{}", said.whole());
    }
}

/// In a format with a row for each item, the items of standard input are counted some thousands at a time.
#[test]
fn items_without_an_end_are_counted_in_little_memory() {
    let world = World::new();
    world.write("sales.csv", "ts,item_id,quantity\n2017-01-14T12:00:00Z,apple,3\n");
    assert_eq!(world.run("ingest sales.csv").code, Some(0));
    let items: String = (0..1_000).map(|number| format!("{number:01000}\n")).collect::<String>() + "apple\n";
    let count = |format: &str| {
        let call = format!("count - --from 2017-01-14 --to 2017-01-15 --format {format}");
        run_within(192 << 10, &world, &call, items.as_bytes(), 300)
    };
    let said = count("csv");
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let rows = said.stdout.lines().filter(|line| line.starts_with("apple,")).count();
    // Each is counted once among the 10,000 that are counted together.
    assert_eq!((rows, said.stdout.lines().count()), (31, 1 + 30 * 1_001 + 300));
    assert_eq!(said.stdout.lines().filter(|line| line.starts_with("item_id,")).count(), 1);
    assert!(said.stdout.lines().filter(|line| line.starts_with("apple,")).all(|line| line.contains(",1,3,")));
    // As one answer they do not fit.
    assert_ne!(count("json").code, Some(0));
}
