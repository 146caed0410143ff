//! The keys of a JSON object, as they are scanned: whether it is a record, or contains an array of records.

use crate::input_format::json_scanner::Place;

/// The keys whose arrays contain the records.
pub(super) const WRAPPERS: [&str; 9] =
    ["records", "Records", "events", "Events", "orders", "Orders", "data", "results", "rows"];
/// The maximum length of a key that is noted: all that are looked for are shorter.
const MAX_KEY_BYTES: usize = 1_024;

/// What the keys of one object say.
pub(super) struct ObjectKeys {
    /// The key that only a record has; `None` where arrays of records are not looked for.
    record_key: Option<String>,
    /// The key that was scanned last, in its quotes.
    key: Vec<u8>,
    is_record: bool,
    has_wrapper: bool,
    has_empty_wrapper: bool,
}

impl ObjectKeys {
    /// Returns the keys of an object that has not begun.
    pub fn of(record_key: Option<&str>) -> ObjectKeys {
        ObjectKeys {
            record_key: record_key.map(str::to_owned),
            key: Vec::new(),
            is_record: false,
            has_wrapper: false,
            has_empty_wrapper: false,
        }
    }

    /// Forgets everything: another object begins.
    pub fn clear(&mut self) {
        self.key.clear();
        (self.is_record, self.has_wrapper, self.has_empty_wrapper) = (false, false, false);
    }

    /// Forgets the last key.
    pub fn end_key(&mut self) {
        self.key.clear();
    }

    /// Notes a byte at a place of the object.
    pub fn note(&mut self, byte: u8, place: Place) {
        match (place, byte) {
            (Place::Key, b':') => self.is_record |= self.is_key(self.record_key.as_deref()),
            (Place::Key, byte) if !byte.is_ascii_whitespace() && self.key.len() < MAX_KEY_BYTES => {
                self.key.push(byte);
            }
            (Place::Member, byte) if !byte.is_ascii_whitespace() => self.key.clear(),
            _ => {}
        }
    }

    /// Notes the first byte in an array that may have the records.
    pub fn note_wrapper(&mut self, byte: u8) {
        self.has_wrapper |= byte == b'{';
        self.has_empty_wrapper |= byte == b']';
    }

    /// Returns whether the array of the last key may have the records.
    pub fn is_at_wrapper(&self) -> bool {
        self.record_key.is_some() && !self.is_record && self.is_wrapper_key()
    }

    /// Returns whether the last key is one of those whose arrays contain the records.
    pub fn is_wrapper_key(&self) -> bool {
        WRAPPERS.iter().any(|wrapper| self.is_key(Some(wrapper)))
    }

    /// Returns whether the object has an array of objects, and no key of a record yet.
    pub fn may_wrap(&self) -> bool {
        self.has_wrapper && !self.is_record
    }

    /// Returns whether the object has an array of no records, and is none itself.
    pub fn is_empty_wrapper(&self) -> bool {
        self.has_empty_wrapper && !self.has_wrapper && !self.is_record
    }

    fn is_key(&self, name: Option<&str>) -> bool {
        let key = self.key.strip_prefix(b"\"").and_then(|key| key.strip_suffix(b"\""));
        key.is_some_and(|key| name.is_some_and(|name| key == name.as_bytes()))
    }
}
