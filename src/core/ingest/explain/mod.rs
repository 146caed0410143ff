//! What a dry run understood of an input: its columns with samples, a proposed mapping, and its events.
//!
//! Invariant: nothing here changes how an input is read. A proposal is used only by passing it.

mod column;
mod column_sample;
mod event_profile;
mod explanation;
mod input_sample;
mod proposal;

pub use column::Column;
pub use event_profile::{EventProfile, ExampleEvent};
pub use explanation::Explanation;
pub(super) use input_sample::InputSample;
pub use proposal::Proposal;
