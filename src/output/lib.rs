//! Answers of `topsell` as people and programs read them: terminal tables, JSON, CSV, Parquet, HTML.
//!
//! A blank line ends a floor, and a room uses rooms of earlier floors only:
//!
//! | room | what it owns | what it never does |
//! |---|---|---|
//! | [`text`] | numbers and texts as people read them | know what a table is |
//! | [`terminal`] | tables and charts as a terminal shows them | know what they are of |
//! | [`formats`] | typed answers, and a writer for each format | know what they are of |
//! | [`show`] | published rankings as answers | write anything |
//! | [`runs`] | the run history as answers | write anything |
//! | [`answers`] | counts, due runs, health and lake stats as answers | write anything |
//! | [`report`] | a ranking as an HTML page | need anything but the page |

pub mod text;

pub mod terminal;

pub mod formats;

pub mod answers;
pub mod report;
pub mod runs;
pub mod show;
