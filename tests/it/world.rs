//! A place of its own for each test: an empty folder, no environment, a frozen clock.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

use topsell_core::storage::is_unfinished;

/// The moment at which every run takes place unless it says otherwise.
pub const NOW: &str = "2017-01-15T00:00:00Z";

/// A folder with nothing in it but what the test puts there.
pub struct World {
    folder: TempDir,
}

/// One row of a published ranking; units and money in ten-thousandths, moments in microseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// The path; `None` is the whole shop.
    pub category: Option<String>,
    pub rank: i32,
    pub item_id: String,
    pub score: f64,
    pub units: i64,
    pub purchases: i64,
    pub amount: i128,
    pub window_from: i64,
    pub window_to: i64,
    pub eligible_items: i64,
    /// Units of the last seven days, oldest first.
    pub days: [i64; 7],
    pub week: i64,
    /// Units, purchases and money of all items that the category could rank.
    pub of_category: [i128; 3],
    /// The item's in the ranking's window, where that of the category is extended.
    pub in_window: Option<[i128; 3]>,
    /// All items of the category in the ranking's window, eligible or not.
    pub category_in_window: [i128; 3],
}

/// What a run said and how it ended.
pub struct Said {
    pub stdout: String,
    pub stderr: String,
    pub code: Option<i32>,
}

impl World {
    /// Returns an empty world.
    pub fn new() -> World {
        World { folder: tempfile::tempdir().expect("a temporary folder can be made") }
    }

    /// Returns a path inside.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and the folders it lies in.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        let folder = path.parent().expect("a file lies in a folder");
        std::fs::create_dir_all(folder).expect("a folder can be made");
        std::fs::write(path, content).expect("a file can be written");
    }

    /// Returns the files below a folder, by their paths from it in byte order.
    pub fn files(&self, folder: &str) -> Vec<String> {
        let top = self.path(folder);
        let mut found = Vec::new();
        let mut open = vec![top.clone()];
        while let Some(folder) = open.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for path in entries.map(|entry| entry.expect("a folder can be listed").path()) {
                if path.is_dir() {
                    open.push(path);
                } else {
                    let below = path.strip_prefix(&top).expect("what was found below lies below");
                    found.push(below.display().to_string());
                }
            }
        }
        found.sort_unstable();
        found
    }

    /// Returns the files of the default lake, but for the locks and the records that every run leaves.
    pub fn files_of_lake(&self) -> Vec<String> {
        let mut names = self.files("data/lake");
        names.retain(|name| !name.starts_with("runs/") && !name.ends_with(".lock"));
        names
    }

    /// Returns all JSON values in the files of one folder of the default lake, in name order.
    pub fn records(&self, folder: &str) -> Vec<serde_json::Value> {
        let folder = format!("data/lake/{folder}");
        // A run that was killed may leave a file that has no name of its own yet.
        let names = self.files(&folder).into_iter();
        let names = names.filter(|name| !name.ends_with(".parquet") && !is_unfinished(name));
        let texts = names.map(|name| {
            let path = self.path(&folder).join(name);
            std::fs::read_to_string(path).expect("a record is text")
        });
        texts
            .flat_map(|text| {
                let values = serde_json::Deserializer::from_str(&text).into_iter();
                values.collect::<Result<Vec<_>, _>>().expect("a record is JSON")
            })
            .collect()
    }

    /// Aggregates and ranks a whole year, each sale counting the same, and returns what sold in the
    /// shop and how many items each category ranks.
    pub fn sold(&self) -> String {
        let ranked = self.run("rank --name sold --window 365d --no-decay --limit 100000");
        assert_eq!(ranked.code, Some(0), "{}", ranked.whole());
        let shop = self.run("show --name sold --format csv");
        let categories = self.run("show --name sold --categories --format csv");
        assert_eq!((shop.code, categories.code), (Some(0), Some(0)), "{}", categories.whole());
        let mut text = String::from("item,units,purchases,amount\n");
        for line in fields_of(&shop.stdout, ["item_id", "units", "purchases", "amount"]) {
            writeln!(text, "{}", line.join(",")).expect("a text can grow");
        }
        for [category, items] in fields_of(&categories.stdout, ["category", "items"]).into_iter().skip(1) {
            writeln!(text, "{category}: {items}").expect("a text can grow");
        }
        text
    }

    /// Runs `topsell` with arguments split at spaces, in the world's folder.
    pub fn run(&self, arguments: &str) -> Said {
        self.run_with(&arguments.split_whitespace().collect::<Vec<_>>(), b"")
    }

    /// Runs `topsell` with arguments split at spaces, and variables of the environment.
    pub fn run_in(&self, variables: &[(&str, &str)], arguments: &str) -> Said {
        let mut command = self.command(&arguments.split_whitespace().collect::<Vec<_>>());
        self.said(command.envs(variables.iter().copied()), b"")
    }

    /// Runs `topsell` with the given arguments and standard input.
    pub fn run_with(&self, arguments: &[&str], stdin: &[u8]) -> Said {
        self.said(&mut self.command(arguments), stdin)
    }

    /// Runs a command with the given standard input.
    pub fn said(&self, command: &mut Command, stdin: &[u8]) -> Said {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program under test can be started");
        let mut pipe = child.stdin.take().expect("standard input is a pipe");
        let bytes = stdin.to_vec();
        // A run that ends before it has read everything closes the pipe, which is its right.
        let feeder = std::thread::spawn(move || drop(pipe.write_all(&bytes)));
        let output = child.wait_with_output().expect("the run ends");
        feeder.join().expect("feeding does not panic");
        Said {
            stdout: self.plain(&output.stdout),
            stderr: self.plain(&output.stderr),
            code: output.status.code(),
        }
    }

    /// Returns a command that has not been started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_topsell"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.folder.path())
            .env("TOPSELL_NOW", NOW)
            .current_dir(self.folder.path());
        command
    }

    /// Returns a lake's pointer to its newest snapshot, and the bytes of the file it names.
    pub fn snapshot(&self, lake: &str) -> (serde_json::Value, Vec<u8>) {
        let folder = self.path(lake).join("rankings");
        let pointer = std::fs::read(folder.join("current.json")).expect("a ranking was published");
        let pointer: serde_json::Value = serde_json::from_slice(&pointer).expect("a pointer is JSON");
        let file = pointer["file"].as_str().expect("a pointer names a file");
        let bytes = std::fs::read(folder.join(file)).expect("the pointer's file is there");
        (pointer, bytes)
    }

    /// Returns every row of a lake's newest snapshot, read as any other program would.
    pub fn ranking(&self, lake: &str) -> Vec<Ranked> {
        self.batches(lake).iter().flat_map(rows_of).collect()
    }

    /// Returns the units of the last seven days of every row, oldest first, in ten-thousandths.
    pub fn ranked_days(&self, lake: &str) -> Vec<Vec<i64>> {
        let days_of = |batch: &RecordBatch, row: usize| {
            (1..=7).map(|day| units(batch, &format!("units_day_{day}"), row)).collect()
        };
        let batches = self.batches(lake);
        batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| days_of(batch, row))).collect()
    }

    fn batches(&self, lake: &str) -> Vec<RecordBatch> {
        let file = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(self.snapshot(lake).1));
        let reader = file.and_then(ParquetRecordBatchReaderBuilder::build).expect("a snapshot is Parquet");
        reader.map(|batch| batch.expect("a snapshot can be read")).collect()
    }

    /// Spells the world's own folder the same in every run.
    fn plain(&self, bytes: &[u8]) -> String {
        let folder = self.folder.path().display().to_string();
        String::from_utf8_lossy(bytes).replace(&folder, "WORLD")
    }
}

