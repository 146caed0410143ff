//! How a scheduler ends: nothing new, then those at work are waited for, then told, then ended.

use std::time::Duration;

use crate::process::terminate;
use crate::scheduler::bury;
use crate::scheduler::host::post::News;
use crate::scheduler::host::runs::until_killed;
use crate::scheduler::host::{BETWEEN_LOOKS_AT_THE_END, Desk, Served};

/// How long the step of a run that had to be killed has to end by itself.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Desk<'_> {
    /// Starts nothing more, lets another lead, and waits for the runs at work.
    pub(super) fn stop(mut self) -> Served {
        self.confirm();
        self.write_marks();
        self.planner = None;
        self.lock = None;
        self.ready.clear();
        self.pool.shrink(0);
        if !self.works.is_empty() {
            let (count, s) = (self.works.len(), if self.works.len() == 1 { "" } else { "s" });
            self.tell(&format!("stopping: waits for {count} run{s}"));
        }
        let mut tell_at = self.host.clock.lapsed().saturating_add(self.host.shutdown_timeout);
        self.reap();
        while !self.works.is_empty() {
            for news in self.post.wait(BETWEEN_LOOKS_AT_THE_END) {
                match news {
                    // Whoever says it twice does not want to wait.
                    News::Stop => tell_at = Duration::ZERO,
                    News::Buried(text) => self.tell(&text),
                    News::Reload | News::Child | News::Leads(_) => {}
                }
            }
            self.reap();
            if self.host.clock.lapsed() >= tell_at {
                self.tell_to_stop();
            }
            self.end_the_stubborn();
        }
        self.served
    }

    /// Writes that a run has died, and ends what it left at work.
    pub(super) fn bury_now(&self, job: &str) {
        if let Err(error) = bury(self.host.store, job, LAST_WORDS, self.host.clock.wall()) {
            self.trouble(&format!("{job}: {error}"));
        }
    }

    fn tell_to_stop(&mut self) {
        let lapsed = self.host.clock.lapsed();
        for (process, work) in &mut self.works {
            if !work.is_ending() {
                terminate(*process);
                work.end_until(lapsed + until_killed(&work.job));
                self.served.stopped += 1;
            }
        }
    }
}
