//! Uploads of large objects in parts that were begun and never completed: no listing of objects has them, and they cost
//! money until they are aborted.
//!
//! Invariant: reads only; a rule of the bucket removes them.

use crate::model::Timestamp;
use crate::storage::error::StoreError;
use crate::storage::location::BucketName;
use crate::storage::store::{Root, Store};
use crate::storage::upload_lister::element;

/// Uploads that were begun before a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnfinishedUploads {
    /// At most those of the store's first answer, a thousand.
    pub count: usize,
    pub are_more: bool,
    pub oldest: Option<Timestamp>,
}

impl Store {
    /// Returns the uploads below the lake's prefix that were begun before a moment and never completed; none where the
    /// store has no such uploads, as a folder.
    ///
    /// # Errors
    /// Fails where the store does not list them, as where it is not allowed to.
    pub fn unfinished_uploads(&self, before: Timestamp) -> Result<Option<UnfinishedUploads>, StoreError> {
        let Root::Bucket(bucket) = &self.root else { return Ok(None) };
        let Some(lister) = &bucket.upload_lister else { return Ok(None) };
        let answer = bucket.wait(lister.answer(&prefix_of(&bucket.name)));
        Ok(Some(uploads_of(&answer.map_err(|error| bucket.failed("", error))?, before)))
    }

    /// Returns the name of the bucket; none of a folder.
    pub fn bucket_name(&self) -> Option<&str> {
        match &self.root {
            Root::Folder(_) => None,
            Root::Bucket(bucket) => Some(&bucket.name.bucket),
        }
    }
}

/// Returns what the keys of a lake begin with.
fn prefix_of(name: &BucketName) -> String {
    if name.prefix.is_empty() { String::new() } else { format!("{}/", name.prefix) }
}

/// Returns the uploads of the store's answer.
fn uploads_of(answer: &str, before: Timestamp) -> UnfinishedUploads {
    let begun = |upload: &str| Timestamp::parse(element(upload, "Initiated")?).ok();
    let old: Vec<Timestamp> = answer
        .split("<Upload>")
        .skip(1)
        .filter_map(|rest| begun(rest.split("</Upload>").next()?))
        .filter(|begun| *begun < before)
        .collect();
    UnfinishedUploads {
        count: old.len(),
        are_more: element(answer, "IsTruncated") == Some("true"),
        oldest: old.into_iter().min(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_of_now_are_not_named() {
        let upload = |begun: &str| {
            format!("<Upload><Key>lake/a</Key><UploadId>1</UploadId><Initiated>{begun}</Initiated></Upload>")
        };
        let answer = format!(
            "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>{}{}{}</ListMultipartUploadsResult>",
            upload("2026-11-28T10:00:00.000Z"),
            upload("2026-11-27T09:30:00.000Z"),
            upload("2026-11-30T09:30:00.000Z"),
        );
        let moment = |text| Timestamp::parse(text).expect("a good moment");
        let expected =
            UnfinishedUploads { count: 2, are_more: true, oldest: Some(moment("2026-11-27T09:30:00Z")) };
        assert_eq!(uploads_of(&answer, moment("2026-11-29T00:00:00Z")), expected);
        assert_eq!(uploads_of("<a/>", moment("2026-11-29T00:00:00Z")), UnfinishedUploads::default());
    }
}
