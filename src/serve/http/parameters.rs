//! The parameters of a request: the options of the command that it stands for, by the same names.
//!
//! Invariant: a parameter that is not known, or is there twice where one is meant, is an error, so that no request is
//! answered that meant something else.

use url::form_urlencoded;

/// A parameter of a path.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    pub name: &'static str,
    pub kind: ParameterKind,
    /// What it means, for the description of the interface.
    pub about: &'static str,
}

/// How often a parameter may be there, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    Text,
    Texts,
    Number,
    Flag,
}

impl Parameter {
    /// Returns a parameter.
    pub const fn new(name: &'static str, kind: ParameterKind, about: &'static str) -> Parameter {
        Parameter { name, kind, about }
    }
}

/// The parameters of a query string.
#[derive(Debug)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads a query string; its parameters must be among the known ones.
    ///
    /// # Errors
    /// Names the parameter that is not known, and those that are.
    pub fn of(query: Option<&str>, known: &[Parameter]) -> Result<Parameters, String> {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned();
        let pairs: Vec<(String, String)> =
            pairs.map(|(name, value)| (name.replace('-', "_"), value)).collect();
        let names: Vec<&str> = known.iter().map(|of| of.name).collect();
        match pairs.iter().find(|(name, _)| !names.contains(&name.as_str())) {
            Some((name, _)) => Err(format!("unknown parameter `{name}`; known are {}", names.join(", "))),
            None => Ok(Parameters(pairs)),
        }
    }

    /// Returns the values of a parameter, in their order.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(of, _)| of == name).map(|(_, value)| value.clone()).collect()
    }

    /// Returns the value of a parameter that may be there once.
    ///
    /// # Errors
    /// Says that it is there several times.
    pub fn one(&self, name: &str) -> Result<Option<String>, String> {
        let mut values = self.all(name);
        match values.len() {
            0 | 1 => Ok(values.pop()),
            times => Err(format!("the parameter `{name}` is there {times} times; pass it once")),
        }
    }

    /// Returns whether a flag is set: `movers`, `movers=` or `movers=true`.
    ///
    /// # Errors
    /// Names a value that is neither true nor false.
    pub fn flag(&self, name: &str) -> Result<bool, String> {
        match self.one(name)?.as_deref() {
            None | Some("false") => Ok(false),
            Some("" | "true") => Ok(true),
            Some(value) => Err(format!("{name}=`{value}` is neither true nor false")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_or_comes_twice_is_refused() {
        let known = ["item", "last", "by", "event_type"];
        let known = known.map(|name| Parameter::new(name, ParameterKind::Text, ""));
        let of = |query| Parameters::of(Some(query), &known);
        let parameters = of("item=a%20b&item=c%2B&last=24h&event-type=view").expect("all are known");
        assert_eq!(parameters.all("item"), ["a b", "c+"]);
        assert_eq!(parameters.one("last"), Ok(Some("24h".to_owned())));
        assert_eq!(parameters.one("event_type"), Ok(Some("view".to_owned())));
        assert_eq!(parameters.one("by"), Ok(None));
        let error = parameters.one("item").expect_err("there are two");
        assert_eq!(error, "the parameter `item` is there 2 times; pass it once");
        let error = of("lst=24h").expect_err("it is not known");
        assert_eq!(error, "unknown parameter `lst`; known are item, last, by, event_type");
        let flag = |query| of(query).expect("it is known").flag("by");
        assert_eq!(
            (flag("by"), flag("by=true"), flag("by=false"), flag("")),
            (Ok(true), Ok(true), Ok(false), Ok(false))
        );
        assert!(flag("by=maybe").is_err());
    }
}
