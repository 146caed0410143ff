//! The options `--since`, `--share` and `--only-share`: the part of a lake that a command works on.

use crate::failure::Failure;
use crate::moments::moment;
use topsell_core::lake::{LakeScope, Share};
use topsell_core::model::{Timestamp, Zone};

/// Returns the part of the lake, and what to note about the options.
///
/// # Errors
/// Says which option is wrong, and how to write it.
pub fn lake_scope(
    since: Option<&str>,
    share: Option<&str>,
    now: Timestamp,
) -> Result<(LakeScope, Option<String>), Failure> {
    let since = since.map(|text| moment("--since", text, now, &Zone::utc())).transpose()?;
    let share = share.map(|text| Share::parse(text, now)).transpose();
    let share = share.map_err(|e| Failure::usage(format!("--share: {e}")))?;
    let scope = LakeScope { since: since.as_ref().map(|since| since.at.hour()), share };
    Ok((scope, since.and_then(|since| since.note)))
}

/// Returns the share that `--only-share` names.
///
/// # Errors
/// Says how to write it.
pub fn only_share(text: Option<&str>) -> Result<Option<Share>, Failure> {
    let refuse = |what| Failure::usage(format!("--only-share: {what}"));
    text.map(Share::parse_nth).transpose().map_err(refuse)
}