impl Said {
    /// Returns the whole conversation: what was printed where, and the exit code.
    pub fn whole(&self) -> String {
        let mut text = String::new();
        for (name, said) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            for line in said.lines() {
                writeln!(text, "{name}: {line}").expect("a text can grow");
            }
        }
        let code = self.code.map_or("none".to_owned(), |code| code.to_string());
        writeln!(text, "exit code {code}").expect("a text can grow");
        text
    }
}

/// Returns some columns of a CSV file.
pub fn fields_of<const N: usize>(text: &str, names: [&str; N]) -> Vec<[String; N]> {
    let mut lines = csv::Reader::from_reader(text.as_bytes());
    let header = lines.headers().expect("there is a header").clone();
    let at = |name: &str| header.iter().position(|column| column == name).expect("there is such a column");
    let places = names.map(at);
    let rows = lines.records().map(|row| row.expect("the file is CSV"));
    rows.map(|row| places.map(|at| row[at].to_owned())).collect()
}

/// Returns a row's units in ten-thousandths.
pub fn units(batch: &RecordBatch, name: &str, at: usize) -> i64 {
    let column = batch.column_by_name(name).expect("there is such a column").as_primitive::<Decimal128Type>();
    assert_eq!(column.scale(), 4, "{name}");
    i64::try_from(column.value(at)).expect("they fit into 64 bits")
}

fn rows_of(batch: &RecordBatch) -> Vec<Ranked> {
    let column = |name: &str| batch.column_by_name(name).expect("a ranking has all its columns");
    let (category, item_id) = (column("category").as_string::<i32>(), column("item_id").as_string::<i32>());
    let long = |name: &str, at: usize| column(name).as_primitive::<Int64Type>().value(at);
    let moment = |name: &str, at: usize| column(name).as_primitive::<TimestampMicrosecondType>().value(at);
    let wide = |name: &str, at: usize| column(name).as_primitive::<Decimal128Type>().value(at);
    let figures = |of: &str, at: usize| {
        let purchases = long(&format!("{of}_purchases"), at).into();
        [wide(&format!("{of}_units"), at), purchases, wide(&format!("{of}_amount"), at)]
    };
    let row = |at: usize| Ranked {
        category: category.is_valid(at).then(|| category.value(at).to_owned()),
        rank: column("rank").as_primitive::<Int32Type>().value(at),
        item_id: item_id.value(at).to_owned(),
        score: column("score").as_primitive::<Float64Type>().value(at),
        units: units(batch, "units", at),
        purchases: long("purchases", at),
        amount: column("amount").as_primitive::<Decimal128Type>().value(at),
        window_from: moment("window_from", at),
        window_to: moment("window_to", at),
        eligible_items: long("eligible_items", at),
        days: std::array::from_fn(|day| units(batch, &format!("units_day_{}", day + 1), at)),
        week: units(batch, "units_week", at),
        of_category: figures("eligible", at),
        in_window: column("window_units").is_valid(at).then(|| figures("window", at)),
        category_in_window: figures("category", at),
    };
    (0..batch.num_rows()).map(row).collect()
}

/// The sample that the project carries.
pub fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/complete-journey")
}

/// Returns the sample's purchase logs, oldest first.
pub fn sample_logs() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(sample()).expect("the sample is there");
    let mut logs: Vec<PathBuf> =
        entries.map(|entry| entry.expect("the sample can be listed").path()).collect();
    logs.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("purchases-")));
    logs.sort_unstable();
    logs
}
