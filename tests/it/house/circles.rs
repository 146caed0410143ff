//! Which files of a crate take names from which, and where that goes round in a circle.
//!
//! Read as text: `use` declarations and paths in code, up to the file's tests. A name that a module
//! only passes on (`pub use part::Name`) counts for the file that defines it, so that a folder's
//! `mod.rs` may list what its parts offer.

use std::collections::{BTreeMap, BTreeSet};

/// A crate's files by their module paths: `["rank", "score"]` for `rank/score.rs`, none for `lib.rs`.
type Modules<'a> = BTreeMap<Vec<String>, Module<'a>>;

/// One file, as far as circles are concerned.
struct Module<'a> {
    file: &'a str,
    /// Every path that the file names, split at `::`.
    paths: Vec<Vec<String>>,
    /// Names that it passes on or imports, and the path that each stands for.
    aliases: BTreeMap<String, Vec<String>>,
}

/// Returns the circles of files of one crate, each as the sorted names of its files; `files` are names
/// from the crate's folder, and texts.
pub fn circles(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let modules: Modules = files.iter().map(|(file, text)| (module_path(file), module(file, text))).collect();
    let uses: BTreeMap<&str, BTreeSet<&str>> =
        modules.iter().map(|(path, module)| (module.file, used_by(path, module, &modules))).collect();
    let mut found: BTreeSet<Vec<String>> = BTreeSet::new();
    for &file in uses.keys() {
        let of_file = reachable(file, &uses);
        if of_file.contains(file) {
            let circle = of_file.iter().filter(|other| reachable(other, &uses).contains(file));
            found.insert(circle.map(|&other| other.to_owned()).collect());
        }
    }
    found.into_iter().collect()
}

fn module_path(file: &str) -> Vec<String> {
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    let mut path: Vec<String> = stem.split('/').map(str::to_owned).collect();
    if path.last().is_some_and(|last| ["mod", "lib"].contains(&last.as_str())) {
        path.pop();
    }
    path
}

fn module<'a>(file: &'a str, text: &str) -> Module<'a> {
    let code = code_of(text);
    let mut paths = Vec::new();
    let mut aliases = BTreeMap::new();
    let mut rest = code.as_str();
    let mut others = String::new();
    while let Some((before, declaration, after)) = next_use(rest) {
        others.push_str(before);
        let is_passed_on = before.trim_end().ends_with("pub") || before.trim_end().ends_with(')');
        for (path, name) in spelled_out(declaration) {
            if let Some(name) = name {
                aliases.insert(name, path.clone());
            }
            if !is_passed_on {
                paths.push(path);
            }
        }
        rest = after;
    }
    others.push_str(rest);
    paths.extend(paths_in(&others));
    Module { file, paths, aliases }
}

