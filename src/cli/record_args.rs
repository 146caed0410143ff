//! The options of commands that only read: whether they leave a run record.

use clap::Args as ClapArgs;

use crate::failure::Failure;
use topsell_ops::run_history::TraceContext;

/// Why the text of a share is invalid.
const BAD_SHARE: &str = "is not a share; write 0, 1, or 1/N such as 1/100";

/// What says whether a run leaves a record.
#[derive(ClapArgs, Debug)]
pub struct RecordArgs {
    /// Keep a run record of this run
    #[arg(long)]
    pub record: bool,
    /// Share of the runs of show, count and report that leave a run record: 0 (none), 1 (all) or 1/N, by the
    /// id of the trace
    #[arg(long, value_name = "SHARE", default_value = "0", conflicts_with = "record")]
    pub record_reads: String,
}

/// A share of runs: one of so many; none where that is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordShare(u64);

impl RecordArgs {
    /// Checks the options.
    ///
    /// # Errors
    /// Says what to write.
    pub fn share(&self) -> Result<RecordShare, Failure> {
        let text = &self.record_reads;
        match parse_share(text) {
            _ if self.record => Ok(RecordShare(1)),
            Some(share) => Ok(share),
            None => Err(Failure::usage(format!("--record-reads `{text}` {BAD_SHARE}"))),
        }
    }
}

impl RecordShare {
    /// Returns whether the runs of a trace are recorded: all of them or none.
    pub fn has(self, trace: &TraceContext) -> bool {
        self.0 > 0 && trace.random_number().is_multiple_of(self.0)
    }
}

/// Returns what is wrong with the text of a share, if anything is.
///
/// # Errors
/// Says what to write.
pub fn check_share(text: &str) -> Result<(), String> {
    parse_share(text).map(drop).ok_or_else(|| format!("`{text}` {BAD_SHARE}"))
}

fn parse_share(text: &str) -> Option<RecordShare> {
    match text {
        "0" => Some(RecordShare(0)),
        "1" => Some(RecordShare(1)),
        text => text.strip_prefix("1/")?.parse().ok().filter(|one_of| *one_of > 0).map(RecordShare),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_runs_is_none_all_or_one_of_some() {
        for (text, expected) in
            [("0", 0..=0), ("1", 4_000..=4_000), ("1/1", 4_000..=4_000), ("1/10", 250..=550)]
        {
            let share = parse_share(text).expect("it is a share");
            let count = (0..4_000).filter(|_| share.has(&TraceContext::of(None))).count();
            assert!(expected.contains(&count), "{text}: {count}");
        }
        for bad in ["", "2", "1/0", "2/3", "1/-1", "1/x", "0.5", "10%"] {
            assert!(check_share(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn runs_of_one_trace_are_recorded_together() {
        let share = RecordShare(7);
        for number in 1..50 {
            let traceparent = format!("00-{number:032x}-00f067aa0ba902b7-01");
            let [one, other] = [(); 2].map(|()| share.has(&TraceContext::of(Some(&traceparent))));
            assert_eq!(one, other);
            assert_eq!(one, number % 7 == 0, "{number}");
        }
    }
}
