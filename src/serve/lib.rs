//! The server of `topsell`: an event that it has acknowledged is durable and in every later answer.
//!
//! A blank line ends a floor, and a room uses only rooms of earlier floors:
//!
//! | room | what it owns | what it never does |
//! |---|---|---|
//! | [`log`] | the acknowledged events that are not yet in the lake, on the local disk | know what an event is, read the clock |
//! | [`config`] | what a server is told when it starts | read it from anywhere |
//! | [`tls`] | the certificate of the server | know about connections |
//! | [`edge`] | lists of another server that this one follows | know about HTTP connections |
//! | [`live`] | events on their way from a request to the log and to the lake | know about HTTP |
//! | [`http`] | connections, requests and responses | read or write the lake on the threads of connections |

pub mod log;

pub mod config;

pub mod tls;

pub mod edge;
pub mod live;

pub mod http;

mod edge_server;
mod error;
mod server;

pub use edge_server::{EdgeServerConfig, serve_edge};
pub use error::ServeError;
pub use server::{ServerSummary, serve};
