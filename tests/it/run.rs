//! `topsell run`: one job, alone, to its end or to the end that it is put to.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;

use topsell_ops::job_spec::{Job, JobStep, Policy, StepAction};
use topsell_ops::scheduler::StartMessage;

use crate::processes::{signal, wait_until};
use crate::world::{Said, World};

mod accounts;
mod deaths;
mod instances;

const DUE: &str = "2017-01-15T00:00:00Z";

/// Returns a job of steps that are shell scripts.
fn job(name: &str, scripts: &[&str]) -> Job {
    let step = |script: &&str| exec(&["sh", "-c", script]);
    Job {
        name: name.to_owned(),
        file: format!("jobs/{name}.toml").into(),
        line: 1,
        schedule: None,
        time_zone: "UTC".to_owned(),
        steps: scripts.iter().map(step).collect(),
        policy: Policy { kill_after_seconds: 5, ..Policy::default() },
        environment: [].into(),
        working_dir: None,
        owner: None,
    }
}

fn exec(words: &[&str]) -> JobStep {
    step(words[0], StepAction::Exec(words.iter().map(ToString::to_string).collect()))
}

fn topsell(words: &str) -> JobStep {
    let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
    step(&words[0].clone(), StepAction::Topsell(words))
}

fn step(name: &str, action: StepAction) -> JobStep {
    JobStep { name: name.to_owned(), action, success_exit_codes: Vec::new(), stdin: None }
}

/// Lets a runner go and waits for its end.
fn run(world: &World, job: &Job) -> Said {
    world.run_with(&["run", "--prespawned"], line(job, None).as_bytes())
}

fn line(job: &Job, at: Option<&str>) -> String {
    let go = StartMessage { job: job.clone(), at: at.map(str::to_owned), attempt: 1 };
    go.line().expect("its paths are texts")
}

/// Starts a runner that says what it does, on the machine's own clock, and lets it go.
fn start(world: &World, line: &str) -> Child {
    let mut command = world.command(&["run", "--prespawned", "--verbose"]);
    command.env_remove("TOPSELL_NOW").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program under test can be started");
    let mut gate = child.stdin.take().expect("standard input is a pipe");
    gate.write_all(line.as_bytes()).expect("a runner waits at the gate");
    child
}

