//! What is accepted although it may be meant otherwise, counted by kind.
//!
//! Invariant: a notice tells the first place where it holds, in the order of the inputs and their lines.

use std::fmt;

/// What is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// The delimiter was inferred from the header.
    Delimiter(u8),
    /// Columns were found by names with other upper and lower case.
    ColumnCase,
    /// Lines have a delimiter behind the last field.
    TrailingDelimiter,
    /// Lines inside a quoted field would be records by themselves.
    JoinedLines,
    /// An optional field could not be read, and the event is accepted without it; whether the option says so.
    DroppedField { field: &'static str, is_given: bool },
    /// Lines are rejected since they are not UTF-8, or not in the encoding that was given.
    Encoding { is_given: bool },
    /// A field is in quotes, which are read as a part of it.
    QuotedField { field: &'static str },
    /// Ids that a spreadsheet has changed.
    SpreadsheetId { field: &'static str },
    /// Ids with characters that nobody sees.
    InvisibleCharacters { field: &'static str },
    /// Events of a type that is `purchase` but for upper and lower case.
    TypeCase,
    /// A column that is not read may be that of a field, whose name it has but for upper and lower case, or
    /// another usual one.
    UnreadColumn { field: &'static str, is_same_name: bool },
    /// A quantity has more than four decimals, and is rounded.
    RoundedQuantity,
    /// Numbers with a point in front of three digits, in an input in which the decimal mark is a comma.
    MixedDecimalMarks,
    /// Amounts with signs of several currencies.
    MixedCurrencies,
    /// Categories seem to have another separator of levels.
    LevelSeparator,
    /// Event ids came with the same item and other content.
    ConflictingIds,
}

/// How grave a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeLevel {
    /// Something that was decided by the content.
    Note,
    /// Numbers may be wrong.
    Warning,
}

/// A kind, and where and how often it was noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub kind: NoticeKind,
    pub count: u64,
    /// The first place.
    pub file: String,
    pub line: Option<u64>,
    /// What was noticed there.
    pub detail: String,
}

/// The notices of some lines, at most one of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notices(Vec<Notice>);

impl Notices {
    /// Counts a notice; its place is kept where it is the first of its kind.
    pub fn add(&mut self, kind: NoticeKind, count: u64, (file, line): (&str, Option<u64>), detail: &str) {
        match self.0.iter_mut().find(|notice| notice.kind == kind) {
            Some(known) => known.count += count,
            None => {
                self.0.push(Notice { kind, count, file: file.to_owned(), line, detail: detail.to_owned() });
            }
        }
    }

    /// Adds the notices of later lines.
    pub fn merge(&mut self, later: Notices) {
        for Notice { kind, count, file, line, detail } in later.0 {
            self.add(kind, count, (&file, line), &detail);
        }
    }

    /// Returns the notices in the order of their first places.
    pub fn iter(&self) -> impl Iterator<Item = &Notice> {
        self.0.iter()
    }

    /// Returns whether numbers may be wrong.
    pub fn has_warning(&self) -> bool {
        self.iter().any(|notice| notice.kind.level() == NoticeLevel::Warning)
    }
}

impl NoticeKind {
    /// Returns how grave it is.
    pub fn level(self) -> NoticeLevel {
        match self {
            NoticeKind::Delimiter(_)
            | NoticeKind::ColumnCase
            | NoticeKind::TrailingDelimiter
            | NoticeKind::RoundedQuantity
            | NoticeKind::TypeCase
            | NoticeKind::UnreadColumn { is_same_name: false, .. }
            | NoticeKind::DroppedField { is_given: true, .. } => NoticeLevel::Note,
            _ => NoticeLevel::Warning,
        }
    }
}

impl fmt::Display for NoticeLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoticeLevel::Note => "note",
            NoticeLevel::Warning => "warning",
        })
    }
}

