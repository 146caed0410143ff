//! The server of `topsell`: an event that it has acknowledged is durable and in every later answer.
//!
//! A blank line ends a floor, and a room uses only rooms of earlier floors:
//!
//! | room | what it owns | what it never does |
//! |---|---|---|
//! | [`log`] | the acknowledged events that are not yet in the lake, on the local disk | know what an event is, read the clock |

pub mod log;