fn end(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().expect("the run ends");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn content(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Returns the records of a job's runs, in the order of their names.
fn records(world: &World) -> Vec<Value> {
    world.records("runs").into_iter().filter(|record| record["command"] == "run").collect()
}

fn only(world: &World) -> Value {
    let [record] = &records(world)[..] else { panic!("one run, one record: {:?}", records(world)) };
    record.clone()
}

/// Tells whether a process is there and at work.
fn is_alive(process: &str) -> bool {
    let stat = content(&Path::new("/proc").join(process.trim()).join("stat"));
    let state = stat.rsplit_once(')').map(|(_, rest)| rest.trim_start().chars().next());
    !matches!(state, None | Some(None | Some('Z' | 'X')))
}

#[test]
fn a_job_is_run_as_it_is_written_down() {
    let world = World::new();
    let log = "ts,item_id\n2017-01-14T00:00:00Z,a\n";
    world.write("log.csv", log);
    world.write(
        "jobs/daily.toml",
        "schedule = \"@daily\"\nsteps = [\"ingest log.csv\", { exec = [\"sh\", \"-c\", \"echo $WHO\"] }]\n\
         [environment]\nWHO = \"someone\"\n",
    );
    let said = world.run("run jobs/daily.toml");
    assert_eq!((said.code, said.stdout.as_str()), (Some(0), "someone\n"), "{}", said.whole());
    let record = only(&world);
    assert_eq!((&record["due"]["job"], &record["due"]["at"]), (&"daily".into(), &Value::Null));
    assert_eq!(record["asked"], serde_json::json!(["run", "jobs/daily.toml"]));
    world.write("tab", "WHO=anyone\n0 1 * * * echo $WHO > who\n@hourly cat > what%typed\n");
    let said = world.run("run tab");
    assert_eq!(said.code, Some(2), "{}", said.whole());
    let names = said.stderr.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    for name in &names {
        let said = world.run(&format!("run tab --job {name}"));
        assert_eq!(said.code, Some(0), "{}", said.whole());
    }
    assert_eq!(names.len(), 2, "{}", said.whole());
    assert_eq!([content(&world.path("who")), content(&world.path("what"))], ["anyone\n", "typed\n"]);
}

#[test]
fn what_is_no_job_is_refused_with_its_place() {
    let world = World::new();
    world.write("bad.toml", "steps = [\"rnk\"]\n");
    world.write("bad.tab", "0 1 * * * true\n61 * * * * true\n");
    world.write("empty.tab", "");
    for (words, code, why) in [
        ("run bad.toml", 2, "error: bad.toml:1:"),
        ("run bad.tab", 2, "bad.tab:2:"),
        ("run empty.tab", 2, "empty.tab: the file has no jobs"),
        ("run missing.toml", 1, "missing.toml: No such file or directory"),
    ] {
        let said = world.run(words);
        assert_eq!(said.code, Some(code), "{words}: {}", said.whole());
        assert!(said.stderr.contains(why), "{words}: {}", said.whole());
    }
    assert_eq!(records(&world), [Value::Null; 0]);
}

#[test]
fn without_a_start_message_nothing_is_done() {
    let world = World::new();
    let half = &line(&job("half", &["touch ran"]), None);
    for said in ["", half.trim_end()] {
        let said = world.run_with(&["run", "--prespawned"], said.as_bytes());
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    }
    assert_eq!(world.files("."), [""; 0]);
    let said = world.run_with(&["run", "--prespawned"], b"go\n");
    assert_eq!(said.code, Some(2), "{}", said.whole());
}

#[test]
fn steps_run_in_turn_with_what_they_need_around_them() {
    let world = World::new();
    let mut job = job("turn", &["echo $WHAT >> log; cat >> log", "pwd >> log; echo $TOPSELL_LAKE >> log"]);
    job.environment = [("WHAT".to_owned(), "first".to_owned())].into();
    job.steps[0].stdin = Some("from its input\n".to_owned());
    job.steps.push(exec(&["sh", "-c", "echo said; echo $TRACEPARENT; echo loudly >&2; exit 3"]));
    job.steps[2].success_exit_codes = vec![3];
    let said = run(&world, &job);
    assert_eq!(said.code, Some(0), "{}", said.whole());
    let log = content(&world.path("log")).replace(&world.path(".").display().to_string(), "");
    let world_path = world.path("").display().to_string();
    let world_path = world_path.trim_end_matches('/');
    assert_eq!(log, format!("first\nfrom its input\n{world_path}\n{world_path}/data/lake\n"));
    assert!(said.stdout.starts_with("said\n00-") && said.stderr.contains("loudly\n"), "{}", said.whole());
    let record = only(&world);
    assert_eq!(record["outcome"], "done");
    assert_eq!(record["exit_code"], 0);
    assert_eq!(record["due"]["job"], "turn");
    let tail = record["output_tail"].as_str().expect("it printed");
    assert!(tail.contains("loudly\n") && tail.contains("said\n"), "{tail}");
    let spans = record["spans"].as_array().expect("a run has steps");
    assert_eq!(spans.len(), 3);
    let [trace, span] = [&record["trace_id"], &spans[2]["span_id"]].map(|id| id.as_str().expect("a text"));
    assert!(tail.contains(&format!("00-{trace}-{span}-01\n")), "{tail}");
    assert!(spans.iter().all(|span| span["parent_span_id"] == record["span_id"]));
    assert_eq!(spans[2]["attributes"]["exit_code"], "3");
    assert_eq!(content(&world.path("data/lake/schedule/turn.lock")), "\n", "nobody holds it");
}

#[test]
fn a_trace_that_was_handed_to_it_goes_on_in_its_steps() {
    let world = World::new();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let mut command = world.command(&["run", "--prespawned"]);
    command.env("TRACEPARENT", format!("00-{trace}-00f067aa0ba902b7-01"));
    let said = world.said(&mut command, line(&job("traced", &["echo $TRACEPARENT"]), None).as_bytes());
    assert!(said.stdout.starts_with(&format!("00-{trace}-")), "{}", said.whole());
    assert_eq!(only(&world)["parent_span_id"], "00f067aa0ba902b7");
}

#[test]
fn the_first_step_that_fails_ends_the_run_with_its_exit_code() {
    let world = World::new();
    let said = run(&world, &job("failing", &["true", "echo why >&2; exit 42", "touch later"]));
    assert_eq!(said.code, Some(42), "{}", said.whole());
    assert!(
        said.stderr
            .contains("error: the job failing (jobs/failing.toml:1): step sh failed with exit code 42")
    );
    assert!(!world.path("later").exists());
    let record = only(&world);
    assert_eq!((&record["outcome"], &record["exit_code"]), (&"failed".into(), &42.into()));
    assert_eq!(record["message"], "step sh failed with exit code 42");
    assert_eq!(record["spans"].as_array().map(Vec::len), Some(2));
    assert_eq!(record["output_tail"], "why\n");
    let said = run(&world, &job("signalled", &["kill -9 $$"]));
    assert_eq!(said.code, Some(1), "{}", said.whole());
    assert!(said.stderr.contains("step sh was terminated by signal 9"), "{}", said.whole());
}

#[test]
fn what_cannot_be_started_is_a_step_that_failed() {
    let world = World::new();
    world.write("plain", "no program");
    let mut nowhere = job("nowhere", &["true"]);
    nowhere.working_dir = Some(world.path("gone"));
    let of_words = |name: &str, words: &[&str]| Job { steps: vec![exec(words)], ..job(name, &[]) };
    let missing = of_words("missing", &["no-such-program"]);
    let plain = of_words("plain", &["./plain"]);
    for (job, why) in [
        (missing, "step no-such-program: cannot start `no-such-program`: No such file or directory"),
        (plain, "step ./plain: cannot start `./plain`: Permission denied"),
        (nowhere, "gone does not exist"),
    ] {
        let said = run(&world, &job);
        assert_eq!(said.code, Some(1), "{}", said.whole());
        assert!(said.stderr.contains(why) && said.stderr.contains(&job.name), "{}", said.whole());
    }
    assert!(records(&world).iter().all(|record| record["outcome"] == "failed"));
}

#[test]
fn a_step_that_fails_is_tried_again_as_often_as_it_may() {
    let world = World::new();
    let script = "echo try >> tries; test $(wc -l < tries) -ge 3";
    let mut job = job("again", &[script]);
    job.policy = Policy { retries: 1, retry_delay_seconds: 0, ..job.policy };
    assert_eq!(run(&world, &job).code, Some(1));
    assert_eq!(content(&world.path("tries")).lines().count(), 2);
    let said = run(&world, &job);
    assert_eq!(said.code, Some(0), "{}", said.whole());
    let spans = records(&world).iter().map(|r| r["spans"].as_array().map_or(0, Vec::len)).collect::<Vec<_>>();
    assert_eq!(spans.iter().sum::<usize>(), 3);
}

#[test]
fn waiting_to_try_again_ends_with_a_signal_or_the_time_out() {
    let world = World::new();
    let mut job = job("patient", &["echo try >> tries; false"]);
    job.policy = Policy { retries: 5, retry_delay_seconds: 3_000, ..job.policy };
    let child = start(&world, &line(&job, None));
    wait_until("a first try", || world.path("tries").exists());
    signal(child.id(), Signal::SIGTERM);
    let (code, said) = end(child);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("terminated by signal 15 "), "{said}");
    job.policy.timeout_seconds = Some(1);
    let (code, said) = end(start(&world, &line(&job, None)));
    assert!(code == Some(1) && said.contains("timed out after 1 s before"), "{said}");
    let outcomes: Vec<Value> = records(&world).iter().map(|record| record["outcome"].clone()).collect();
    assert_eq!(outcomes, ["killed", "timed_out"]);
}

#[test]
fn delays_between_tries_double_up_to_the_longest() {
    let world = World::new();
    let mut job = job("slower", &["date +%s.%N >> tries; false"]);
    job.policy = Policy { retries: 3, retry_delay_seconds: 1, retry_max_delay_seconds: 2, ..job.policy };
    let (code, said) = end(start(&world, &line(&job, None)));
    assert_eq!(code, Some(1), "{said}");
    for delay in ["retrying in 1 s (1 of 3)", "retrying in 2 s (2 of 3)", "retrying in 2 s (3 of 3)"] {
        assert!(said.contains(delay), "{said}");
    }
    let tries = content(&world.path("tries"));
    let tries: Vec<f64> = tries.lines().map(|line| line.parse().expect("seconds")).collect();
    let delays: Vec<f64> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(delays.iter().zip([1.0, 2.0, 2.0]).all(|(is, wanted)| *is >= wanted - 0.01), "{delays:?}");
}

#[test]
fn a_run_that_takes_too_long_is_ended_with_all_that_it_started() {
    let world = World::new();
    let script =
        "trap '' TERM; sleep 1000 & echo $! > asleep; sleep 1000 & echo $! >> asleep; wait; wait; sleep 1000";
    let mut job = job("long", &[script]);
    job.policy = Policy { timeout_seconds: Some(1), kill_after_seconds: 1, ..job.policy };
    let (code, said) = end(start(&world, &line(&job, None)));
    assert!(code == Some(1) && said.contains("timed out after 1 s while"), "{said}");
    let asleep = content(&world.path("asleep"));
    assert_eq!(asleep.lines().count(), 2);
    assert!(!asleep.lines().any(is_alive), "{asleep}");
    let record = only(&world);
    assert_eq!(record["outcome"], "timed_out");
    assert_eq!(record["spans"][0]["attributes"]["signal"], "9");
    // One that ends when it is asked is not waited for any longer.
    job.steps = vec![exec(&["sleep", "1000"])];
    job.policy.kill_after_seconds = 1_000;
    let (code, said) = end(start(&world, &line(&job, None)));
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(records(&world)[1]["spans"][0]["attributes"]["signal"], "15");
}

#[test]
fn a_run_that_is_told_to_stop_ends_its_step_and_says_so() {
    let world = World::new();
    for (nth, (signal_to_send, number)) in
        [(Signal::SIGTERM, 15), (Signal::SIGINT, 2), (Signal::SIGHUP, 1)].into_iter().enumerate()
    {
        let child = start(&world, &line(&job("stopped", &["touch on; sleep 1000", "touch later"]), None));
        wait_until("a step", || world.path("on").exists());
        signal(child.id(), signal_to_send);
        let (code, said) = end(child);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(&format!("terminated by signal {number} while step sh was running")), "{said}");
        let record = &records(&world)[nth];
        assert_eq!((&record["outcome"], &record["signal"]), (&"killed".into(), &number.into()));
        std::fs::remove_file(world.path("on")).expect("it is there");
    }
    assert!(!world.path("later").exists());
}

