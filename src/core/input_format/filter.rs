//! The filter of records, `where`: comparisons of columns with constants, and nothing else.
//!
//! ```text
//! filter     = term { "or" term }
//! term       = factor { "and" factor }
//! factor     = "(" filter ")" | "not" factor | column test
//! test       = ("=" | "!=" | "<" | "<=" | ">" | ">=") value
//!            | ["not"] "in" "(" value { "," value } ")"
//!            | "is" ["not"] "null"
//! column     = words | "…"        as in: Financial Status, "a=b"
//! value      = words | '…'
//! ```
//!
//! A missing value compares as the empty text, but is no number. Two values that are both numbers are
//! compared as numbers, else as text, byte by byte; keywords may be in capitals.

use std::cmp::Ordering;

use crate::model::Amount;

/// The maximum number of nested parentheses and `not`.
const MAX_DEPTH: usize = 32;

/// A filter of records.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// The names of the columns that are compared.
    columns: Vec<String>,
    root: Node,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Compare(usize, Operator, String),
    In(usize, Vec<String>),
    IsNull(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Filter {
    /// Parses a filter.
    ///
    /// # Errors
    /// Says what was expected, and where.
    pub fn parse(text: &str) -> Result<Filter, String> {
        let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0, columns: Vec::new() };
        let root = parser.filter()?;
        match parser.tokens.get(parser.at) {
            None => Ok(Filter { columns: parser.columns, root }),
            Some(token) => Err(format!("expected `and`, `or` or the end, not `{}`", token.shown())),
        }
    }

    /// Returns the names of the columns that are compared.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Returns whether a record passes, by the values of its columns, in the order of [`Filter::columns`].
    pub fn passes<'a>(&self, value: &dyn Fn(usize) -> Option<&'a str>) -> bool {
        self.root.passes(value)
    }
}

impl Node {
    fn passes<'a>(&self, value: &dyn Fn(usize) -> Option<&'a str>) -> bool {
        let text = |column: usize| value(column).map_or("", str::trim);
        match self {
            Node::And(nodes) => nodes.iter().all(|node| node.passes(value)),
            Node::Or(nodes) => nodes.iter().any(|node| node.passes(value)),
            Node::Not(node) => !node.passes(value),
            Node::IsNull(column) => text(*column).is_empty(),
            Node::In(column, values) => {
                values.iter().any(|value| compare(text(*column), value) == Ordering::Equal)
            }
            Node::Compare(column, operator, constant) => {
                let order = compare(text(*column), constant);
                match operator {
                    Operator::Equal => order == Ordering::Equal,
                    Operator::NotEqual => order != Ordering::Equal,
                    Operator::Less => order == Ordering::Less,
                    Operator::LessOrEqual => order != Ordering::Greater,
                    Operator::Greater => order == Ordering::Greater,
                    Operator::GreaterOrEqual => order != Ordering::Less,
                }
            }
        }
    }
}

