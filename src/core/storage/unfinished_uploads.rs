//! Uploads of large objects in parts that were begun and never completed: no listing of objects has them, and they cost
//! money until they are aborted.
//!
//! The object store's library has no request for it, so that one is signed and sent here.
//!
//! Invariant: reads only; a rule of the bucket removes them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use object_store::aws::AmazonS3;
use object_store::client::{HttpClient, HttpConnector, HttpRequest, HttpRequestBody, ReqwestConnector};
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer};
use object_store::{ClientOptions, Error};

use crate::model::Timestamp;
use crate::storage::error::StoreError;
use crate::storage::location::BucketName;
use crate::storage::store::{Root, Store};

/// For how long the signature of the request is valid.
const VALID: Duration = Duration::from_secs(60);

/// Uploads that were begun before a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnfinishedUploads {
    /// At most those of the store's first answer, a thousand.
    pub count: usize,
    pub are_more: bool,
    pub oldest: Option<Timestamp>,
}

/// Asks a bucket for them.
pub(super) struct UploadLister {
    signer: AmazonS3,
    client: HttpClient,
}

/// A connector that keeps the client which it has made last: that of the bucket, with its settings.
#[derive(Clone, Debug, Default)]
pub(super) struct KeptClient {
    made: Arc<Mutex<Option<HttpClient>>>,
}

impl HttpConnector for KeptClient {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.clone());
        Ok(client)
    }
}

impl KeptClient {
    pub fn lister(&self, signer: &AmazonS3) -> Option<UploadLister> {
        let client = self.made.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        Some(UploadLister { signer: signer.clone(), client })
    }
}

impl UploadLister {
    async fn answer(&self, prefix: &str) -> Result<String, Error> {
        let failed = |source| Error::Generic { store: "S3", source };
        let query = [("uploads", ""), ("prefix", prefix)];
        let options = SignedUrlOptions::default().with_query(query);
        // A default method is GET.
        let url = self.signer.signed_url_opts(Default::default(), &Path::default(), VALID, &options).await?;
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.uri_mut() = url.as_str().parse().map_err(|e| failed(Box::new(e)))?;
        let response = self.client.execute(request).await.map_err(|e| failed(Box::new(e)))?;
        let status = response.status();
        let bytes = response.into_body().bytes().await.map_err(|e| failed(Box::new(e)))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        match status.is_success() {
            true => Ok(text),
            false => {
                let code = element(&text, "Code").unwrap_or_default();
                Err(failed(format!("the store answers {} {code}", status.as_u16()).into()))
            }
        }
    }
}

impl fmt::Debug for UploadLister {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UploadLister({})", self.signer)
    }
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

/// Returns the text of the first element of a name, in XML without attributes.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
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
