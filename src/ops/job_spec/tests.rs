//! What is read of job files and crontabs, and what is said of those that are wrong.

use std::path::Path;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn refused(text: &str) -> String {
    let check = |words: &[String]| match words[0].as_str() {
        "rank" | "lake" | "rollup" => Ok(()),
        other => Err(format!("there is no command `{other}`")),
    };
    match job_file::read(Path::new("jobs/nightly.toml"), text, "UTC", &check) {
        Ok(job) => panic!("taken: {job:?}"),
        Err(errors) => errors.iter().map(|error| format!("{error}\n")).collect(),
    }
}

fn tab(text: &str) -> Crontab {
    read_crontab(Path::new("/srv/crontab"), text, None, "UTC")
}

/// A crontab's jobs, a line each, then what is wrong, then what is worth a look.
fn check_tab(text: &str, expected: &Expect) {
    let tab = tab(text);
    let jobs = tab.jobs.iter().map(|job| {
        let StepAction::Exec(words) = &job.steps[0].action else {
            panic!("a crontab's command is the shell's")
        };
        let input = job.steps[0].stdin.as_ref().map(|input| format!(" < {input:?}")).unwrap_or_default();
        let schedule = job.schedule.as_deref().unwrap_or_default();
        format!("{}: {schedule} {} {words:?}{input} {:?}", job.line, job.time_zone, job.environment)
    });
    let errors = tab.errors.iter().map(|error| format!("error: {error}"));
    let warnings = tab.warnings.iter().map(|note| format!("note: {note}"));
    expected.assert_eq(&jobs.chain(errors).chain(warnings).map(|line| line + "\n").collect::<String>());
}

