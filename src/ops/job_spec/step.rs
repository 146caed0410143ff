//! Steps as a job file has them: words of ours, or a program and its arguments.

use toml::de::{DeTable, DeValue};

use crate::job_spec::file::{Check, Page, Written};
use crate::job_spec::{Does, JobStep};

const KEYS: &[&str] = &["run", "exec", "name", "success_exit_codes", "stdin"];
/// The command whose next word belongs to its name.
const WITH_SECOND_WORD: &str = "lake";
const PROGRAM: &str = "topsell";

/// Returns the steps of a list.
pub(super) fn read_all(page: &mut Page<'_>, value: &Written<'_>, check: Check<'_>) -> Vec<JobStep> {
    match value.get_ref() {
        DeValue::Array(steps) if !steps.is_empty() => {
            steps.iter().filter_map(|step| read(page, step, check)).collect()
        }
        _ => {
            page.fault(value.span(), "`steps` is a list of at least one, such as [\"rank\"]".to_owned());
            Vec::new()
        }
    }
}

fn read(page: &mut Page<'_>, value: &Written<'_>, check: Check<'_>) -> Option<JobStep> {
    match value.get_ref() {
        DeValue::String(_) => {
            let does = run(page, value, check)?;
            Some(JobStep { name: named(&does), does, success_exit_codes: Vec::new(), stdin: None })
        }
        DeValue::Table(table) => described(page, value, table, check),
        _ => {
            page.fault(
                value.span(),
                "a step is a text, or { run = \"…\" }, or { exec = [\"…\"] }".to_owned(),
            );
            None
        }
    }
}

fn described(
    page: &mut Page<'_>,
    value: &Written<'_>,
    table: &DeTable<'_>,
    check: Check<'_>,
) -> Option<JobStep> {
    let (mut does, mut name, mut success_exit_codes, mut stdin) = (Vec::new(), None, Vec::new(), None);
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "run" => does.push(run(page, value, check)),
            "exec" => does.push(exec(page, value)),
            "name" => match page.text("name", value) {
                Some("") => page.fault(value.span(), "`name` is empty".to_owned()),
                text => name = text.map(str::to_owned),
            },
            "success_exit_codes" => success_exit_codes = codes(page, value),
            "stdin" => stdin = page.text("stdin", value).map(str::to_owned),
            unknown => page.unknown(key.span(), unknown, KEYS, "a step"),
        }
    }
    if does.len() != 1 {
        page.fault(value.span(), "a step has either `run` or `exec`".to_owned());
        return None;
    }
    let does = does.pop()??;
    Some(JobStep { name: name.unwrap_or_else(|| named(&does)), does, success_exit_codes, stdin })
}

/// Returns words as a person would type them.
fn run(page: &mut Page<'_>, value: &Written<'_>, check: Check<'_>) -> Option<Does> {
    let text = page.text("run", value)?;
    let checked = match shlex::split(text) {
        None => Err("a quote is not closed".to_owned()),
        Some(words) if words.is_empty() => Err("it is empty".to_owned()),
        Some(words) if words[0] == PROGRAM => {
            Err(format!("leave `{PROGRAM}` out, or say exec = [\"{PROGRAM}\", …] for another one"))
        }
        Some(words) => check(&words).map(|()| words),
    };
    match checked {
        Ok(words) => Some(Does::Topsell(words)),
        Err(what) => {
            page.fault(value.span(), format!("the step `{text}`: {what}"));
            None
        }
    }
}

/// Returns a program and its arguments.
fn exec(page: &mut Page<'_>, value: &Written<'_>) -> Option<Does> {
    let DeValue::Array(words) = value.get_ref() else {
        page.fault(value.span(), "`exec` is a list of words, such as [\"cp\", \"a\", \"b\"]".to_owned());
        return None;
    };
    let words: Option<Vec<String>> =
        words.iter().map(|word| page.text("exec", word).map(str::to_owned)).collect();
    match words? {
        words if words.first().is_some_and(|program| !program.is_empty()) => Some(Does::Exec(words)),
        _ => {
            page.fault(value.span(), "`exec` begins with a program".to_owned());
            None
        }
    }
}

fn codes(page: &mut Page<'_>, value: &Written<'_>) -> Vec<u8> {
    let DeValue::Array(codes) = value.get_ref() else {
        page.fault(value.span(), "`success_exit_codes` is a list of exit codes, such as [6]".to_owned());
        return Vec::new();
    };
    let codes = codes.iter().filter_map(|code| page.number("success_exit_codes", code, 255));
    codes.filter_map(|code| u8::try_from(code).ok()).collect()
}

/// Returns how a step is called that has no name of its own.
pub(super) fn named(does: &Does) -> String {
    match does {
        Does::Topsell(words) => match words.as_slice() {
            [first, second, ..] if first == WITH_SECOND_WORD => format!("{first} {second}"),
            words => words.first().cloned().unwrap_or_default(),
        },
        Does::Exec(words) => {
            let program = words.first().map(String::as_str).unwrap_or_default();
            program.rsplit('/').next().unwrap_or(program).to_owned()
        }
    }
}