fn compare(value: &str, constant: &str) -> Ordering {
    match (Amount::parse(value), Amount::parse(constant)) {
        (Ok(value), Ok(constant)) => value.cmp(&constant),
        _ => value.cmp(constant),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// Words without quotes, one at a time.
    Word(String),
    /// A text in quotes.
    Quoted(String),
    Symbol(&'static str),
}

impl Token {
    fn shown(&self) -> &str {
        match self {
            Token::Word(text) | Token::Quoted(text) => text,
            Token::Symbol(symbol) => symbol,
        }
    }

    fn is_word(&self, keyword: &str) -> bool {
        matches!(self, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}

const SYMBOLS: [&str; 10] = ["!=", "<>", "<=", ">=", "=", "<", ">", "(", ")", ","];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            (Token::Symbol(symbol), symbol.len())
        } else if first == '"' || first == '\'' {
            let end = rest[1..].find(first).ok_or_else(|| format!("{first} is never closed"))? + 1;
            (Token::Quoted(rest[1..end].to_owned()), end + 1)
        } else {
            let is_end = |c: char| c.is_whitespace() || "!<>=(),\"'".contains(c);
            // A lone `!` is part of no symbol.
            let end = rest[first.len_utf8()..].find(is_end).map_or(rest.len(), |at| at + first.len_utf8());
            (Token::Word(rest[..end].to_owned()), end)
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    columns: Vec<String>,
}

impl Parser {
    fn filter(&mut self) -> Result<Node, String> {
        let mut terms = vec![self.term()?];
        while self.takes_word("or") {
            terms.push(self.term()?);
        }
        Ok(if terms.len() == 1 { terms.remove(0) } else { Node::Or(terms) })
    }

    fn term(&mut self) -> Result<Node, String> {
        let mut factors = vec![self.factor()?];
        while self.takes_word("and") {
            factors.push(self.factor()?);
        }
        Ok(if factors.len() == 1 { factors.remove(0) } else { Node::And(factors) })
    }

    fn factor(&mut self) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} nested parentheses"));
        }
        let node = if self.takes_symbol("(") {
            let node = self.filter()?;
            self.expect_symbol(")")?;
            node
        } else if self.takes_word("not") {
            Node::Not(Box::new(self.factor()?))
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn comparison(&mut self) -> Result<Node, String> {
        let column = self.column()?;
        if self.takes_word("is") {
            let is_negated = self.takes_word("not");
            return match self.takes_word("null") {
                true => Ok(negated(is_negated, Node::IsNull(column))),
                false => Err("expected `null` after `is`".to_owned()),
            };
        }
        let is_negated = self.takes_word("not");
        if self.takes_word("in") {
            self.expect_symbol("(")?;
            let mut values = vec![self.value()?];
            while self.takes_symbol(",") {
                values.push(self.value()?);
            }
            self.expect_symbol(")")?;
            return Ok(negated(is_negated, Node::In(column, values)));
        }
        if is_negated {
            return Err("expected `in` after `not`".to_owned());
        }
        const OPERATORS: [(&str, Operator); 7] = [
            ("=", Operator::Equal),
            ("!=", Operator::NotEqual),
            ("<>", Operator::NotEqual),
            ("<", Operator::Less),
            ("<=", Operator::LessOrEqual),
            (">", Operator::Greater),
            (">=", Operator::GreaterOrEqual),
        ];
        let operator = OPERATORS.iter().find(|(symbol, _)| self.takes_symbol(symbol));
        let (_, operator) = operator.ok_or_else(|| {
            format!("expected a comparison after `{}`: = != < <= > >= in (…) is null", self.columns[column])
        })?;
        Ok(Node::Compare(column, *operator, self.value()?))
    }

    /// Reads a column's name: a text in quotes, or all words up to a comparison.
    fn column(&mut self) -> Result<usize, String> {
        let name = match self.tokens.get(self.at) {
            Some(Token::Quoted(name)) => {
                self.at += 1;
                name.clone()
            }
            _ => self.words(&["in", "not", "is"])?,
        };
        let known = self.columns.iter().position(|column| *column == name);
        Ok(known.unwrap_or_else(|| {
            self.columns.push(name);
            self.columns.len() - 1
        }))
    }

    fn value(&mut self) -> Result<String, String> {
        match self.tokens.get(self.at) {
            Some(Token::Quoted(value)) => {
                self.at += 1;
                Ok(value.clone())
            }
            _ => self.words(&["and", "or"]),
        }
    }

    /// Reads words up to one of these, or to a symbol.
    fn words(&mut self, until: &[&str]) -> Result<String, String> {
        let mut words: Vec<&str> = Vec::new();
        while let Some(token @ Token::Word(word)) = self.tokens.get(self.at) {
            if !words.is_empty() && until.iter().any(|keyword| token.is_word(keyword)) {
                break;
            }
            words.push(word);
            self.at += 1;
        }
        match (words.is_empty(), self.tokens.get(self.at)) {
            (false, _) => Ok(words.join(" ")),
            (true, Some(token)) => Err(format!("expected a name or a value, not `{}`", token.shown())),
            (true, None) => Err("expected a name or a value at the end".to_owned()),
        }
    }

    fn takes_word(&mut self, keyword: &str) -> bool {
        self.takes(|token| token.is_word(keyword))
    }

    fn takes_symbol(&mut self, symbol: &str) -> bool {
        self.takes(|token| {
            *token == Token::Symbol(SYMBOLS.iter().find(|known| **known == symbol).unwrap_or(&""))
        })
    }

    fn takes(&mut self, is_wanted: impl Fn(&Token) -> bool) -> bool {
        let is_there = self.tokens.get(self.at).is_some_and(is_wanted);
        self.at += usize::from(is_there);
        is_there
    }

    fn expect_symbol(&mut self, symbol: &str) -> Result<(), String> {
        if self.takes_symbol(symbol) {
            return Ok(());
        }
        let found = self.tokens.get(self.at).map_or("the end", Token::shown);
        Err(format!("expected `{symbol}`, not `{found}`"))
    }
}

fn negated(is_negated: bool, node: Node) -> Node {
    if is_negated { Node::Not(Box::new(node)) } else { node }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(filter: &str, record: &[(&str, &str)], expected: Result<bool, &str>) {
        let got = Filter::parse(filter).map(|filter| {
            let columns = filter.columns().to_vec();
            let value =
                |at: usize| record.iter().find(|(name, _)| *name == columns[at]).map(|(_, value)| *value);
            filter.passes(&value)
        });
        assert_eq!(got, expected.map_err(str::to_owned), "{filter}");
    }

    #[test]
    fn filters_compare_columns_with_constants() {
        let record = [("Financial Status", "paid"), ("n", "10"), ("s", " x "), ("e", "")];
        for (filter, passes) in [
            ("Financial Status in (paid, partially_refunded)", true),
            ("Financial Status not in (paid, partially_refunded)", false),
            ("\"Financial Status\" = 'paid'", true),
            ("Financial Status != paid AND n > 9", false),
            ("Financial Status = paid AND n > 9", true),
            ("n > 9.5", true),
            ("n < 9", false),
            ("n = 10.00", true),
            ("n <> 10", false),
            ("s = x", true),
            ("e is null and nothing is null", true),
            ("e is not null or s is not null", true),
            ("not (e is null)", false),
            ("n >= 10 and (e = z or s <= x)", true),
            ("n=10", true),
        ] {
            check(filter, &record, Ok(passes));
        }
    }

    #[test]
    fn errors_say_what_was_expected() {
        for (filter, error) in [
            ("", "expected a name or a value at the end"),
            ("a", "expected a comparison after `a`: = != < <= > >= in (…) is null"),
            ("a = b c = d", "expected `and`, `or` or the end, not `=`"),
            ("a in b", "expected `(`, not `b`"),
            ("a in (b", "expected `)`, not `the end`"),
            ("a is b", "expected `null` after `is`"),
            ("a not b", "expected `in` after `not`"),
            ("'a", "' is never closed"),
            ("= b", "expected a name or a value, not `=`"),
        ] {
            check(filter, &[], Err(error));
        }
        check(&"(".repeat(99), &[], Err("more than 32 nested parentheses"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_filter_or_an_error(text in "[ab !=<>(),'\"é]{0,30}|(a|in|not|is|null|and|or|=|\\(|\\)| ){0,30}") {
            let _ = Filter::parse(&text);
        }
    }
}
