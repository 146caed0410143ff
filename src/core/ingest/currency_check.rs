//! Keeps amounts of several currencies apart.
//!
//! Invariant: all events of a batch that name a currency name the same one, which is that of the lake.

use crate::ingest::raw_event::Rejection;
use crate::model::{Currency, shown};

/// The currency of the events of a batch.
#[derive(Clone, Debug)]
pub(super) struct CurrencyCheck {
    /// The only currency that is read.
    chosen: Option<Currency>,
    /// The currency of the lake, or of earlier events.
    pub known: Option<Currency>,
    /// Why the input cannot be read.
    conflict: Option<String>,
}

impl CurrencyCheck {
    /// Returns a check that takes any currency, or only the chosen one.
    pub fn of(chosen: Option<Currency>) -> CurrencyCheck {
        CurrencyCheck { chosen, known: None, conflict: None }
    }

    /// Returns whether an event in a currency is used; otherwise it is filtered.
    ///
    /// # Errors
    /// Returns why the text is no currency, or that it is another one than that of earlier events.
    pub fn takes(&mut self, text: &str) -> Result<bool, Rejection> {
        let found = Currency::parse(text).ok_or_else(|| {
            let reason = format!("currency `{}` is not a code such as EUR", shown(text));
            Rejection::of_column("currency", reason)
        })?;
        if self.chosen.is_some_and(|chosen| chosen != found) {
            return Ok(false);
        }
        let known = *self.known.get_or_insert(found);
        if known == found {
            return Ok(true);
        }
        let reason = format!(
            "has an amount in {found}, but earlier amounts of the lake or the input are in {known}; amounts in \
             several currencies cannot be added, so pass --currency {known} to use only those, or load {found} \
             into another lake"
        );
        self.conflict.get_or_insert_with(|| reason.clone());
        Err(Rejection::of_column("currency", format!("currency is {found}, not {known}")))
    }

    /// Returns why the input cannot be read.
    pub fn conflict(&self) -> Option<&str> {
        self.conflict.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(chosen: &str, known: &str, texts: &[&str], expected: &[Option<bool>], is_conflict: bool) {
        let (chosen, known) = (Currency::parse(chosen), Currency::parse(known));
        let mut check = CurrencyCheck { chosen, known, conflict: None };
        let got: Vec<Option<bool>> = texts.iter().map(|text| check.takes(text).ok()).collect();
        assert_eq!(got, expected, "{texts:?}");
        assert_eq!(check.conflict().is_some(), is_conflict, "{texts:?}");
    }

    #[test]
    fn one_currency_is_taken() {
        check("", "", &["EUR", "eur", "€"], &[Some(true); 3], false);
        check("", "", &["EUR", "USD"], &[Some(true), None], true);
        check("EUR", "", &["USD", "EUR"], &[Some(false), Some(true)], false);
        check("", "EUR", &["USD"], &[None], true);
        check("USD", "EUR", &["EUR", "USD"], &[Some(false), None], true);
        check("", "", &["978"], &[None], false);
    }
}
