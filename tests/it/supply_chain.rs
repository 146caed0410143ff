//! The crates of others: where they come from, how many they are, and which are there in several versions.

use std::collections::{BTreeMap, BTreeSet};

use crate::docs::text_of;

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// Raised by whoever adds a crate, with the documentation: each is code of others that the program runs.
const MAX_CRATES: usize = 392;
/// Crates in several versions, since crates of others want different ones.
const DUPLICATES: [&str; 12] = [
    "core-foundation",
    "crypto-common",
    "digest",
    "getrandom",
    "itertools",
    "r-efi",
    "rand",
    "rand_core",
    "strum",
    "strum_macros",
    "syn",
    "windows-sys",
];

/// The name, the source and the checksum of each crate that is not ours.
fn crates() -> Vec<[String; 3]> {
    let lock: toml::Table = toml::from_str(&text_of("Cargo.lock".as_ref())).expect("Cargo.lock is TOML");
    let packages = lock["package"].as_array().expect("Cargo.lock lists packages");
    let field = |package: &toml::Value, name: &str| {
        package.get(name).and_then(toml::Value::as_str).unwrap_or_default().to_owned()
    };
    let all = packages.iter().map(|package| ["name", "source", "checksum"].map(|name| field(package, name)));
    all.filter(|[name, ..]| name != "topsell" && !name.starts_with("topsell-")).collect()
}

#[test]
fn crates_come_from_the_public_registry_with_a_checksum() {
    for [name, source, checksum] in crates() {
        assert_eq!(source, CRATES_IO, "{name}");
        assert_eq!(checksum.len(), 64, "{name}");
    }
}

#[test]
fn no_crate_is_added_unseen() {
    let count = crates().len();
    assert!(count <= MAX_CRATES, "{count} crates, {MAX_CRATES} before; is the new one worth it?");
    let said = format!("{count} crates");
    assert!(
        text_of("docs/src/project/security.md".as_ref()).contains(&said),
        "the documentation says another number"
    );
}

#[test]
fn no_crate_is_there_twice_but_those_of_others() {
    let mut versions: BTreeMap<String, u32> = BTreeMap::new();
    for [name, ..] in crates() {
        *versions.entry(name).or_default() += 1;
    }
    versions.retain(|_, count| *count > 1);
    let found: BTreeSet<&str> = versions.keys().map(String::as_str).collect();
    assert_eq!(found, DUPLICATES.into(), "remove what is no longer there; avoid what is new");
}
