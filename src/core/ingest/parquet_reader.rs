//! Reads a Parquet input: its rows in slices, of which those that are already ingested are passed over.

use crate::ingest::input_reader::{InputReader, Stop};
use crate::ingest::parquet_input::ParquetInput;
use crate::ingest::parquet_rows::rows_per_slice;
use crate::input_format::ParquetSource;

/// The number of rows that are read between two checks of the batch's memory.
const ROWS_AT_ONCE: u64 = 64;

impl InputReader<'_> {
    /// Reads the rows, sends their batches, and returns the hash of the file.
    pub(super) fn read_parquet(&self, source: ParquetSource) -> Result<String, Stop> {
        let rows_per_slice = rows_per_slice(self.slice_bytes());
        let mut rows = ParquetInput::open(source.file, self.parse_options.mapping).map_err(Stop::Input)?;
        let mut history = self.history()?;
        if let Some(history) = &mut history {
            history.begin_whole(&source.id)?;
        }
        let mut slice = 0;
        while !rows.is_done() {
            let id = self.plan.batch_id.clone().unwrap_or_else(|| slice_id(&source.id, slice));
            let first_row = slice as u64 * rows_per_slice + 1;
            slice += 1;
            if let Some(size) = self.size_of_slice(&id)? {
                self.skip(&mut rows, rows_per_slice).map_err(Stop::Input)?;
                let elsewhere = match &mut history {
                    Some(history) if rows.is_done() => history.is_from_elsewhere(&id)?,
                    Some(history) => {
                        history.pass_slice();
                        false
                    }
                    None => false,
                };
                self.already_ingested(&id, size, elsewhere)?;
                continue;
            }
            let mut builder = self.builder();
            let mut left = rows_per_slice;
            while left > 0 && !rows.is_done() {
                if builder.is_full() {
                    history.iter_mut().for_each(|history| history.took_slice(builder.newest()));
                    builder = self.send_part(&id, builder, None, first_row)?;
                }
                rows.parse(left.min(ROWS_AT_ONCE), &mut builder).map_err(Stop::Input)?;
                left = left.saturating_sub(ROWS_AT_ONCE);
            }
            let part = history.as_ref().map(|history| history.whole(&id, rows.is_done()));
            let newest = builder.newest();
            self.send_batch(id, builder, part.as_ref(), first_row)?;
            history.iter_mut().for_each(|history| history.took_slice(newest));
        }
        Ok(source.id)
    }

    /// Passes over rows that are already ingested; where later rows need values of earlier ones, these are
    /// parsed.
    fn skip(&self, rows: &mut ParquetInput<'_>, count: u64) -> Result<(), String> {
        if self.parse_options.mapping.options().fill.is_none() {
            return rows.skip(count);
        }
        let mut left = count;
        while left > 0 && !rows.is_done() {
            rows.parse(left.min(ROWS_AT_ONCE), &mut self.builder())?;
            left = left.saturating_sub(ROWS_AT_ONCE);
        }
        Ok(())
    }
}

/// Returns the batch id of one slice of an input that is hashed as a whole.
fn slice_id(id: &str, slice: usize) -> String {
    if slice == 0 { id.to_owned() } else { format!("{id}#{slice}") }
}
