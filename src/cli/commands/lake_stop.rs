//! Stops maintenance on a signal.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::failure::Failure;
use topsell_core::maintenance::StopRequest;

/// How long a step may take to end after a signal: a disk may not answer.
const TIME_TO_STOP: Duration = Duration::from_secs(3);

/// Asks the step to stop on the first SIGINT or SIGTERM, so that it says how far it came. The second one ends the
/// process, and so does a step that does not stop in time.
pub fn stop_on_signals(stop: &StopRequest) -> Result<(), Failure> {
    let signals = Signals::new([SIGINT, SIGTERM]);
    let mut signals = signals.map_err(|e| Failure::runtime(format!("cannot handle signals: {e}")))?;
    let stop = StopRequest(Arc::clone(&stop.0));
    thread::spawn(move || {
        let mut all = signals.forever();
        let Some(first) = all.next() else { return };
        stop.make();
        thread::spawn(move || {
            thread::sleep(TIME_TO_STOP);
            let _ = emulate_default_handler(first);
        });
        if let Some(second) = all.next() {
            let _ = emulate_default_handler(second);
        }
    });
    Ok(())
}