#[test]
fn a_job_file_may_say_everything() {
    let text = r#"
        schedule = "30 3 * * *"
        time_zone = "europe/berlin"
        steps = [
            "lake compact --wait",
            "rank --catalog 'two words.csv'",
            { run = "rank --all-items", success_exit_codes = [6, 255] },
            { exec = ["/bin/cp", "a", "b c"] },
            { exec = ["cat"], name = "copy", stdin = "x\ny" },
        ]
        name = "every-night"
        overlap = "kill-old"
        missed = "all"
        deadline = "6h"
        timeout = "3h"
        kill_after = "5s"
        retries = 2
        retry_delay = "1min"
        retry_max_delay = "1h30min"
        jitter = "30s"
        repeatable = true
        working_dir = "work"
        [environment]
        TOPSELL_LAKE = "/srv/lake"
    "#;
    let job = read_file(Path::new("jobs/nightly.toml"), text).unwrap_or_else(|error| panic!("{error}"));
    expect![[r#"
        {
          "name": "every-night",
          "file": "jobs/nightly.toml",
          "line": 2,
          "schedule": "30 3 * * *",
          "time_zone": "Europe/Berlin",
          "steps": [
            {
              "name": "lake compact",
              "action": {
                "topsell": [
                  "lake",
                  "compact",
                  "--wait"
                ]
              },
              "success_exit_codes": [],
              "stdin": null
            },
            {
              "name": "rank",
              "action": {
                "topsell": [
                  "rank",
                  "--catalog",
                  "two words.csv"
                ]
              },
              "success_exit_codes": [],
              "stdin": null
            },
            {
              "name": "rank",
              "action": {
                "topsell": [
                  "rank",
                  "--all-items"
                ]
              },
              "success_exit_codes": [
                6,
                255
              ],
              "stdin": null
            },
            {
              "name": "cp",
              "action": {
                "exec": [
                  "/bin/cp",
                  "a",
                  "b c"
                ]
              },
              "success_exit_codes": [],
              "stdin": null
            },
            {
              "name": "copy",
              "action": {
                "exec": [
                  "cat"
                ]
              },
              "success_exit_codes": [],
              "stdin": "x\ny"
            }
          ],
          "policy": {
            "overlap": "kill-old",
            "missed": "all",
            "deadline_seconds": 21600,
            "timeout_seconds": 10800,
            "kill_after_seconds": 5,
            "retries": 2,
            "retry_delay_seconds": 60,
            "retry_max_delay_seconds": 5400,
            "jitter_seconds": 30,
            "is_repeatable": true
          },
          "environment": {
            "TOPSELL_LAKE": "/srv/lake"
          },
          "working_dir": "jobs/work",
          "owner": null
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&job).expect("a job is JSON"));
}

#[test]
fn a_job_file_need_say_its_steps_alone() {
    let job = read_file(Path::new("hourly.toml"), "steps = [\"rank\"]").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((job.name.as_str(), job.schedule, job.time_zone.as_str()), ("hourly", None, "UTC"));
    assert_eq!((job.policy, job.steps.len(), job.working_dir), (Policy::default(), 1, None));
}

#[test]
fn all_that_is_wrong_is_told_with_its_place() {
    let said = refused(
        r#"
schedule = "0 25 * * *"
time_zone = "Europe/Berln"
steps = ["rank", "rnak", "topsell rank", "rank 'x", "", 5, { run = "rank", exec = ["a"] }, { exec = "cp a b" },
    { exec = [] }, { run = "lake", success_exit_code = [6] }, { run = "lake", success_exit_codes = [256, "x"] }, { name = "x" }, { exec = [""] },
    { run = "rank", accept = [6] }]
overlp = "skip"
overlap = "wait"
missed = 3
deadline = "5m"
timeout = "0s"
retries = -1
jitter = 10
repeatable = "yes"
environment = { "1A" = "x", B = 5 }
xyzzy = 1
folder = "work"
"#,
    );
    expect![[r#"
        jobs/nightly.toml:2:12: invalid schedule `0 25 * * *`: invalid hour `25`: expected 0 to 23
        jobs/nightly.toml:3:13: `Europe/Berln` is not a time zone; pass a name such as Europe/Berlin, or UTC
        jobs/nightly.toml:4:18: step `rnak`: there is no command `rnak`
        jobs/nightly.toml:4:26: step `topsell rank`: omit `topsell`; to run another binary, write exec = ["topsell", …]
        jobs/nightly.toml:4:42: step `rank 'x`: unclosed quote
        jobs/nightly.toml:4:53: step ``: empty command
        jobs/nightly.toml:4:57: a step must be a string, { run = "…" } or { exec = ["…"] }
        jobs/nightly.toml:4:60: a step must have either `run` or `exec`
        jobs/nightly.toml:4:101: `exec` must be a list of strings, such as ["cp", "a", "b"]
        jobs/nightly.toml:5:14: `exec` must start with a program
        jobs/nightly.toml:5:36: unknown key `success_exit_code`; did you mean `success_exit_codes`?
        jobs/nightly.toml:5:101: `success_exit_codes` must be an integer from 0 to 255
        jobs/nightly.toml:5:106: `success_exit_codes` must be an integer from 0 to 255
        jobs/nightly.toml:5:114: a step must have either `run` or `exec`
        jobs/nightly.toml:5:139: `exec` must start with a program
        jobs/nightly.toml:6:21: `accept` has been renamed; write `success_exit_codes`
        jobs/nightly.toml:7:1: unknown key `overlp`; did you mean `overlap`?
        jobs/nightly.toml:8:11: `overlap` must be one of skip, queue, kill-old
        jobs/nightly.toml:9:10: `missed` must be a string; write it in quotes
        jobs/nightly.toml:10:12: `deadline`: `5m`: m may be minutes or months; write min for minutes, and months in days, such as 30d
        jobs/nightly.toml:11:11: `timeout` must be greater than zero; omit it for no timeout
        jobs/nightly.toml:12:11: `retries` must be an integer from 0 to 1000
        jobs/nightly.toml:13:10: `jitter` must be a string; write it in quotes
        jobs/nightly.toml:14:14: `repeatable` must be true or false
        jobs/nightly.toml:15:17: invalid variable name `1A`
        jobs/nightly.toml:15:33: `B` must be a string; write it in quotes
        jobs/nightly.toml:16:1: unknown key `xyzzy`; known keys: schedule, time_zone, steps, name, overlap, missed, deadline, timeout, kill_after, retries, retry_delay, retry_max_delay, jitter, repeatable, working_dir, environment
        jobs/nightly.toml:17:1: `folder` has been renamed; write `working_dir`
    "#]].assert_eq(&said);
}

#[test]
fn files_that_are_no_job_at_all_are_refused() {
    let said = [
        "",
        "schedule = ",
        "steps = []",
        "name = \"a/b\"\nsteps = [\"rank\"]",
        "a = 1\na = 2",
        "[steps]",
        "environment = 1\nsteps = [\"rank\"]\nname = \".x\"",
    ];
    expect![[r#"
        ""
        jobs/nightly.toml:1:1: missing key `steps`; add for example `steps = ["rank"]`
        "schedule = "
        jobs/nightly.toml:1:12: invalid TOML: string values must be quoted, expected literal string
        "steps = []"
        jobs/nightly.toml:1:9: `steps` must be a list of at least one step, such as ["rank"]
        "name = \"a/b\"\nsteps = [\"rank\"]"
        jobs/nightly.toml:1:8: invalid job name `a/b`: use 1 to 64 letters A-Z a-z, digits, -, _ and ., not starting with .
        "a = 1\na = 2"
        jobs/nightly.toml:2:1: invalid TOML: duplicate key
        "[steps]"
        jobs/nightly.toml:1:1: `steps` must be a list of at least one step, such as ["rank"]
        "environment = 1\nsteps = [\"rank\"]\nname = \".x\""
        jobs/nightly.toml:1:15: `environment` must be a table of variables; write `[environment]`
        jobs/nightly.toml:3:8: invalid job name `.x`: use 1 to 64 letters A-Z a-z, digits, -, _ and ., not starting with .
    "#]].assert_eq(&said.map(|text| format!("{text:?}\n{}", refused(text))).concat());
    let unnamed = job_file::read(Path::new("jobs/two words.toml"), "steps = [\"rank\"]", "UTC", &|_| Ok(()));
    let said: Vec<String> = unnamed.expect_err("it has no name").iter().map(ToString::to_string).collect();
    expect!["jobs/two words.toml:1:1: invalid job name `two words`: use 1 to 64 letters A-Z a-z, digits, -, _ and ., not starting with .; this is the file's name, set another with `name`"].assert_eq(&said.concat());
}

#[test]
fn a_crontab_is_read_as_crons_read_it() {
    check_tab(
        "# a comment\n\n  * * * * * date\n\
         PATH = /opt/bin:/bin  \nNAME=\" a b \"\n'ODD'='x\"y'\nEMPTY=\nTZ=America/New_York\n\
         */10 8-18 * * mon-fri   report  --of \"today\"  \n\
         @daily /usr/bin/backup\n\
         CRON_TZ=Europe/Berlin\nSHELL=/bin/bash\n\
         0 3 1 * * date +\\%H:\\%M > x\n\
         0 4 * * * mail -s hi%Dear all,%%100\\% sure\n\
         0 5 * * * cat%\n\
         0 6 * * * a = b\n",
        &expect![[r#"
            3: * * * * * UTC ["/bin/sh", "-c", "date"] {}
            9: */10 8-18 * * mon-fri UTC ["/bin/sh", "-c", "report  --of \"today\""] {"EMPTY": "", "NAME": " a b ", "ODD": "x\"y", "PATH": "/opt/bin:/bin", "TZ": "America/New_York"}
            10: @daily UTC ["/bin/sh", "-c", "/usr/bin/backup"] {"EMPTY": "", "NAME": " a b ", "ODD": "x\"y", "PATH": "/opt/bin:/bin", "TZ": "America/New_York"}
            13: 0 3 1 * * Europe/Berlin ["/bin/bash", "-c", "date +%H:%M > x"] {"EMPTY": "", "NAME": " a b ", "ODD": "x\"y", "PATH": "/opt/bin:/bin", "SHELL": "/bin/bash", "TZ": "America/New_York"}
            14: 0 4 * * * Europe/Berlin ["/bin/bash", "-c", "mail -s hi"] < "Dear all,\n\n100% sure\n" {"EMPTY": "", "NAME": " a b ", "ODD": "x\"y", "PATH": "/opt/bin:/bin", "SHELL": "/bin/bash", "TZ": "America/New_York"}
            15: 0 5 * * * Europe/Berlin ["/bin/bash", "-c", "cat"] < "" {"EMPTY": "", "NAME": " a b ", "ODD": "x\"y", "PATH": "/opt/bin:/bin", "SHELL": "/bin/bash", "TZ": "America/New_York"}
            16: 0 6 * * * Europe/Berlin ["/bin/bash", "-c", "a = b"] {"EMPTY": "", "NAME": " a b ", "ODD": "x\"y", "PATH": "/opt/bin:/bin", "SHELL": "/bin/bash", "TZ": "America/New_York"}
        "#]],
    );
}

#[test]
fn what_a_crontab_cannot_have_is_told_with_its_line() {
    check_tab(
        "MAILTO=root\nRANDOM_DELAY=5\nCRON_TZ=Europe/Nowhere\n* * * * * when\nCRON_TZ=UTC\n@reboot start me\n61 * * * * x\n* * * *\n* * * * *\n\
         @hourly\nnonsense\n@fortnightly x\n1=2\n0 0 30 2 * never\n0 * * * * a\0b\n0 * * * * good\n",
        &expect![[r#"
            16: 0 * * * * UTC ["/bin/sh", "-c", "good"] {"MAILTO": "root", "RANDOM_DELAY": "5"}
            error: /srv/crontab:3:1: CRON_TZ: `Europe/Nowhere` is not a time zone; pass a name such as Europe/Berlin, or UTC
            error: /srv/crontab:7:1: invalid schedule `61 * * * *`: invalid minute `61`: expected 0 to 59
            error: /srv/crontab:8:1: expected a variable, or a schedule of five fields and a command
            error: /srv/crontab:9:1: expected a variable, or a schedule of five fields and a command
            error: /srv/crontab:10:1: expected a variable, or a schedule of five fields and a command
            error: /srv/crontab:11:1: expected a variable, or a schedule of five fields and a command
            error: /srv/crontab:12:1: invalid schedule `@fortnightly`: known macros: @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually
            error: /srv/crontab:13:1: expected a variable, or a schedule of five fields and a command
            error: /srv/crontab:14:1: invalid schedule `0 0 30 2 *`: no date matches
            error: /srv/crontab:15:1: there is a NUL character in it
            note: /srv/crontab:1: MAILTO is not supported: no mail is sent; the end of the output is kept in the run record
            note: /srv/crontab:2: RANDOM_DELAY is not supported: use `jitter` in a job file
            note: /srv/crontab:6: @reboot is not supported; start `start me` together with the scheduler
        "#]],
    );
}

#[test]
fn a_crontabs_jobs_keep_their_names_when_lines_are_put_above() {
    let names = |text: &str| tab(text).jobs.into_iter().map(|job| job.name).collect::<Vec<_>>();
    let before = names("0 * * * * a\n0 * * * * b\n0 * * * * a\n");
    let after = names("MAILTO=x\n@daily c\n0 * * * * a\n# b\n0 * * * *   b\n0 * * * * a\n");
    assert_eq!(before, after[1..]);
    assert_eq!(before.len(), 3);
    assert_eq!(format!("{}-2", before[0]), before[2]);
    assert!(before[0].starts_with("crontab-"), "{before:?}");
    let hidden = read_crontab(Path::new("/home/é/.crontab"), "@daily x", None, "UTC");
    assert!(hidden.jobs[0].name.starts_with("crontab-"), "{:?}", hidden.jobs[0].name);
}

#[test]
fn an_accounts_commands_are_its_own() {
    let owner = Owner { name: "ann".to_owned(), uid: 1000, gid: 100, home: "/home/ann".into() };
    let text = "HOME=/tmp\nLOGNAME=root\nUSER=root\nX=1\n@daily x\n";
    let tab = read_crontab(Path::new("/home/ann/.crontab"), text, Some(&owner), "UTC");
    let job = &tab.jobs[0];
    assert_eq!(
        (job.owner.as_ref(), job.working_dir.as_deref()),
        (Some(&owner), Some(Path::new("/home/ann")))
    );
    assert!(job.name.starts_with("ann-"), "{}", job.name);
    let variables: Vec<String> =
        job.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        variables,
        ["HOME=/tmp", "LOGNAME=ann", "PATH=/usr/bin:/bin", "SHELL=/bin/sh", "USER=ann", "X=1"]
    );
    assert_eq!(tab.warnings.len(), 2, "{:?}", tab.warnings);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_readers_stumble(
        words in prop::collection::vec(
            prop_oneof![
                prop::sample::select(vec![
                    "steps = [", "]", "\"rank\"", "{ run = ", "exec = [\"a\"]", "}", ",", "schedule = ", "\"0 0 * * *\"",
                    "[environment]", "A = \"b\"", "\n", "* * * * * ", "@daily ", "%", "\\%", "'", "\"", "=", "MAILTO=x", "CRON_TZ=",
                    "UTC", "success_exit_codes = [1]", "name = ", "retries = 0x1f", "working_dir = ", "overlap = \"skip\"",
                ]).prop_map(str::to_owned),
                any::<String>(),
            ],
            0..20,
        ),
        glue in prop::sample::select(vec!["", " ", "\n"]),
    ) {
        let text = words.join(glue);
        let _ = job_file::read(Path::new("a.toml"), &text, "UTC", &|_| Ok(()));
        let tab = tab(&text);
        for job in &tab.jobs {
            prop_assert!(!job.steps.is_empty() && job.schedule.is_some());
        }
    }
}
