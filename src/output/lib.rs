//! Answers of `topsell` as people and programs read them: terminal tables, JSON, CSV, Parquet, HTML.
//!
//! A blank line ends a floor, and a room uses rooms of earlier floors only:
//!
//! | room | what it owns | what it never does |
//! |---|---|---|
//! | [`terminal`] | tables and texts as a terminal shows them | know what they are of |
//! | [`report`] | a snapshot as a page to look at | need anything but the page |
//! | [`show`] | a snapshot as text | write anything |

pub mod terminal;

pub mod report;
pub mod show;
