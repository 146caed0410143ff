//! Exports traces in the formats of other programs.

mod chrome;
mod otlp;

pub use chrome::chrome;
pub use otlp::otlp;
