//! The words of public names, help and messages: those of the glossary, and none that the style guide bans.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::docs::cli_reference::all_help;
use crate::docs::{repository, text_of};
use crate::world::World;

/// Crates whose public modules and types are named in terms of the glossary.
const CRATES: [&str; 3] = ["core", "ops", "output"];

/// Words of programming, and of English where they are part of a term.
const ORDINARY: &str = "\
    checksum checksums confirm differing label labels lost problem replaces decimal largest replacement sum example explanation mark outlier profile quoting read account action answer append argument ask assessment bad bit chart delivery dropped encode \
    month overdue container object numbered preset proposal fluent liveness \
    pinned running schema stamp verified block bound bucket builder bulk by byte \
    age cache caller cell change channel check chunk clock color column command compact compaction compare config context copy \
    delta detail dictionary diff directory distributed done draft drop edge encoder end entry escaped error exit external file filter finish \
    footer freshness group handle head heading host identity importance index instance interner json keep key kind \
    known last layout level limit line link list listener listing live load map message metadata mode model moment multi \
    merge merged name new node not note option order outcome output overflow owner pack page parquet parse part partial \
    pattern pin pipeline place plain plan planned policy process program proposal publish query question queue range ranker raw \
    reader reason registry request result retain rewrite rewriter round row rule runner scan scope scratch search selection \
    sender set show side sign signal since size skipped sort source spec start state stats status stdin step stop store \
    stream style summary tail task terminal text threshold timeout transaction tree turn type until update value verification view wait want \
    warning worker writer written";

/// Words that no public name contains; what they were replaced by is in the style guide.
const BANNED_NAMES: &str = "\
    aside bell bury coded desk diary dispute doing door everyone foreign harmless hear inbox intake paper \
    patience pulse recount seek settle shelf spread sums sweep upkeep";

/// Phrases that occur in no help text and no message.
const BANNED_PHRASES: [&str; 21] = [
    "all is well",
    "anew",
    "by whose clocks",
    "comes to",
    "could rank",
    "foreign",
    "from the ground",
    "let go",
    "makes no sense",
    "not at all",
    "put away",
    "rankable",
    "stood in the way",
    "summed",
    "sums",
    "sweep",
    "taken in",
    "tell its",
    "unless given",
    "unless said",
    "whoever",
];

/// A public name and where it is.
struct Name {
    place: String,
    name: String,
}

/// Returns the files of some source folders, by their paths from the repository.
fn sources(folders: &[&str]) -> Vec<PathBuf> {
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| Path::new("src").join(folder)).collect();
    let mut files = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(repository().join(&folder)).expect("the source can be listed") {
            let path = folder.join(entry.expect("the source can be listed").file_name());
            if repository().join(&path).is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test(&path) {
                files.push(path);
            }
        }
    }
    files.sort_unstable();
    files
}

/// Returns whether a file has nothing but tests.
fn is_test(file: &Path) -> bool {
    file.ends_with("tests.rs") || file.iter().any(|part| part == "tests")
}

/// Returns the lines of a file before its tests, with numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines().take_while(|line| line.trim() != "#[cfg(test)]"))
}

/// Returns the names that a file makes public with one of some keywords.
fn public_names(file: &Path, keywords: &[&str]) -> Vec<Name> {
    let text = text_of(file);
    let name_of = |line: &str| {
        let (keyword, rest) = line.trim_start().strip_prefix("pub ")?.split_once(' ')?;
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        keywords.contains(&keyword).then(|| rest[..end].to_owned())
    };
    let names = code(&text).filter_map(|(number, line)| Some((number, name_of(line)?)));
    names.map(|(number, name)| Name { place: format!("{}:{number}", file.display()), name }).collect()
}

/// Returns the words of a name in snake or camel case, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut is_new = true;
    for c in name.chars() {
        if c == '_' {
            is_new = true;
            continue;
        }
        if is_new || c.is_uppercase() {
            words.push(String::new());
        }
        is_new = false;
        words.last_mut().expect("a word was begun").extend(c.to_lowercase());
    }
    words
}

/// Returns a word without the ending of a participle.
fn stem(word: &str) -> &str {
    word.strip_suffix("ed").or_else(|| word.strip_suffix("ing")).unwrap_or(word)
}

/// Returns a word without the ending of a plural.
fn singular(word: &str) -> String {
    match word.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None if word.len() < 4 || word.ends_with("ss") || word.ends_with("us") => word.to_owned(),
        None => word.strip_suffix('s').unwrap_or(word).to_owned(),
    }
}

/// Returns the words of the terms that the glossary defines: what is bold in it.
fn terms() -> BTreeSet<String> {
    let glossary = text_of(Path::new("docs/src/reference/glossary.md"));
    let bold = glossary.split("**").skip(1).step_by(2);
    let words = bold.flat_map(|term| term.split(|c: char| !c.is_alphanumeric())).map(str::to_lowercase);
    words.map(|word| singular(&word)).collect()
}