#[test]
fn what_a_step_leaves_behind_is_not_waited_for() {
    let world = World::new();
    // It holds the step's output open, and prints for ever.
    let script = "sh -c 'echo $$ > left; while :; do echo x; sleep 0.01; done' & while ! test -s left; do sleep 0.01; done; echo done";
    let (code, said) = end(start(&world, &line(&job("leaves", &[script]), None)));
    assert_eq!(code, Some(0), "{said}");
    let tail = only(&world)["output_tail"].as_str().map(str::to_owned).expect("it printed");
    assert!(tail.contains("done\n"), "{tail}");
    let left = content(&world.path("left"));
    // Nobody reads what it prints any more, of which it dies, as under any shell that is gone.
    let _ = Command::new("kill").arg(left.trim()).stderr(Stdio::null()).status();
}

#[test]
fn all_that_a_step_prints_comes_through_and_the_last_is_kept() {
    let world = World::new();
    let said = run(&world, &job("loud", &["seq 1 100000", "seq 1 9 >&2"]));
    assert_eq!(said.stdout.lines().count(), 100_000);
    assert!(said.stdout.ends_with("99999\n100000\n"));
    let tail = only(&world)["output_tail"].as_str().map(str::to_owned).expect("it printed");
    assert!(tail.len() <= 4_096 && tail.ends_with("99999\n100000\n1\n2\n3\n4\n5\n6\n7\n8\n9\n"), "{tail}");
}

