//! How the state of a run stands out.

use crate::terminal::Style;
use topsell_ops::run_history::RunState;

/// Returns the style of a state.
pub(super) fn style(state: RunState) -> Style {
    match state {
        RunState::Running | RunState::PerhapsRunning => Style::Fresh,
        state if state.is_failure() => Style::Bad,
        _ => Style::Plain,
    }
}
