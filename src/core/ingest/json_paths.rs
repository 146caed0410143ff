//! Values of a JSON record by paths: `order.id`, `items[].sku`, `log.item.id`.
//!
//! A path goes through objects, and through strings that contain JSON. `[]` goes through the elements of an
//! array; an object in its place is its only element. A key that literally has the name of a path, or of
//! the rest of one, wins.
//!
//! Invariant: all paths with `[]` go through the same arrays, so that a record has one row for each
//! element of the innermost one.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The JSON text of each path's value, by the path's number; none where it is missing or null.
pub(super) type Row<'a> = Vec<Option<Cow<'a, str>>>;

/// The rows of a record.
pub(super) struct Rows<'a> {
    /// What is outside of arrays.
    pub root: Row<'a>,
    /// One without arrays, else one for each element.
    pub items: Vec<Row<'a>>,
}

/// The maximum number of rows of a record.
const MAX_ROWS: usize = 100_000;

/// The paths of a record.
#[derive(Debug, Default)]
pub(super) struct JsonPaths {
    root: Node,
    count: usize,
}

/// What is looked for in a value.
#[derive(Debug, Default)]
struct Node {
    /// The paths that end here.
    slots: Vec<Slot>,
    children: Vec<(String, Node)>,
    element: Option<Box<Node>>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    path: usize,
    /// By how many keys it was reached: the fewest win, a literal key is one.
    steps: usize,
}

/// What was found in one value and around it.
#[derive(Clone)]
struct Found<'n, 'a> {
    row: Row<'a>,
    /// For each path, by how many keys its value was reached.
    steps: Vec<usize>,
    elements: Option<(&'n Node, Vec<Cow<'a, str>>)>,
}

/// Which paths were there, also with null.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    keys: Vec<bool>,
    /// Whether an array of the paths was there, and whether one had an element.
    has_array: bool,
    has_element: bool,
}

impl Seen {
    /// Adds what was there in another record.
    pub fn merge(&mut self, other: &Seen) {
        self.keys.resize(other.keys.len(), false);
        self.keys.iter_mut().zip(&other.keys).for_each(|(key, other)| *key |= other);
        self.has_array |= other.has_array;
        self.has_element |= other.has_element;
    }

    /// Returns whether a path was there; those below an array that was always empty were, too.
    pub fn has(&self, path: usize, is_in_array: bool) -> bool {
        self.keys.get(path) == Some(&true) || (is_in_array && self.has_array && !self.has_element)
    }
}

/// A path's own part in front of its last `[]`; none where it has none.
fn array_of(path: &str) -> Option<&str> {
    path.rfind("[]").map(|at| &path[..at])
}

impl JsonPaths {
    /// Returns whether a name is a path.
    pub fn is_path(name: &str) -> bool {
        name.contains('.') || name.contains("[]")
    }

    /// Returns whether a path goes through an array.
    pub fn is_in_array(name: &str) -> bool {
        name.contains("[]")
    }

    /// Returns the given paths.
    ///
    /// # Errors
    /// Says which paths go through different arrays, or are malformed.
    pub fn of(names: &[String]) -> Result<JsonPaths, String> {
        let arrays = names.iter().filter_map(|name| array_of(name));
        let Some(innermost) = arrays.max_by_key(|array| array.len()) else {
            return Ok(JsonPaths::with(names));
        };
        for name in names {
            let Some(array) = array_of(name) else { continue };
            let is_above =
                innermost.strip_prefix(array).is_some_and(|rest| rest.is_empty() || rest.starts_with("[]"));
            if !is_above {
                return Err(format!(
                    "`{name}` is not in the array `{innermost}[]`; the fields of an event can be in one array only"
                ));
            }
        }
        Ok(JsonPaths::with(names))
    }

    fn with(names: &[String]) -> JsonPaths {
        let mut paths = JsonPaths { root: Node::default(), count: names.len() };
        for (path, name) in names.iter().enumerate() {
            paths.root.insert(name, path, 0);
        }
        paths
    }

    /// Returns whether a path goes through an array.
    pub fn has_arrays(&self) -> bool {
        self.root.has_array()
    }

    /// Returns the rows of a record.
    ///
    /// # Errors
    /// Says what is wrong with the record.
    pub fn rows<'a>(&self, record: &'a str, seen: &mut Seen) -> Result<Rows<'a>, serde_json::Error> {
        seen.keys.resize(self.count, false);
        let mut found =
            Found { row: vec![None; self.count], steps: vec![usize::MAX; self.count], elements: None };
        found.walk(&self.root, record, seen)?;
        let root = found.row.clone();
        let mut items = Vec::new();
        expand(&self.root, found, &mut items, seen)?;
        Ok(Rows { root, items })
    }
}

