//! Names that no other file has.

use uuid::Uuid;

/// Returns a new UUID (version 7, RFC 9562): unique, and ordered by the time at which it was made.
pub fn unique_name() -> String {
    Uuid::now_v7().simple().to_string()
}
