//! The server's HTTP interface: who may ask, how much at once, and the answers of each path.
//!
//! Invariant: no request waits behind more others than the limits say, and nothing that reads or writes the
//! lake runs on the threads that serve connections.

mod answers;
mod body_room;
mod cloud_events;
mod connections;
mod count;
mod edge;
mod event_stream;
mod events;
mod follow;
mod lake_answers;
mod list_body;
mod list_cache;
mod list_streams;
mod lists;
mod metrics;
mod openapi;
mod page;
mod parameters;
mod published_lists;
mod ranking_versions;
mod request_counts;
mod router;
mod show;
mod state;
mod status;
mod top;
mod trace;
mod versioned_lists;
mod workers;
mod write_timeout;

pub use body_room::BodyRoom;
pub use connections::{Serving, serve_connections};
pub use edge::edge_router;
pub use list_cache::ListCache;
pub use list_streams::ListStreams;
pub use published_lists::PublishedLists;
pub use ranking_versions::RankingVersions;
pub use router::router;
pub use state::{Live, State, StateConfig};
pub use workers::{NotDone, Workers};