impl Node {
    /// Inserts a path, of which `steps` keys were above: as one literal key, and as a key and the rest.
    fn insert(&mut self, path: &str, slot: usize, steps: usize) {
        let steps = steps + 1;
        self.child(path).slots.push(Slot { path: slot, steps });
        let end = path.find(['.', '[']).unwrap_or(path.len());
        let (key, mut rest) = path.split_at(end);
        if rest.is_empty() {
            return;
        }
        let mut node = if key.is_empty() { self } else { self.child(key) };
        while let Some(after) = rest.strip_prefix("[]") {
            node = node.element.get_or_insert_default();
            rest = after;
        }
        match rest.strip_prefix('.') {
            Some(rest) if !rest.is_empty() => node.insert(rest, slot, steps),
            // Any other rest is no step: the path is a literal key alone.
            _ if rest.is_empty() => node.slots.push(Slot { path: slot, steps }),
            _ => {}
        }
    }

    fn child(&mut self, key: &str) -> &mut Node {
        let at = self.children.iter().position(|(known, _)| known == key).unwrap_or_else(|| {
            self.children.push((key.to_owned(), Node::default()));
            self.children.len() - 1
        });
        &mut self.children[at].1
    }

    /// Returns whether an array is to be gone through here or below.
    fn has_array(&self) -> bool {
        self.element.is_some() || self.children.iter().any(|(_, child)| child.has_array())
    }
}

/// Adds the rows of the value of a node, with what was found in it and around it.
fn expand<'n, 'a>(
    node: &'n Node,
    mut found: Found<'n, 'a>,
    rows: &mut Vec<Row<'a>>,
    seen: &mut Seen,
) -> Result<(), serde_json::Error> {
    let Some((element, values)) = found.elements.take() else {
        if !node.has_array() {
            rows.push(found.row);
        }
        return Ok(());
    };
    seen.has_array = true;
    for value in values {
        seen.has_element = true;
        if rows.len() >= MAX_ROWS {
            return Err(serde_json::Error::custom(format_args!("it has more than {MAX_ROWS} items")));
        }
        match value {
            Cow::Borrowed(value) => {
                let mut inner = found.clone();
                inner.walk(element, value, seen)?;
                expand(element, inner, rows, seen)?;
            }
            Cow::Owned(value) => {
                let mut owned = Vec::new();
                let mut inner = found.clone();
                inner.walk(element, &value, seen)?;
                expand(element, inner, &mut owned, seen)?;
                rows.extend(owned.into_iter().map(owned_row));
            }
        }
    }
    Ok(())
}

fn owned_row<'a>(row: Row<'_>) -> Row<'a> {
    row.into_iter().map(|value| value.map(owned_text)).collect()
}

fn owned_text<'a>(text: Cow<'_, str>) -> Cow<'a, str> {
    Cow::Owned(text.into_owned())
}

impl<'n, 'a> Found<'n, 'a> {
    fn walk(&mut self, node: &'n Node, raw: &'a str, seen: &mut Seen) -> Result<(), serde_json::Error> {
        for &Slot { path, steps } in &node.slots {
            seen.keys[path] = true;
            if steps < self.steps[path] {
                self.row[path] = (raw != "null").then_some(Cow::Borrowed(raw));
                self.steps[path] = steps;
            }
        }
        self.below(node, raw, seen)
    }

    /// Takes what is below a value.
    fn below(&mut self, node: &'n Node, raw: &'a str, seen: &mut Seen) -> Result<(), serde_json::Error> {
        let is_looked_into = !node.children.is_empty() || node.element.is_some();
        match raw.as_bytes().first() {
            Some(b'"') if is_looked_into => return self.in_text(node, raw, seen),
            Some(b'{') if !node.children.is_empty() => {
                let mut parser = serde_json::Deserializer::from_str(raw);
                let members = parser.deserialize_map(Members(node))?;
                parser.end()?;
                for (child, value) in members {
                    self.walk(child, value.get(), seen)?;
                }
            }
            _ => {}
        }
        let Some(element) = &node.element else { return Ok(()) };
        let values = match raw.as_bytes().first() {
            Some(b'[') => {
                let values: Vec<&'a RawValue> = serde_json::from_str(raw)?;
                values.into_iter().map(|value| Cow::Borrowed(value.get())).collect()
            }
            Some(b'{') => vec![Cow::Borrowed(raw)],
            _ => return Ok(()),
        };
        self.elements.get_or_insert((element, values));
        Ok(())
    }

    /// Takes what is in a string that contains JSON.
    fn in_text(&mut self, node: &'n Node, raw: &'a str, seen: &mut Seen) -> Result<(), serde_json::Error> {
        let text: String = serde_json::from_str(raw)?;
        if !text.trim_start().starts_with(['{', '[']) {
            return Ok(());
        }
        // A text that only looks like JSON has no values.
        let Ok(inner) = serde_json::from_str::<&RawValue>(&text) else { return Ok(()) };
        let mut found = self.clone();
        found.below(node, inner.get(), seen)?;
        let Found { row, steps, elements } = found;
        let own = |values: Vec<Cow<'_, str>>| values.into_iter().map(owned_text).collect();
        (self.row, self.steps) = (owned_row(row), steps);
        self.elements = elements.map(|(node, values)| (node, own(values)));
        Ok(())
    }
}

/// Deserializes the members of an object that are looked for, and ignores others.
struct Members<'n>(&'n Node);

