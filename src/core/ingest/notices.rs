//! What is accepted although it may be meant otherwise, counted by kind.
//!
//! Invariant: a notice tells the first place where it holds, in the order of the inputs and their lines.

use std::fmt;

/// What is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// Lines inside a quoted field would be records by themselves.
    JoinedLines,
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
}

/// The notices of some lines, at most one of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notices(Vec<Notice>);

impl Notices {
    /// Counts a notice; its place is kept where it is the first of its kind.
    pub fn add(&mut self, kind: NoticeKind, count: u64, file: &str, line: Option<u64>) {
        match self.0.iter_mut().find(|notice| notice.kind == kind) {
            Some(known) => known.count += count,
            None => self.0.push(Notice { kind, count, file: file.to_owned(), line }),
        }
    }

    /// Adds the notices of later lines.
    pub fn merge(&mut self, later: Notices) {
        for Notice { kind, count, file, line } in later.0 {
            self.add(kind, count, &file, line);
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
            NoticeKind::JoinedLines | NoticeKind::ConflictingIds => NoticeLevel::Warning,
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
        let Notice { kind, count, file, line } = self;
        write!(f, "{}: {file}:", kind.level())?;
        if let Some(line) = line {
            write!(f, "{line}:")?;
        }
        f.write_str(" ")?;
        match kind {
            NoticeKind::JoinedLines => {
                let lines = if *count == 1 { "line is" } else { "lines are" };
                write!(
                    f,
                    "{count} {lines} inside a quoted field, but would be valid without quoting; pass \
                     --quoting none if quotes are part of the text, or --quoting standard if not"
                )
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_of_one_kind_are_one_with_the_first_place() {
        let mut notices = Notices::default();
        notices.add(NoticeKind::JoinedLines, 2, "a.csv", Some(7));
        let mut later = Notices::default();
        later.add(NoticeKind::JoinedLines, 1, "b.csv", Some(1));
        notices.merge(later);
        let shown: Vec<String> = notices.iter().map(Notice::to_string).collect();
        assert_eq!(shown.len(), 1);
        assert!(shown[0].starts_with("warning: a.csv:7: 3 lines are inside a quoted field"), "{shown:?}");
        assert!(notices.has_warning());
    }
}
