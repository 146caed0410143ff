//! Progress bars on a terminal: how much, how fast, how much longer.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use crate::stage_names::stage_name;
use topsell_core::progress::{Listener, Stage, Update};

/// Work that is done sooner than this shows no bar.
const QUIET_FOR: Duration = Duration::from_millis(250);
/// How often bars are redrawn, whether or not anything changed.
const TICK: Duration = Duration::from_millis(100);

/// Draws a bar for each stage under way.
struct Bars {
    screen: MultiProgress,
    bars: Mutex<BTreeMap<Stage, Bar>>,
}

struct Bar {
    bar: ProgressBar,
    began: Instant,
    is_shown: bool,
}

/// Returns a listener that draws bars on stderr.
pub fn bars() -> Arc<dyn Listener> {
    let bars = Arc::new(Bars { screen: MultiProgress::new(), bars: Mutex::new(BTreeMap::new()) });
    let drawn = Arc::downgrade(&bars);
    thread::spawn(move || keep_drawing(&drawn));
    bars
}

/// Draws until the listener is gone.
fn keep_drawing(drawn: &Weak<Bars>) {
    while let Some(bars) = drawn.upgrade() {
        bars.draw();
        drop(bars);
        thread::sleep(TICK);
    }
}

impl Bars {
    #[expect(clippy::disallowed_methods, reason = "this is the door: bars wait before they show")]
    fn draw(&self) {
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        for (stage, bar) in bars.iter_mut() {
            if bar.is_shown {
                bar.bar.tick();
            } else if Instant::now().duration_since(bar.began) > QUIET_FOR {
                bar.is_shown = true;
                bar.bar.set_style(style(*stage, bar.bar.length().is_some()));
                self.screen.add(bar.bar.clone());
            }
        }
    }
}

impl Listener for Bars {
    #[expect(clippy::disallowed_methods, reason = "this is the door: bars wait before they show")]
    fn on_update(&self, update: &Update) {
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        match *update {
            Update::StageStarted { stage, total } => {
                let bar = ProgressBar::hidden();
                if let Some(total) = total {
                    bar.set_length(total);
                }
                let fresh = Bar { bar, began: Instant::now(), is_shown: false };
                if let Some(old) = bars.insert(stage, fresh) {
                    old.bar.finish_and_clear();
                }
            }
            Update::StageAdvanced { stage, by } => {
                if let Some(bar) = bars.get_mut(&stage) {
                    bar.bar.inc(by);
                }
            }
            Update::StageFinished { stage } => {
                if let Some(bar) = bars.remove(&stage) {
                    bar.bar.finish_and_clear();
                }
            }
            Update::CountIncreased { .. } | Update::BatchIngested { .. } => {}
        }
    }
}

fn style(stage: Stage, has_total: bool) -> ProgressStyle {
    let name = stage_name(stage);
    let template = match (stage, has_total) {
        (Stage::Ingest | Stage::VerifyFiles, true) => {
            "{bar:30} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left"
        }
        (Stage::Ingest, false) => "{spinner} {bytes} {bytes_per_sec}",
        (Stage::CompactEvents | Stage::CompactAggregates, true) => {
            "{bar:30} {human_pos}/{human_len} files {rate}, {eta} left"
        }
        (_, true) => "{bar:30} {human_pos}/{human_len} rows {rate}, {eta} left",
        (_, false) => "{spinner} {elapsed}",
    };
    let style = ProgressStyle::with_template(&format!("{name:>8} {template}"));
    style.unwrap_or_else(|_| ProgressStyle::default_bar()).with_key("rate", write_rate)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate for the eye")]
fn write_rate(state: &ProgressState, into: &mut dyn Write) {
    // A bar that cannot be written is not drawn.
    let _ = write!(into, "{}/s", HumanCount(state.per_sec() as u64));
}