impl<'n, 'a> Visitor<'a> for Members<'n> {
    type Value = Vec<(&'n Node, &'a RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let children = &self.0.children;
        let mut found = Vec::new();
        let mut is_found = vec![false; children.len()];
        while let Some(key) = map.next_key_seed(ChildOf(self.0))? {
            let Some(key) = key else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if std::mem::replace(&mut is_found[key], true) {
                return Err(M::Error::custom(format_args!("duplicate field `{}`", children[key].0)));
            }
            found.push((&children[key].1, map.next_value()?));
        }
        Ok(found)
    }
}

/// Deserializes a key as the number of a child.
struct ChildOf<'n>(&'n Node);

impl<'de> DeserializeSeed<'de> for ChildOf<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Option<usize>, D::Error> {
        key.deserialize_identifier(self)
    }
}

impl Visitor<'_> for ChildOf<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Option<usize>, E> {
        Ok(self.0.children.iter().position(|(name, _)| name == key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &str, record: &str, expected: &[&str]) {
        let names: Vec<String> = names.split(' ').map(str::to_owned).collect();
        let paths = JsonPaths::of(&names).expect("the paths fit");
        let rows = paths.rows(record, &mut Seen::default()).map_err(|error| error.to_string());
        let shown = |row: Row<'_>| {
            row.iter().map(|value| value.as_deref().unwrap_or("-")).collect::<Vec<_>>().join(" ")
        };
        let rows: Vec<String> = rows.expect("the record is valid").items.into_iter().map(shown).collect();
        assert_eq!(rows, expected, "{names:?} in {record}");
    }

    #[test]
    fn paths_go_through_objects_and_texts() {
        check("a", r#"{"a":1}"#, &["1"]);
        check("a.b c", r#"{"a":{"b":"x"},"c":null}"#, &["\"x\" -"]);
        check("a.b", r#"{"a":{"b":1},"a.b":2}"#, &["2"]);
        check("a.b", r#"{"a.b":2,"a":{"b":1}}"#, &["2"]);
        check("a.b.c", r#"{"a":{"b.c":1}}"#, &["1"]);
        check("a.b", r#"{"a":"{\"b\": 1}\n"}"#, &["1"]);
        check("a.b", r#"{"a":"x {"}"#, &["-"]);
        check("a.b a", r#"{"a":"{"}"#, &[r#"- "{""#]);
        check(".a a. a..b", r#"{".a":1,"a.":2,"a..b":3}"#, &["1 2 3"]);
    }

    #[test]
    fn arrays_give_a_row_for_each_element() {
        check("t i[].a", r#"{"i":[{"a":1},{"a":2},{}],"t":9}"#, &["9 1", "9 2", "9 -"]);
        check("i[].a t", r#"{"i":[],"t":9}"#, &[]);
        check("i[].a t", r#"{"t":9}"#, &[]);
        check("i[].a", r#"{"i":{"a":1}}"#, &["1"]);
        check("i[]", r#"{"i":["x","y"]}"#, &[r#""x""#, r#""y""#]);
        check("o[].t o[].i[].a", r#"{"o":[{"t":1,"i":[{"a":2},{"a":3}]},{"t":4,"i":[]}]}"#, &["1 2", "1 3"]);
        check("i[].a t", r#"{"t":9,"i":"[{\"a\":1},{\"a\":2}]"}"#, &["1 9", "2 9"]);
        check("p.i[].a p.t", r#"{"p":{"i":[{"a":{"b":1}}],"t":9}}"#, &[r#"{"b":1} 9"#]);
        check("i[].a.b", r#"{"i":[{"a":{"b":1}},{"a.b":2}]}"#, &["1", "2"]);
        check("i[].a", r#"{"i[].a":7,"i":[{"a":1},{"a":2}]}"#, &["7", "7"]);
        check("i[][]", r#"{"i":[[1,2],[3]]}"#, &["1", "2", "3"]);
    }

    #[test]
    fn paths_through_different_arrays_are_refused() {
        let of =
            |names: &[&str]| JsonPaths::of(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert!(of(&["a[].x", "b[].y"]).is_err());
        assert!(of(&["a[].x", "ab[].y"]).is_err());
        assert!(of(&["a[].x", "a[].b[].y", "c"]).is_ok());
        assert!(of(&["a[].x[]", "a[].b[].y"]).is_err());
    }

    #[test]
    fn what_was_there_is_told() {
        let names = ["i[].a".to_owned(), "t".to_owned()];
        let paths = JsonPaths::of(&names).expect("the paths fit");
        let mut seen = Seen::default();
        paths.rows(r#"{"i":[]}"#, &mut seen).expect("the record is valid");
        assert_eq!((seen.has(0, true), seen.has(1, false)), (true, false));
        paths.rows(r#"{"i":[{"b":1}],"t":null}"#, &mut seen).expect("the record is valid");
        assert_eq!((seen.has(0, true), seen.has(1, false)), (false, true));
        paths.rows(r#"{"i":[{"a":null}]}"#, &mut seen).expect("the record is valid");
        assert!(seen.has(0, true));
    }
}
