//! Links of the documentation: files, anchors, and the table of contents.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use crate::docs::{pages, repository, text_of};

/// Markdown files besides the book's pages and those beside the README.
const OTHERS: [&str; 2] = ["jobs/README.md", "data/complete-journey/README.md"];

/// Returns the lines of a page outside of code blocks, without inline code, numbered from 1.
fn prose(page: &str) -> Vec<(usize, String)> {
    let mut is_code = false;
    let mut lines = Vec::new();
    for (line, number) in page.lines().zip(1..) {
        if line.starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            let outside = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
            lines.push((number, outside));
        }
    }
    lines
}

/// Returns the targets of all links and images, and the files that mdBook is to include.
fn targets(line: &str) -> Vec<&str> {
    let up_to = |rest: &'static str| move |text: &&str| text.contains(rest);
    let links = line.split("](").skip(1).filter(up_to(")")).filter_map(|rest| rest.split(')').next());
    let included = line.split("{{#include ").skip(1).filter_map(|rest| rest.split("}}").next());
    links.chain(included).collect()
}

/// Returns the anchor of a heading, as GitHub and mdBook derive it.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|&c| c.is_alphanumeric() || c == ' ' || c == '-' || c == '_');
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Returns the anchors of all headings of a page; a repeated one has a number.
fn anchors(page: &str) -> HashSet<String> {
    let mut anchors = HashSet::new();
    let mut is_code = false;
    for line in page.lines() {
        is_code ^= line.starts_with("```");
        let Some(heading) = line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#'))
        else {
            continue;
        };
        if !is_code {
            let first = anchor(heading);
            let numbered = (1..).map(|number| format!("{first}-{number}"));
            let free = std::iter::once(first.clone()).chain(numbered).find(|name| !anchors.contains(name));
            anchors.extend(free);
        }
    }
    anchors
}

/// Returns a path without `.` and `..`.
fn normalized(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(parts.pop()),
            Component::CurDir => {}
            part => parts.push(part),
        }
    }
    parts
}

/// Returns what is wrong with a link of a page, if anything is.
fn broken(page: &Path, target: &str) -> Option<String> {
    if target.starts_with("https://") || target.starts_with("http://") {
        return None;
    }
    let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
    let folder = page.parent().expect("a page is in a folder");
    let file = if path.is_empty() { page.to_path_buf() } else { normalized(&folder.join(path)) };
    if !repository().join(&file).exists() {
        return Some(format!("{}: there is no {}", page.display(), file.display()));
    }
    let has_anchor = || anchors(&text_of(&file)).contains(fragment);
    (!fragment.is_empty() && !has_anchor())
        .then(|| format!("{}: {} has no heading #{fragment}", page.display(), file.display()))
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    for page in pages().into_iter().chain(OTHERS.map(PathBuf::from)) {
        for (number, line) in prose(&text_of(&page)) {
            let broken = targets(&line).into_iter().filter_map(|target| broken(&page, target));
            wrong.extend(broken.map(|what| format!("line {number} of {what}")));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn the_table_of_contents_lists_every_page_once() {
    let summary = text_of(Path::new("docs/src/SUMMARY.md"));
    let mut listed: Vec<PathBuf> =
        summary.lines().flat_map(targets).map(|target| Path::new("docs/src").join(target)).collect();
    listed.sort_unstable();
    let mut pages = pages();
    pages.retain(|page| page.starts_with("docs") && !page.ends_with("SUMMARY.md"));
    assert_eq!(listed, pages);
}

#[test]
fn every_picture_is_shown() {
    let all: String = pages().iter().map(|page| text_of(page)).collect();
    let pictures = std::fs::read_dir(repository().join("docs/src/images")).expect("there are pictures");
    for picture in pictures {
        let name = picture.expect("pictures can be listed").file_name();
        assert!(all.contains(&format!("images/{}", name.display())), "no page shows {}", name.display());
    }
}

#[test]
fn links_that_lead_nowhere_are_found() {
    let page = Path::new("docs/src/guides/batches.md");
    assert_eq!(broken(page, "https://delta.io"), None);
    assert_eq!(broken(page, "#rejects"), None);
    assert_eq!(broken(page, "../../../README.md#documentation"), None);
    let check = |target: &str, expected: &str| assert_eq!(broken(page, target).as_deref(), Some(expected));
    check("#nowhere", "docs/src/guides/batches.md: docs/src/guides/batches.md has no heading #nowhere");
    check("nowhere.md", "docs/src/guides/batches.md: there is no docs/src/guides/nowhere.md");
    assert_eq!(anchor("Score and decay"), "score-and-decay");
    assert_eq!(anchor("`show`"), "show");
    assert_eq!(
        anchors("# A\n## B c\n```\n# no\n```\n## B c\n"),
        ["a", "b-c", "b-c-1"].map(str::to_owned).into()
    );
    assert_eq!(targets("[a](b.md), ![c](d.png) {{#include e.md}}"), ["b.md", "d.png", "e.md"]);
}
