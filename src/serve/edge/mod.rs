//! Lists of another server that this one follows: held in memory and on disk, verified before they replace what is held.
//!
//! Invariant: what is held has the hash, and where a key is known the signature, that the other server said; it is answered
//! from memory whether or not that server can be reached.

mod config;
mod follower;
mod freshness;
mod mirror;
mod mirror_files;
mod upstream;

pub use config::EdgeConfig;
pub use follower::{Followers, Publish};
pub use freshness::Freshness;
pub use mirror::{Mirror, Mirrors};
pub use upstream::{Forwarded, forward};
