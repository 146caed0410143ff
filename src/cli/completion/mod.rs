//! What completion scripts ask: the line that is typed, and the categories that continue it.

pub mod line;
pub mod paths;
