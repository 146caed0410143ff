//! Repairs what is known of ingested files: entries whose line is damaged are left out.

use crate::lake::error::LakeError;
use crate::lake::known_inputs::{damaged_line, has_checksum};
use crate::lake::quarantine::{Quarantined, note_quarantined};
use crate::lake::writers_lock::WritersLock;
use crate::model::Timestamp;
use crate::storage::{Store, flipped_back};

/// Puts a file of entries into the quarantine, and writes it again without the damaged ones; returns how many
/// these were.
///
/// # Errors
/// Fails where the disk does.
pub fn repair_inputs(
    store: &Store,
    // An entry that is appended while its file is rewritten would be lost.
    _writers: &WritersLock,
    path: &str,
    reason: &str,
    now: Timestamp,
) -> Result<u64, LakeError> {
    let moved_to = store.link_to_quarantine(path)?;
    let (file, reason) = (path.to_owned(), reason.to_owned());
    note_quarantined(store, now, &Quarantined { file, moved_to, reason, ..Quarantined::default() })?;
    let bytes = store.get(path)?;
    let (kept, dropped) = intact_lines(&bytes);
    store.replace(path, &bytes, kept.into())?;
    Ok(dropped)
}

/// Returns the lines that are not damaged or have one bit that has flipped, and how many are lost.
fn intact_lines(text: &[u8]) -> (Vec<u8>, u64) {
    let (mut kept, mut dropped) = (Vec::new(), 0);
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let restored = match damaged_line(line) {
            Some(_) => flipped_back(line, &are_whole),
            None => Some(line.to_vec()),
        };
        match restored {
            Some(line) => kept.extend([b"\n", &line[..], b"\n"].concat()),
            None => dropped += 1,
        }
    }
    (kept, dropped)
}

/// Returns whether each line has its own checksum: one that a bit has joined with the next is two.
fn are_whole(lines: &[u8]) -> bool {
    lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).all(has_checksum)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::lake::batch_size::BatchSize;
    use crate::lake::known_inputs::{InputKey, KnownInput, line_of};

    fn line(bytes: u64) -> Vec<u8> {
        let size = BatchSize { events: 7, lines: 7 };
        let (id, second) = ("ab".to_owned(), 1_484_395_200);
        let known = KnownInput {
            id,
            bytes,
            tail_bytes: 0,
            tail_size: size,
            size,
            start: None,
            hours: None,
            second,
            newest: None,
        };
        line_of(&InputKey::of_name(Path::new("/a")), &known).into_bytes()
    }

    #[test]
    fn a_line_with_a_flipped_bit_is_restored_and_another_one_is_left_out() {
        let text = [b"\n", &line(8)[..], b"\n\n", &line(9)[..], b"\n"].concat();
        for bit in 0..text.len() * 8 {
            let mut flipped = text.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let (kept, dropped) = intact_lines(&flipped);
            let lines = |text: &[u8]| -> Vec<Vec<u8>> {
                text.split(|byte| *byte == b'\n')
                    .filter(|line| !line.is_empty())
                    .map(<[u8]>::to_vec)
                    .collect()
            };
            assert_eq!((lines(&kept), dropped), (lines(&text), 0), "{bit}");
        }
        let mut harmed = text.clone();
        harmed[40..60].fill(b'0');
        let (kept, dropped) = intact_lines(&harmed);
        assert_eq!((kept, dropped), ([b"\n", &line(9)[..], b"\n"].concat(), 1));
    }
}