/// `warning: log.csv:7: 2 lines …`
impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Notice { kind, count, file, line, detail } = self;
        let lines = counted_lines(*count);
        write!(f, "{}: {file}:", kind.level())?;
        if let Some(line) = line {
            write!(f, "{line}:")?;
        }
        f.write_str(" ")?;
        match kind {
            NoticeKind::Delimiter(delimiter) => {
                let name = match delimiter {
                    b'\t' => "tab".to_owned(),
                    other => format!("`{}`", char::from(*other)),
                };
                let inputs = in_inputs(*count);
                write!(f, "the delimiter is {name}{inputs}, by the header; --delimiter sets it")
            }
            NoticeKind::ColumnCase => {
                write!(f, "columns are matched without regard to case{}: {detail}", in_inputs(*count))
            }
            NoticeKind::TrailingDelimiter => {
                write!(f, "a delimiter behind the last field is ignored in {lines}")
            }
            NoticeKind::JoinedLines => write!(
                f,
                "{lines} inside a quoted field would be valid without quoting; pass --quoting none if quotes \
                 are part of the text, or --quoting standard if not"
            ),
            NoticeKind::DroppedField { field, is_given } => {
                write!(f, "{lines} accepted without {field}: {detail}")?;
                if *is_given {
                    Ok(())
                } else {
                    f.write_str("; pass --bad-field reject to reject such lines, or drop to accept them")
                }
            }
            NoticeKind::SpreadsheetId { field } => write!(
                f,
                "{field} in {lines} is as a spreadsheet writes it, and may stand for several: {detail}; export the \
                 column as text"
            ),
            NoticeKind::InvisibleCharacters { field } => write!(
                f,
                "{field} in {lines} has invisible characters, by which it differs from the same without them: {}",
                escape_invisible(detail)
            ),
            NoticeKind::TypeCase => write!(
                f,
                "{lines} of the event type `{detail}`, which is another one than `purchase`; rankings count it \
                 with --event-type {detail}"
            ),
            NoticeKind::UnreadColumn { field, .. } => write!(
                f,
                "`{detail}` is not read{}; pass --map {field}={detail} if it is the {field}",
                in_inputs(*count)
            ),
            NoticeKind::Encoding { is_given: false } => write!(
                f,
                "{lines} rejected that {}; pass the encoding of the file, as in --encoding windows-1252",
                if *count == 1 { "is not UTF-8" } else { "are not UTF-8" }
            ),
            NoticeKind::Encoding { is_given: true } => {
                write!(f, "{lines} rejected with bytes that are invalid in {detail}; pass another --encoding")
            }
            NoticeKind::RoundedQuantity => {
                write!(f, "quantity has more than four decimals in {lines}, and is rounded: `{detail}`")
            }
            NoticeKind::QuotedField { field } => write!(
                f,
                "{field} is in quotes in {lines}, which are read as part of it: {detail}; pass --quoting \
                 standard if they enclose fields"
            ),
            NoticeKind::MixedDecimalMarks => write!(
                f,
                "{lines} with a point before three digits, read as decimals, but other numbers have a decimal \
                 comma: {detail}; pass --decimal comma if the point separates thousands"
            ),
            NoticeKind::LevelSeparator => write!(
                f,
                "category has ` >` in {lines}, which is read as part of a name: `{detail}`; pass \
                 --level-separator '>' if it separates levels"
            ),
            NoticeKind::MixedCurrencies => write!(
                f,
                "{lines} with another currency than the first amount, added together: {detail}; map currency, \
                 or load each currency into its own lake"
            ),
            NoticeKind::ConflictingIds => {
                let ids = if *count == 1 { "event id" } else { "event ids" };
                write!(
                    f,
                    "{count} {ids} with the same item and other content, of which one version counts; map \
                     an id of each line, such as --map event_id=order_id+line_no, or --map \
                     version=updated_at if later versions correct earlier ones"
                )
            }
        }
    }
}

/// Spells characters that nobody sees.
fn escape_invisible(text: &str) -> String {
    let spelled = |c: char| {
        if c.is_alphanumeric() || c.is_ascii() { c.to_string() } else { c.escape_unicode().to_string() }
    };
    text.chars().map(spelled).collect()
}

/// Says in how many inputs it is so, where in several.
fn in_inputs(count: u64) -> String {
    if count == 1 { String::new() } else { format!(" in {count} inputs") }
}

fn counted_lines(count: u64) -> String {
    if count == 1 { "1 line".to_owned() } else { format!("{count} lines") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_of_one_kind_are_one_with_the_first_place() {
        let mut notices = Notices::default();
        notices.add(NoticeKind::JoinedLines, 2, ("a.csv", Some(7)), "");
        let mut later = Notices::default();
        later.add(NoticeKind::JoinedLines, 1, ("b.csv", Some(1)), "");
        notices.merge(later);
        let shown: Vec<String> = notices.iter().map(Notice::to_string).collect();
        assert_eq!(shown.len(), 1);
        assert!(shown[0].starts_with("warning: a.csv:7: 3 lines inside a quoted field"), "{shown:?}");
        assert!(notices.has_warning());
    }
}