#[test]
fn a_job_ingests_aggregates_and_ranks() {
    let world = World::new();
    world.write("log.csv", "ts,item_id\n2017-01-14T00:00:00Z,a\n2017-01-14T01:00:00Z,b\n");
    let job =
        Job { steps: vec![topsell("ingest log.csv"), topsell("rank --window 150h")], ..job("rank", &[]) };
    let said = run(&world, &job);
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert_eq!(world.ranking("data/lake").len(), 2);
    let record = only(&world);
    assert!(record["after"]["ranking"].is_string(), "{record}");
    for (span, name) in record["spans"].as_array().expect("a run has steps").iter().zip(["ingest", "rank"]) {
        let all = world.records("runs");
        let of_step = all.iter().find(|record| record["command"] == name).expect("each step has a record");
        assert_eq!(span["name"], name);
        assert_eq!(of_step["trace_id"], record["trace_id"], "one trace");
        assert_eq!(of_step["parent_span_id"], span["span_id"], "{name}");
    }
    // The lake was made by a step, in a folder that had the job's lock in it already.
    assert_eq!(world.run("lake verify").code, Some(0));
}

#[test]
fn quiet_and_verbose_are_handed_on_unless_a_step_says_otherwise() {
    let world = World::new();
    world.write("log.csv", "ts,item_id\n2017-01-14T00:00:00Z,a\n");
    let job = Job { steps: vec![topsell("ingest log.csv"), topsell("rank -v")], ..job("rank", &[]) };
    let said = world.run_with(&["run", "--prespawned", "--quiet"], line(&job, None).as_bytes());
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert!(!said.stderr.contains("log.csv") && said.stderr.contains("rank: 1 category"), "{}", said.whole());
}

#[test]
fn no_name_leads_out_of_the_folder() {
    let world = World::new();
    for name in ["", "../up", "a/b", ".hidden", "leader", "é"] {
        let said = run(&world, &Job { name: name.to_owned(), ..job("x", &["touch ran"]) });
        assert_eq!(said.code, Some(2), "{}", said.whole());
    }
    assert!(!world.path("ran").exists());
}
