//! Decompresses single pages, with one decompressor for each thread.
//!
//! The Parquet library sets one up for each column of each row group, which takes longer than decompressing
//! a page.

use std::cell::RefCell;

use zstd::bulk::Decompressor;
use zstd::zstd_safe::get_frame_content_size;

use crate::parquet_format::error::ColumnsError;

/// The most bytes of a page, given the length that ids may have.
const MAX_PAGE_BYTES: usize = 1 << 30;

thread_local! {
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Decompresses a page.
///
/// # Errors
/// Fails where the bytes are not one frame of zstd that names its size.
pub(super) fn decompress(compressed: &[u8]) -> Result<Vec<u8>, ColumnsError> {
    let size = get_frame_content_size(compressed).ok().flatten().and_then(|size| usize::try_from(size).ok());
    let size = size.filter(|size| *size <= MAX_PAGE_BYTES).ok_or_else(unexpected_page)?;
    DECOMPRESSOR.with_borrow_mut(|decompressor| {
        let decompressor = match decompressor {
            Some(decompressor) => decompressor,
            none => none.insert(Decompressor::new().map_err(|_| unexpected_page())?),
        };
        decompressor.decompress(compressed, size).map_err(|e| ColumnsError::Unreadable(e.to_string()))
    })
}

/// Returns the error for a page that is otherwise than the file says.
pub(super) fn unexpected_page() -> ColumnsError {
    ColumnsError::Unreadable("a page is not what the file says it is".to_owned())
}
