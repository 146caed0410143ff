//! Puts the commit and its date into `topsell --version`.
//!
//! Packagers set `TOPSELL_COMMIT` and `SOURCE_DATE_EPOCH`; otherwise git is asked, and without git the
//! version stands alone. Only this crate is compiled again after a commit.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=TOPSELL_COMMIT");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let is_ours = git(&["ls-files", "--error-unmatch", "build.rs"]).is_some();
    if is_ours {
        watch_commits();
    }
    let git = |words: &[&str]| is_ours.then(|| git(words)).flatten();
    let commit = variable("TOPSELL_COMMIT").or_else(|| git(&["rev-parse", "--short", "HEAD"]));
    let seconds = variable("SOURCE_DATE_EPOCH").or_else(|| git(&["show", "-s", "--format=%ct", "HEAD"]));
    let date = seconds.and_then(|seconds| seconds.parse().ok()).map(date);
    let build = [commit, date].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let version = env!("CARGO_PKG_VERSION");
    match build.as_str() {
        "" => println!("cargo::rustc-env=TOPSELL_LONG_VERSION={version}"),
        build => println!("cargo::rustc-env=TOPSELL_LONG_VERSION={version} ({build})"),
    }
}

/// Runs this script again when the checked-out commit is another one.
fn watch_commits() {
    for name in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", name]).filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    println!("cargo::rerun-if-changed=build.rs");
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn git(words: &[&str]) -> Option<String> {
    let output = Command::new("git").args(words).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// Returns the UTC date of a moment in seconds since 1970; days to dates by Howard Hinnant's
/// `civil_from_days`, <https://howardhinnant.github.io/date_algorithms.html>.
fn date(seconds: i64) -> String {
    let days = seconds.div_euclid(86_400) + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}
