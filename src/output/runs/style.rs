//! How the state of a run stands out.

use crate::terminal::Style;
use topsell_ops::run_history::State;

/// Returns the style of a state.
pub(super) fn style(state: State) -> Style {
    match state {
        State::Running | State::PerhapsRunning => Style::Fresh,
        state if state.is_failure() => Style::Bad,
        _ => Style::Plain,
    }
}
