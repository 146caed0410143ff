//! The page of the presets, rendered from their files.
//!
//! `UPDATE_EXPECT=1` rewrites the page.

use std::fmt::Write as _;
use std::path::Path;

use topsell_core::input_format::PRESETS;

use crate::docs::{repository, text_of};

const PAGE: &str = "docs/src/reference/presets.md";
const HEAD: &str = "\
# Presets

The mappings that come with the program, for `topsell ingest --map preset:NAME`; see
[JSON from logs and event platforms](../guides/json.md#presets).
This page is generated; `UPDATE_EXPECT=1 cargo test --test it -- docs::` rewrites it.
";

#[test]
fn the_page_of_presets_shows_their_files() {
    let mut page = HEAD.to_owned();
    for preset in PRESETS {
        write!(page, "\n## {}\n\n```toml\n{}\n```\n", preset.name, preset.text.trim_end())
            .expect("a text can grow");
    }
    let is_current = repository().join(PAGE).exists() && text_of(Path::new(PAGE)) == page;
    if !is_current && std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(repository().join(PAGE), &page).expect("the page can be written");
    }
    assert!(is_current, "{PAGE} differs from the presets; run this test with UPDATE_EXPECT=1");
}
