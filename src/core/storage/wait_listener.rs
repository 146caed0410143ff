//! Who is told when this process waits for another.

use std::fmt;
use std::sync::Arc;

/// What is called with what is waited for.
pub type WaitListener = Arc<dyn Fn(&str) + Send + Sync>;

/// Told when this process waits for another one for longer than some seconds.
#[derive(Clone, Default)]
pub(super) struct KnownListener(pub Option<WaitListener>);

impl fmt::Debug for KnownListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KnownListener")
    }
}
