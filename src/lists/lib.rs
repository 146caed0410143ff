//! Versioned lists: a map of entries with a content hash, and one merged delta from any kept version to the newest.
//!
//! A server holds [`Lists`], changes them by [`Change`]s, publishes versions of them as [`Snapshot`]s, and answers what
//! leads from the version of a client to the newest in one of two forms: JSON, or hash prefixes in few bits. A client holds
//! a [`HeldList`] and calls [`follow`].
//!
//! Invariant: no clock is read here, nothing but storage touches the disk, and nothing but [`ListClient`] the network.

mod base_file;
mod change;
mod client;
mod error;
mod held_list;
mod history;
mod json_form;
mod kind;
mod lines;
mod list_files;
mod lists;
mod log_line;
mod name;
mod open_list;
mod prefix_form;
mod prefix_index;
mod rice;
mod signature;
mod snapshot;
mod state;
mod version;

#[cfg(test)]
mod tests;

pub use change::{Addition, Change};
pub use client::{ClientError, ListClient};
pub use error::ListError;
pub use held_list::{FollowError, Followed, HeldList, Refusal, follow, retry_seconds};
pub use json_form::{Answer, json_head};
pub use kind::{ListKind, MAX_ENTRY_BYTES, MAX_VALUE_BYTES};
pub use lines::Lines;
pub use lists::{Lists, OpenedLists, list_names, read_list};
pub use name::{FOLDER, ListName, RANKING_PREFIX};
pub use open_list::OpenList;
pub use prefix_form::{HeldPrefixes, PREFIX_MEDIA_TYPE, PrefixAnswer, prefix_head};
pub use signature::{
    SignatureError, Signed, SignedText, SigningKey, VerifyingKey, hex, new_key_files, parse_time, sha256_hex,
    time_text,
};
pub use snapshot::{Delta, HistoryRow, Snapshot};
pub use state::{ListSettings, ListState, Outcome};
pub use version::Version;
