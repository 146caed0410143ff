//! A place of its own for each test: an empty folder, no environment, a frozen clock.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The moment at which every run takes place unless it says otherwise.
pub const NOW: &str = "2017-01-15T00:00:00Z";

/// A folder with nothing in it but what the test puts there.
pub struct World {
    folder: TempDir,
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

    /// Runs `topsell` with arguments split at spaces, in the world's folder.
    pub fn run(&self, arguments: &str) -> Said {
        self.run_with(&arguments.split_whitespace().collect::<Vec<_>>(), b"")
    }

    /// Runs `topsell` with the given arguments and standard input.
    pub fn run_with(&self, arguments: &[&str], stdin: &[u8]) -> Said {
        let mut child = self
            .command(arguments)
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

/// The sample that the project carries.
pub fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/complete-journey")
}
