//! Unique names of files.

use uuid::Uuid;

/// Returns a new id of 32 hexadecimal digits: a UUID of version 7 (RFC 9562), so ids sort by the time
/// at which they were made.
pub fn unique_id() -> String {
    Uuid::now_v7().simple().to_string()
}
