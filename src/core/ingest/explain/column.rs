//! A column of an input, described by its first values.

/// The number of sample values of a column.
const SAMPLES: usize = 3;

/// A column, or the path of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    /// The fields that are read from it.
    pub fields: Vec<&'static str>,
    /// Its first different values.
    pub samples: Vec<String>,
    /// The number of sampled records that have a value.
    pub(super) values: usize,
}

impl Column {
    /// Returns a column without values.
    pub(super) fn named(name: &str) -> Column {
        Column { name: name.to_owned(), ..Column::default() }
    }

    /// Adds a value, if there is room and it is a new one.
    pub(super) fn add(&mut self, value: &str) {
        let value = value.trim();
        self.values += usize::from(!value.is_empty());
        if !value.is_empty()
            && self.samples.len() < SAMPLES
            && !self.samples.iter().any(|known| known == value)
        {
            self.samples.push(value.to_owned());
        }
    }
}
