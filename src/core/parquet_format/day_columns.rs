//! The columns of units by day, which ranking files and item totals files share.

use crate::model::DAYS;

/// The columns of the last seven days, oldest first.
pub(super) const DAY_COLUMNS: [&str; DAYS] =
    ["units_day_1", "units_day_2", "units_day_3", "units_day_4", "units_day_5", "units_day_6", "units_day_7"];
