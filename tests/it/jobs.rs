//! The scheduled jobs, run as cron runs them.

use std::path::Path;
use std::process::{Command, Output};

use crate::world::{NOW, World};

#[test]
fn the_jobs_rank_and_rebuild_and_say_where_a_lake_is_missing() {
    let world = World::new();
    world.write("log.csv", "ts,item_id\n2017-01-14T00:00:00Z,a\n");
    assert_eq!(world.run("--lake lake ingest log.csv").code, Some(0));
    for job in ["hourly", "nightly"] {
        let done = run(&world, job, Some("lake"));
        assert!(done.status.success(), "{job}: {}", String::from_utf8_lossy(&done.stderr));
        let unsaid = run(&world, job, None);
        assert!(!unsaid.status.success(), "{job} needs to be told where the lake is");
        let said = String::from_utf8_lossy(&unsaid.stderr).into_owned();
        assert!(said.contains("say where the lake is"), "{job}: {said}");
    }
    assert_eq!(world.ranking("lake").len(), 1);
}

fn run(world: &World, job: &str, lake: Option<&str>) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_topsell"));
    let folder = program.parent().expect("a program lies in a folder");
    let mut command = Command::new("sh");
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs").join(job))
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
        .env("TOPSELL_NOW", NOW)
        .current_dir(world.path("."));
    command.envs(lake.map(|lake| ("TOPSELL_LAKE", lake)));
    command.output().expect("a shell can be started")
}

/// Returns the calls of the program in a job or a unit, without what stands before them.
fn calls(text: &str, before: &[&str]) -> Vec<String> {
    let call = |line: &str| before.iter().find_map(|before| line.strip_prefix(before)).map(str::to_owned);
    text.lines().filter_map(call).collect()
}

#[test]
fn the_units_run_what_the_jobs_run() {
    let jobs = Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs");
    let read = |name: String| std::fs::read_to_string(jobs.join(name)).expect("a job can be read");
    for job in ["hourly", "nightly"] {
        let of_job = calls(&read(job.to_owned()), &["exec topsell ", "topsell "]);
        let service = read(format!("systemd/topsell-{job}.service"));
        assert!(!of_job.is_empty());
        assert_eq!(calls(&service, &["ExecStart=@BINDIR@/topsell "]), of_job, "{job}");
        assert!(read(format!("systemd/topsell-{job}.timer")).contains("OnCalendar="), "{job}");
    }
}

#[test]
fn what_is_installed_is_what_is_uninstalled() {
    let world = World::new();
    let make = |target: &str| {
        let mut make = Command::new("make");
        make.args(["-C", env!("CARGO_MANIFEST_DIR"), target, "PREFIX=/usr", "SYSTEMD=1"])
            .arg(format!("PROGRAM={}", env!("CARGO_BIN_EXE_topsell")))
            .arg(format!("DESTDIR={}", world.path("root").display()));
        let done = make.output().expect("there is a make");
        assert!(done.status.success(), "{target}: {}", String::from_utf8_lossy(&done.stderr));
    };
    make("install");
    let files = world.files("root/usr");
    for file in [
        "bin/topsell",
        "lib/systemd/system/topsell-hourly.timer",
        "share/bash-completion/completions/topsell",
        "share/fish/vendor_completions.d/topsell.fish",
        "share/man/man1/topsell-rank.1",
        "share/zsh/site-functions/_topsell",
    ] {
        assert!(files.iter().any(|installed| installed == file), "{file} is not among {files:?}");
    }
    let unit = world.path("root/usr/lib/systemd/system/topsell-hourly.service");
    let unit = std::fs::read_to_string(unit).expect("a unit was installed");
    assert!(unit.contains("ExecStart=/usr/bin/topsell rank\n") && !unit.contains("@BINDIR@"), "{unit}");
    make("uninstall");
    assert_eq!(world.files("root"), [""; 0]);
}
