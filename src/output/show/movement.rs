//! How an item's rank changed, as a value.

use crate::formats::Value;
use crate::terminal::{Cell, Style};
use topsell_core::trends::Movement;

/// Returns how an item moved.
pub(super) fn movement(movement: Movement) -> Value {
    match movement {
        Movement::Unknown => Value::None,
        Movement::New => word("new", "new", Style::Fresh),
        Movement::Up(places) => word("up", &format!("▲{places}"), Style::Good),
        Movement::Down(places) => word("down", &format!("▼{places}"), Style::Bad),
        Movement::Same => word("same", "=", Style::Dim),
    }
}

/// Returns how an item moved to a rank from another, or from none.
pub(super) fn moved(rank: i32, previous: Option<i32>) -> Movement {
    match previous {
        None => Movement::New,
        Some(previous) if previous > rank => Movement::Up(previous.abs_diff(rank)),
        Some(previous) if previous < rank => Movement::Down(previous.abs_diff(rank)),
        Some(_) => Movement::Same,
    }
}

/// Returns how an item moved that has no rank any more.
pub(super) fn dropped() -> Value {
    word("dropped", "out", Style::Bad)
}

fn word(word: &str, shown: &str, style: Style) -> Value {
    Value::from(word).shown(Cell::of(shown).styled(style))
}
