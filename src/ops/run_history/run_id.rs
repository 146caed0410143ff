//! Run ids: they start with the time at which the run started or was due.

use uuid::Uuid;

use topsell_core::model::Timestamp;

/// Returns a unique id for a run; ids sort by the time at which their runs started.
pub fn new_run_id(started: Timestamp, command: &str) -> String {
    let (_, unique) = Uuid::now_v7().as_u64_pair();
    format!("{}-{command}-{unique:016x}", compact(started))
}

/// Returns the id of a due run of a job; the process that creates the file of that name has the run.
pub fn due_run_id(job: &str, at: Timestamp, attempt: u32) -> String {
    let again = if attempt > 1 { format!(".{attempt}") } else { String::new() };
    format!("{}-{job}{again}", compact(at))
}

/// Returns the time at the start of a run id, if it is one.
pub(super) fn moment_of(id: &str) -> Option<Timestamp> {
    let (moment, _) = id.split_once('-')?;
    let (date, time) = moment.strip_suffix('Z')?.split_once('T')?;
    let is_plain = date.len() == 8 && time.len() >= 6 && moment.is_ascii();
    if !is_plain {
        return None;
    }
    let ([year, month, day], [hour, minute, second]) =
        ([&date[..4], &date[4..6], &date[6..]], [&time[..2], &time[2..4], &time[4..]]);
    Timestamp::parse(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z")).ok()
}

/// Returns a timestamp without characters that are unsuitable in file names.
fn compact(moment: Timestamp) -> String {
    moment.to_string().chars().filter(|c| !matches!(c, '-' | ':')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_parsed_back_from_the_id() {
        for text in ["2026-11-22T18:00:00Z", "2026-11-22T18:00:00.123456Z", "0001-01-01T00:00:00.5Z"] {
            let moment = Timestamp::parse(text).expect("it is a moment");
            assert_eq!(moment_of(&new_run_id(moment, "rank")), Some(moment));
            assert_eq!(moment_of(&due_run_id("the-hourly", moment, 2)), Some(moment));
        }
        let odd = ["", "rank", "20261122T180000Z", "2026-11-22T18-00-00Z-rank-0", "20261122T18é000Z-x"];
        for name in odd.into_iter().chain(["20261122TZ-x", "20261322T180000Z-x", "-"]) {
            assert_eq!(moment_of(name), None, "{name}");
        }
    }
}