/// Returns a file's lines up to its tests, without comments.
fn code_of(text: &str) -> String {
    let code = text.lines().take_while(|line| !line.trim().starts_with("#[cfg(test)]"));
    let code = code.filter(|line| !line.trim_start().starts_with("//"));
    code.map(|line| line.split(" // ").next().unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// Returns the first `use` declaration of a text, and what stands before and behind it.
fn next_use(code: &str) -> Option<(&str, &str, &str)> {
    let at = code.match_indices("use ").map(|(at, _)| at).find(|&at| {
        let line = code[..at].rsplit('\n').next().unwrap_or_default().trim();
        line.is_empty() || line == "pub" || (line.starts_with("pub(") && line.ends_with(')'))
    })?;
    let end = at + code[at..].find(';')?;
    Some((&code[..at], &code[at + "use ".len()..end], &code[end + 1..]))
}

/// Returns each path of a `use` declaration, and the name by which it is known afterwards.
fn spelled_out(declaration: &str) -> Vec<(Vec<String>, Option<String>)> {
    let declaration = declaration.trim();
    if let Some((start, inner)) = declaration.split_once('{') {
        let inner = inner.strip_suffix('}').unwrap_or(inner);
        let parts = split_at_commas(inner).into_iter().flat_map(spelled_out);
        let start: Vec<String> = segments(start.trim_end_matches("::"));
        return parts
            .map(|(path, name)| {
                let is_self = path == ["self"];
                let path = if is_self { start.clone() } else { [start.clone(), path].concat() };
                let name = if is_self { path.last().cloned() } else { name };
                (path, name)
            })
            .collect();
    }
    let (path, name) = match declaration.split_once(" as ") {
        Some((path, name)) => (segments(path), Some(name.trim().to_owned())),
        None => (segments(declaration), segments(declaration).pop()),
    };
    if path.is_empty() { Vec::new() } else { vec![(path, name)] }
}

fn split_at_commas(text: &str) -> Vec<&str> {
    let mut depth = 0;
    let is_end = |c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    };
    text.split(is_end).map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn segments(path: &str) -> Vec<String> {
    path.split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Returns every path of two names or more in code.
fn paths_in(code: &str) -> Vec<Vec<String>> {
    let words = code.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
    words.filter(|word| word.contains("::")).map(segments).filter(|path| path.len() > 1).collect()
}

/// Returns the other files whose names a file takes.
fn used_by<'a>(path: &[String], module: &Module<'a>, modules: &Modules<'a>) -> BTreeSet<&'a str> {
    let found = module.paths.iter().filter_map(|named| definer(path, named, modules, 0));
    found.filter(|file| *file != module.file).collect()
}

/// Returns the file that defines what a path means in a module; none where that is no file of the crate.
fn definer<'a>(from: &[String], named: &[String], modules: &Modules<'a>, depth: usize) -> Option<&'a str> {
    let mut at: Vec<String> = match named.first()?.as_str() {
        "crate" => Vec::new(),
        "self" | "super" => from.to_vec(),
        first if modules.contains_key(&[from, &[first.to_owned()]].concat()) => from.to_vec(),
        first => {
            // What was imported or is passed on, if it is a path of this crate.
            let meant = modules.get(from)?.aliases.get(first)?;
            if depth > 8 || meant.first().is_some_and(|start| start == first) {
                return None;
            }
            let whole = [meant.as_slice(), &named[1..]].concat();
            return definer(from, &whole, modules, depth + 1);
        }
    };
    for (place, name) in named.iter().enumerate() {
        match name.as_str() {
            "crate" | "self" => {}
            "super" => drop(at.pop()),
            name => {
                let below = [at.as_slice(), &[name.to_owned()]].concat();
                if modules.contains_key(&below) {
                    at = below;
                    continue;
                }
                let module = modules.get(&at)?;
                let Some(meant) = module.aliases.get(name).filter(|_| depth < 8 && at != from) else {
                    return Some(module.file);
                };
                let whole = [meant.as_slice(), &named[place + 1..]].concat();
                return definer(&at, &whole, modules, depth + 1);
            }
        }
    }
    // A module as a whole: whoever names it, names things in it elsewhere.
    None
}

fn reachable<'a>(from: &str, uses: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<&str> = uses.get(from).into_iter().flatten().copied().collect();
    while let Some(file) = open.pop() {
        if seen.insert(file) {
            open.extend(uses.get(file).into_iter().flatten());
        }
    }
    seen
}

#[test]
fn a_circle_is_found_through_what_a_folder_passes_on_and_a_list_of_parts_is_none() {
    let check =
        |files: &[(&str, &str)], expected: &[&[&str]]| assert_eq!(circles(files), expected, "{files:?}");
    let listed = [
        ("lib.rs", "pub mod rank;\n"),
        ("rank/mod.rs", "mod a;\nmod b;\npub use a::{A, f};\npub use b::B;\n"),
        ("rank/a.rs", "pub struct A;\n"),
        ("rank/b.rs", "use crate::rank::A;\n"),
    ];
    check(&listed, &[]);
    let mut both = listed;
    both[2].1 = "use crate::rank::B;\n";
    check(&both, &[&["rank/a.rs", "rank/b.rs"]]);
    let mut in_tests = listed;
    in_tests[2].1 = "#[cfg(test)]\nmod tests { use crate::rank::B; }\n";
    check(&in_tests, &[]);
    let mut through_the_list = listed;
    through_the_list[1].1 = "mod a;\nmod b;\npub struct Shared;\nfn f() { a::run() }\npub use b::B;\n";
    through_the_list[2].1 = "use super::Shared;\n";
    through_the_list[3].1 = "";
    check(&through_the_list, &[&["rank/a.rs", "rank/mod.rs"]]);
    let inline = [("lib.rs", ""), ("x.rs", "fn f() -> crate::y::Y {}\n"), ("y.rs", "use crate::{x::g};\n")];
    check(&inline, &[&["x.rs", "y.rs"]]);
}
