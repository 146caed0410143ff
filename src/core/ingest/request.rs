//! The events of a request: parsed by the rules of an input, and handed back instead of written.

use std::io::Read;

use crate::ingest::batch_builder::BatchBuilder;
use crate::ingest::fields::{ITEM_ID, REQUIRED};
use crate::ingest::limits::Limits;
use crate::ingest::line_counts::LineCounts;
use crate::ingest::line_parser::LineParser;
use crate::ingest::notices::Notices;
use crate::ingest::options::{Options, ParseOptions};
use crate::ingest::slices::Slice;
use crate::input_format::{Format, Source, SourceError, open_body, read_error, with_dialect};
use crate::lake::{LakeSettings, Reject};
use crate::model::{Currency, Events};

/// The name of the body in its rejects.
const BODY: &str = "-";

/// What a request brought.
pub struct ParsedRequest {
    pub events: Events,
    /// The first rejected lines, as many as there was room for.
    pub rejects: Vec<Reject>,
    /// How many lines, or items of lines, were rejected.
    pub rejected: u64,
    pub lines: LineCounts,
    /// The currency of the lake, or of the events.
    pub currency: Option<Currency>,
    pub notices: Notices,
}

/// Why a request is refused as a whole.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error("is larger than {max_bytes} bytes when decompressed")]
    TooLarge { max_bytes: u64 },
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Its header, a mapped key, or its currencies.
    #[error("{0}")]
    Input(String),
}

/// Parses the body of a request that arrived at `options.now`, for a lake with amounts in `currency`.
///
/// # Errors
/// Says why nothing of it was parsed.
pub fn parse_request(
    body: &[u8],
    format: Option<Format>,
    max_bytes: u64,
    (settings, currency): (LakeSettings, Option<Currency>),
    options: &Options,
    parse_options: ParseOptions<'_>,
) -> Result<ParsedRequest, RequestError> {
    let mapping = parse_options.mapping;
    let source = open_body(body, format, mapping.text_options(ITEM_ID))?;
    let Source::Text { format, reader, .. } = source else {
        return Err(SourceError::UnknownFormat.into());
    };
    let (dialect, reader) = with_dialect(reader, format, mapping, REQUIRED);
    let mut text = Vec::new();
    reader.take(max_bytes + 1).read_to_end(&mut text).map_err(read_error)?;
    if text.len() as u64 > max_bytes {
        return Err(RequestError::TooLarge { max_bytes });
    }
    let limits = Limits::at(options.now, options, settings, parse_options);
    let mut builder = BatchBuilder::new(BODY, limits, u64::MAX)
        .with_currency(currency)
        .with_reject_room(options.max_reject_bytes);
    let mut parser = LineParser::of(dialect, mapping);
    let slice = Slice::of_lines(text, 1);
    parser.read_header(&slice).map_err(RequestError::Input)?;
    // A builder without a limit is never full. That a mapped key is in no line is no error: a request may be one line.
    parser.parse(&slice, None, &mut builder);
    builder.currency().map_err(|reason| RequestError::Input(reason.to_owned()))?;
    parser.check_header().map_err(RequestError::Input)?;
    let parsed = builder.finish();
    Ok(ParsedRequest {
        lines: parsed.counts(),
        rejected: parsed.rejects.count(),
        rejects: parsed.rejects.into_kept(),
        events: parsed.events,
        currency: parsed.currency,
        notices: parsed.notices,
    })
}
