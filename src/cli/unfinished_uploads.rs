//! What the operator of a bucket is told of uploads that were begun and never completed.

use crate::settings::Settings;
use topsell_core::model::Timestamp;
use topsell_core::storage::{Store, StoreError, UnfinishedUploads};
use topsell_output::text::counted;

/// Younger ones may be under way.
const MIN_AGE_SECONDS: i64 = 86_400;

/// Returns what there is to say; none where there is nothing, as of a folder.
///
/// # Errors
/// Fails where the store does not list them.
pub fn described(store: &Store, now: Timestamp) -> Result<Option<String>, StoreError> {
    let Some(UnfinishedUploads { begun, are_more }) = store.unfinished_uploads()? else { return Ok(None) };
    let before = now.plus_seconds(-MIN_AGE_SECONDS);
    let begun = begun.iter().filter_map(|text| Timestamp::parse(text).ok());
    let old: Vec<Timestamp> = begun.filter(|begun| *begun < before).collect();
    let Some(oldest) = old.iter().min() else { return Ok(None) };
    let at_least = if are_more { "at least " } else { "" };
    let uploads = counted(old.len() as u64, "upload", "uploads");
    let bucket = store.bucket_name().unwrap_or_default();
    Ok(Some(format!(
        "{at_least}{uploads} of large files, the oldest begun at {oldest}, never completed: no listing has \
         their parts, and they cost money. A rule of the bucket removes them:\n{}",
        rule(bucket)
    )))
}

/// Tells the operator, if there is something to say.
pub fn note(settings: &Settings, store: &Store) {
    match described(store, settings.now) {
        Ok(None) => {}
        Ok(Some(text)) => settings.note(&text),
        Err(error) => settings.note(&format!("cannot list uploads that were never completed: {error}")),
    }
}

fn rule(bucket: &str) -> String {
    let rule = "{\"Rules\": [{\"ID\": \"incomplete\", \"Status\": \"Enabled\", \"Filter\": {}, \
                \"AbortIncompleteMultipartUpload\": {\"DaysAfterInitiation\": 2}}]}";
    format!(
        "aws s3api put-bucket-lifecycle-configuration --bucket {bucket} --lifecycle-configuration '{rule}'"
    )
}
