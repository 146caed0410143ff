//! Who may read and who may write, by tokens in a file.
//!
//! ```text
//! # a line for each token
//! read  6f1c…
//! write 0a9e…
//! ```
//!
//! Invariant: comparing takes as long whatever is compared, and no message shows a token.

/// The shortest token.
const MIN_BYTES: usize = 16;

/// What a request wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

/// The tokens of a file.
#[derive(Clone, Default)]
pub struct Tokens {
    read: Vec<String>,
    write: Vec<String>,
}

/// A file of tokens that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("line {line}: is not `read TOKEN` or `write TOKEN`")]
    Form { line: usize },
    #[error("line {line}: the token has fewer than {MIN_BYTES} characters")]
    Short { line: usize },
    #[error("has no token")]
    None,
}

impl Tokens {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// Names the line that is wrong.
    pub fn parse(text: &str) -> Result<Tokens, TokenError> {
        let mut tokens = Tokens::default();
        for (line, text) in (1..).zip(text.lines()) {
            let words: Vec<&str> = text.split_whitespace().collect();
            let (of, token) = match words[..] {
                [] => continue,
                [first, ..] if first.starts_with('#') => continue,
                ["read", token] => (&mut tokens.read, token),
                ["write", token] => (&mut tokens.write, token),
                _ => return Err(TokenError::Form { line }),
            };
            if token.len() < MIN_BYTES {
                return Err(TokenError::Short { line });
            }
            of.push(token.to_owned());
        }
        match tokens.read.is_empty() && tokens.write.is_empty() {
            true => Err(TokenError::None),
            false => Ok(tokens),
        }
    }

    /// Returns whether the value of an `Authorization` header permits something; a token to write permits reading,
    /// too.
    pub fn permit(&self, access: Access, authorization: Option<&str>) -> bool {
        let Some((scheme, token)) = authorization.and_then(|value| value.split_once(' ')) else {
            return false;
        };
        if !scheme.eq_ignore_ascii_case("bearer") {
            return false;
        }
        let readers = self.read.iter().filter(|_| access == Access::Read);
        // All of them are compared, so that the time does not tell which one nearly was it.
        self.write.iter().chain(readers).fold(false, |found, known| found | is_same(known, token.trim()))
    }
}

fn is_same(known: &str, given: &str) -> bool {
    let differing = known.bytes().zip(given.bytes()).fold(0, |differing, (a, b)| differing | (a ^ b));
    std::hint::black_box(differing) == 0 && known.len() == given.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_permits_what_its_line_says() {
        let tokens =
            Tokens::parse("# shop\nread 0123456789abcdef\n\nwrite fedcba9876543210\n").expect("a file");
        let check = |access, authorization: Option<&str>, expected| {
            assert_eq!(tokens.permit(access, authorization), expected, "{access:?} {authorization:?}");
        };
        check(Access::Read, Some("Bearer 0123456789abcdef"), true);
        check(Access::Write, Some("Bearer 0123456789abcdef"), false);
        check(Access::Read, Some("Bearer fedcba9876543210"), true);
        check(Access::Write, Some("Bearer fedcba9876543210"), true);
        for wrong in
            [None, Some(""), Some("Bearer "), Some("0123456789abcdef"), Some("Bearer 0123456789abcdeg")]
        {
            check(Access::Read, wrong, false);
        }
        check(Access::Read, Some("Bearer 0123456789abcdef0"), false);
    }

    #[test]
    fn a_file_that_permits_nothing_or_something_else_is_refused() {
        let check = |text: &str, expected| assert_eq!(Tokens::parse(text).err(), Some(expected), "{text}");
        check("", TokenError::None);
        check("# none yet\n", TokenError::None);
        check("read 0123456789abcdef\nadmin x\n", TokenError::Form { line: 2 });
        check("read short\n", TokenError::Short { line: 1 });
        check("read a b\n", TokenError::Form { line: 1 });
    }
}
