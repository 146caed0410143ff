//! Uploads of large objects in parts that were begun and never completed: no listing of objects has them, and they cost
//! money until they are aborted.
//!
//! Invariant: reads only; a rule of the bucket removes them.

use crate::storage::error::StoreError;
use crate::storage::location::BucketName;
use crate::storage::store::{Root, Store};
use crate::storage::upload_lister::element;

/// Uploads that were begun and are not completed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnfinishedUploads {
    /// When each of them was begun, as the store says it: at most those of its first answer, a thousand.
    pub begun: Vec<String>,
    pub are_more: bool,
}

impl Store {
    /// Returns the uploads below the lake's prefix that are not completed; none where the store has no such uploads, as a
    /// folder.
    ///
    /// # Errors
    /// Fails where the store does not list them, as where it is not allowed to.
    pub fn unfinished_uploads(&self) -> Result<Option<UnfinishedUploads>, StoreError> {
        let Root::Bucket(bucket) = &self.root else { return Ok(None) };
        let Some(lister) = &bucket.upload_lister else { return Ok(None) };
        let answer = bucket.wait(lister.answer(&prefix_of(&bucket.name)));
        Ok(Some(uploads_of(&answer.map_err(|error| bucket.failed("", error))?)))
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
fn uploads_of(answer: &str) -> UnfinishedUploads {
    let begun = |upload: &str| element(upload, "Initiated").map(str::to_owned);
    let uploads = answer.split("<Upload>").skip(1);
    UnfinishedUploads {
        begun: uploads.filter_map(|rest| begun(rest.split("</Upload>").next()?)).collect(),
        are_more: element(answer, "IsTruncated") == Some("true"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_when_each_was_begun_and_whether_there_are_more() {
        let upload = |begun: &str| {
            format!("<Upload><Key>lake/a</Key><UploadId>1</UploadId><Initiated>{begun}</Initiated></Upload>")
        };
        let answer = format!(
            "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>{}{}</ListMultipartUploadsResult>",
            upload("2026-11-28T10:00:00.000Z"),
            upload("2026-11-27T09:30:00.000Z"),
        );
        let begun = ["2026-11-28T10:00:00.000Z", "2026-11-27T09:30:00.000Z"].map(str::to_owned).to_vec();
        assert_eq!(uploads_of(&answer), UnfinishedUploads { begun, are_more: true });
        assert_eq!(uploads_of("<a/>"), UnfinishedUploads::default());
    }
}
