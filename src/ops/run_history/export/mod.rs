//! Traces in the forms that other programs load.

mod chrome;
mod otlp;

pub use chrome::chrome;
pub use otlp::otlp;
