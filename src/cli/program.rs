//! Which program this is, for whoever computes a part of what another one has planned.

/// The version, and where it is known the commit and its date.
pub const PROGRAM: &str = env!("TOPSELL_LONG_VERSION");
