//! The fields of a purchase log. Their names are those of its columns, unless columns are mapped.

/// The names of the fields, by number.
pub const FIELDS: &[&str] = &[
    "ts",
    "event_id",
    "item_id",
    "category",
    "categories",
    "event_type",
    "quantity",
    "amount",
    "currency",
    "version",
];

pub(super) const TS: usize = 0;
pub(super) const EVENT_ID: usize = 1;
pub(super) const ITEM_ID: usize = 2;
pub(super) const CATEGORY: usize = 3;
pub(super) const CATEGORIES: usize = 4;
pub(super) const EVENT_TYPE: usize = 5;
pub(super) const QUANTITY: usize = 6;
pub(super) const AMOUNT: usize = 7;
pub(super) const CURRENCY: usize = 8;
/// Read only where it is mapped: logs have versions of other things under this name.
pub(super) const VERSION: usize = 9;

/// The fields that every event must have.
pub(super) const REQUIRED: &[usize] = &[TS, ITEM_ID];
