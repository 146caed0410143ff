//! Promises of what the server knows, while the clock moves, segments get into the lake and others change it.

mod lists;
mod server;
