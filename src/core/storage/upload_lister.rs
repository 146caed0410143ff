//! The request for the uploads in parts that a bucket has begun and not completed.
//!
//! The object store's library has no such request, so that one is signed by it, and sent by the client that it uses.
//!
//! Invariant: reads only.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use object_store::aws::AmazonS3;
use object_store::client::{HttpClient, HttpConnector, HttpRequest, HttpRequestBody, ReqwestConnector};
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer};
use object_store::{ClientOptions, Error};

/// For how long the signature of the request is valid.
const VALID: Duration = Duration::from_secs(60);

/// Asks a bucket for its uploads.
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
    /// Returns the store's answer, in XML.
    pub async fn answer(&self, prefix: &str) -> Result<String, Error> {
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

/// Returns the text of the first element of a name, in XML without attributes.
pub(super) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}