/// Returns the texts in quotes of a file's code, each with its line.
fn texts(text: &str) -> Vec<(usize, String)> {
    let end = text.find("#[cfg(test)]").unwrap_or(text.len());
    let mut rest = text[..end].chars().peekable();
    let (mut line, mut found) = (1, Vec::new());
    while let Some(c) = rest.next() {
        line += usize::from(c == '\n');
        match c {
            '/' if rest.peek() == Some(&'/') => {
                while rest.peek().is_some_and(|c| *c != '\n') {
                    rest.next();
                }
            }
            '\'' => {
                // A character, not a lifetime: the quote of `'"'` begins no text.
                let after: String = rest.clone().take(3).collect();
                let length = if after.starts_with('\\') { 3 } else { 2 };
                if after.chars().nth(length - 1) == Some('\'') {
                    rest.nth(length - 1);
                }
            }
            '"' => {
                let (begin, mut inside) = (line, String::new());
                while let Some(c) = rest.next().filter(|c| *c != '"') {
                    line += usize::from(c == '\n');
                    inside.push(c);
                    if c == '\\' {
                        inside.extend(rest.next());
                    }
                }
                found.push((begin, inside));
            }
            _ => {}
        }
    }
    found
}

/// Returns the banned phrases of a text.
fn banned(text: &str) -> Vec<&'static str> {
    let text = text.to_lowercase();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let occurs = |phrase: &&str| {
        let stands_alone =
            |at: usize| !text[..at].ends_with(is_word) && !text[at + phrase.len()..].starts_with(is_word);
        text.match_indices(*phrase).any(|(at, _)| stands_alone(at))
    };
    BANNED_PHRASES.into_iter().filter(occurs).collect()
}

#[test]
fn modules_and_public_types_are_named_in_terms_of_the_glossary() {
    let mut known = terms();
    known.extend(ORDINARY.split_whitespace().map(singular));
    let mut unknown: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in sources(&CRATES) {
        let mut keywords = vec!["struct", "enum", "trait", "type"];
        if file.ends_with("lib.rs") {
            keywords.push("mod");
        }
        for Name { place, name } in public_names(&file, &keywords) {
            let is_known = |word: &String| {
                let word = singular(word);
                let stem = stem(&word);
                known.contains(&word) || known.contains(stem) || known.contains(&format!("{stem}e"))
            };
            for word in words(&name).into_iter().filter(|word| !is_known(word)) {
                unknown.entry(word).or_default().push(format!("{name} ({place})"));
            }
        }
    }
    let lines: Vec<String> =
        unknown.into_iter().map(|(word, names)| format!("{word}: {}", names.join(", "))).collect();
    assert!(lines.is_empty(), "neither in the glossary nor ordinary:\n{}", lines.join("\n"));
}

#[test]
fn no_public_name_has_a_banned_word() {
    let banned: BTreeSet<&str> = BANNED_NAMES.split_whitespace().collect();
    let keywords = ["struct", "enum", "trait", "type", "mod", "fn", "const"];
    let files = sources(&[""]);
    let names = files.iter().flat_map(|file| public_names(file, &keywords));
    let wrong = names.filter(|name| words(&name.name).iter().any(|word| banned.contains(word.as_str())));
    let wrong: Vec<String> = wrong.map(|Name { place, name }| format!("{place}: {name}")).collect();
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn no_help_and_no_message_has_a_banned_phrase() {
    let mut wrong = Vec::new();
    for (command, help) in all_help(&World::new(), "") {
        wrong.extend(banned(&help).into_iter().map(|phrase| format!("topsell {command} --help: {phrase}")));
    }
    for file in sources(&[""]) {
        // A word alone is a name: that of a column in older files, for one.
        for (line, text) in texts(&text_of(&file)).into_iter().filter(|(_, text)| text.contains(' ')) {
            let phrases = banned(&text).into_iter();
            wrong.extend(phrases.map(|phrase| format!("{}:{line}: {phrase}: {text}", file.display())));
        }
    }
    assert!(wrong.is_empty(), "words that the style guide bans:\n{}", wrong.join("\n"));
}

#[test]
fn names_and_texts_are_taken_apart() {
    assert_eq!(words("HourAggregate"), ["hour", "aggregate"]);
    assert_eq!(words("run_history"), ["run", "history"]);
    assert_eq!(singular("categories"), "category");
    assert_eq!(singular("status"), "status");
    let found = texts("let a = \"b \\\" c\"; // \"no\"\nlet c = '\"'; f::<'a>(\"d\");\n#[cfg(test)]\n\"e\"");
    assert_eq!(found, [(1, "b \\\" c".to_owned()), (2, "d".to_owned())]);
    assert_eq!(banned("The Sums of sumsets, summed anew"), ["anew", "summed", "sums"]);
}
