//! The jobs that come with the program, and whoever may start them.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::world::World;

const JOBS: [&str; 2] = ["hourly", "nightly"];

/// Returns the text of a file of `jobs/`.
fn text_of(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Puts a job that comes with the program into a world, as an installed one is, and returns its path.
pub fn job_file(world: &World, job: &str) -> String {
    let name = format!("jobs/{job}.toml");
    world.write(&name, text_of(&format!("{job}.toml")));
    let mode = Permissions::from_mode(0o644);
    std::fs::set_permissions(world.path(&name), mode).expect("whose file it is may say who writes it");
    name
}

#[test]
fn the_jobs_rank_and_rebuild_and_fail_where_a_lake_is_missing() {
    let world = World::new();
    world.write("log.csv", "ts,item_id\n2017-01-14T01:00:00Z,a\n");
    assert_eq!(world.run("--lake lake ingest log.csv").code, Some(0));
    for job in JOBS {
        let file = job_file(&world, job);
        let done = world.run(&format!("--lake lake run {file}"));
        assert_eq!(done.code, Some(0), "{job}: {}", done.whole());
    }
    // The hourly one would try again in a minute.
    let none = world.run("--lake none run jobs/nightly.toml");
    assert_eq!(none.code, Some(1), "{}", none.whole());
    assert!(none.stderr.contains("there is no lake in WORLD/none"), "{}", none.whole());
    assert_eq!(world.ranking("lake").len(), 1);
    let page = std::fs::read_to_string(world.path("lake/report.html")).expect("the nightly job draws a page");
    assert!(page.starts_with("<!doctype html>") || page.starts_with("<!DOCTYPE html>"), "{page:.40}");
    let file = job_file(&world, "hourly");
    let done = world.run_in(&[("TOPSELL_METRICS_FILE", "topsell.prom")], &format!("--lake lake run {file}"));
    assert_eq!(done.code, Some(0), "{}", done.whole());
    let metrics = std::fs::read_to_string(world.path("topsell.prom")).expect("a job leaves metrics");
    for sample in [
        "last_run_failed{command=\"run\",job=\"hourly\"} 0",
        "last_run_failed{command=\"run\",job=\"nightly\"} 0",
        "last_run_differing_hours{command=\"rollup\",job=\"\"} 0",
    ] {
        assert!(metrics.contains(&format!("\ntopsell_{sample}\n")), "{sample}: {metrics}");
    }
    let health = world.run("--lake lake health --max-age 1h --max-lag 1d");
    assert_eq!(health.code, Some(0), "{}", health.whole());
    assert_eq!(world.run("--lake lake ingest log.csv").code, Some(0), "with the page it is still a lake");
}

#[test]
fn without_sales_for_a_day_the_jobs_fail_and_say_so() {
    let world = World::new();
    world.write("log.csv", "ts,item_id\n2017-01-13T22:00:00Z,a\n");
    assert_eq!(world.run("--lake lake ingest log.csv").code, Some(0));
    let file = job_file(&world, "nightly");
    let said = world.run(&format!("--lake lake run {file}"));
    assert_eq!(said.code, Some(7), "{}", said.whole());
    assert!(said.stderr.contains("the newest hour of sales ended 2017-01-13T23:00:00Z"), "{}", said.whole());
    let health = world.run("--lake lake health");
    assert_eq!(health.code, Some(1), "{}", health.whole());
    assert!(
        health.stdout.contains("job nightly, started") && health.stdout.contains("rank, started"),
        "{}",
        health.stdout
    );
}

#[test]
fn whoever_starts_the_jobs_starts_the_same_jobs_at_the_same_times() {
    let (cluster, crontab) = (text_of("kubernetes/cronjob.yaml"), text_of("crontab"));
    for (job, schedule, cron, timer) in [
        ("hourly", "@hourly", "0 * * * *", "hourly"),
        ("nightly", "30 3 * * *", "30 3 * * *", "*-*-* 03:30 UTC"),
    ] {
        assert!(text_of(&format!("{job}.toml")).contains(&format!("\nschedule = \"{schedule}\"\n")), "{job}");
        let service = text_of(&format!("systemd/topsell-{job}.service"));
        assert!(
            service.contains(&format!("\nExecStart=@BINDIR@/topsell run @JOBDIR@/{job}.toml\n")),
            "{service}"
        );
        let times = text_of(&format!("systemd/topsell-{job}.timer"));
        assert!(times.contains(&format!("\nOnCalendar={timer}\n")), "{times}");
        assert!(times.contains("\nPersistent=true\n"), "{times}");
        let line = crontab.lines().find(|line| line.ends_with(&format!("/{job}.toml")));
        assert!(line.is_some_and(|line| line.starts_with(cron) && line.contains(" run ")), "{crontab}");
        let of_job = cluster.split("\n---\n").find(|part| part.contains(&format!("name: topsell-{job}\n")));
        let of_job = of_job.unwrap_or_else(|| panic!("{job} is not among the cluster's: {cluster}"));
        for words in [format!("schedule: \"{cron}\""), format!("args: [run, /jobs/{job}.toml]")] {
            assert!(of_job.contains(&words), "{words}: {of_job}");
        }
        assert!(of_job.contains("concurrencyPolicy: Forbid"), "{of_job}");
    }
}

#[test]
fn the_jobs_and_the_crontab_are_well_written() {
    let world = World::new();
    JOBS.into_iter().for_each(|job| drop(job_file(&world, job)));
    world.write("crontab", text_of("crontab"));
    let mode = Permissions::from_mode(0o644);
    std::fs::set_permissions(world.path("crontab"), mode).expect("whose file it is may say who writes it");
    let said = world.run("schedule --check --jobs jobs --crontab crontab");
    assert_eq!(said.code, Some(0), "{}", said.whole());
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
        "lib/systemd/system/topsell-schedule.service",
        "lib/systemd/system/topsell-serve.service",
        "lib/systemd/system/topsell-spool.path",
        "lib/sysusers.d/topsell.conf",
        "lib/tmpfiles.d/topsell.conf",
        "share/bash-completion/completions/topsell",
        "share/fish/vendor_completions.d/topsell.fish",
        "share/man/man1/topsell-rank.1",
        "share/topsell/jobs/hourly.toml",
        "share/topsell/jobs/nightly.toml",
        "share/zsh/site-functions/_topsell",
    ] {
        assert!(files.iter().any(|installed| installed == file), "{file} is not among {files:?}");
    }
    let unit = world.path("root/usr/lib/systemd/system/topsell-hourly.service");
    let unit = std::fs::read_to_string(unit).expect("a unit was installed");
    let call = "ExecStart=/usr/bin/topsell run /usr/share/topsell/jobs/hourly.toml\n";
    assert!(unit.contains(call) && !unit.contains("DIR@"), "{unit}");
    make("uninstall");
    assert_eq!(world.files("root"), [""; 0]);
}
