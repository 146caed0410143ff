//! Jobs that run as their owner.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use nix::unistd::geteuid;

use topsell_ops::job_spec::{Job, Owner};

use super::{content, is_alive, job, run};
use crate::world::World;

/// The account that is nobody's, as `/etc/passwd` has it.
fn nobody() -> Option<Owner> {
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = accounts.lines().find(|line| line.starts_with("nobody:"))?.to_owned();
    let fields: Vec<&str> = line.split(':').collect();
    let (uid, gid) = (fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?);
    Some(Owner { name: "nobody".to_owned(), uid, gid, home: "/".into() })
}

fn permit(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("a file's permissions can be set");
}

fn of(owner: &Owner, script: &str) -> Job {
    Job { owner: Some(owner.clone()), ..job("owned", &[script]) }
}

#[test]
fn a_job_runs_as_its_owner_or_not_at_all() {
    let Some(owner) = nobody() else { return };
    let world = World::new();
    if !geteuid().is_root() {
        let said = run(&world, &of(&owner, "id"));
        assert!(said.stderr.contains("only root can run commands as nobody"), "{}", said.whole());
        return;
    }
    world.write("secret", "only root's\n");
    permit(&world.path("secret"), 0o600);
    let secret = world.path("secret").display().to_string();
    let script = format!(
        "id -u; id -g; id -G; pwd; echo $HOME $LOGNAME $USER $PATH $TOPSELL_NOW; echo $MINE; cat {secret}"
    );
    let mut job = of(&owner, &script);
    job.environment = [("MINE", "a=b c"), ("LOGNAME", "root"), ("LD_PRELOAD", "/no/such/library")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let said = run(&world, &job);
    let (uid, gid) = (owner.uid, owner.gid);
    let expected = format!("{uid}\n{gid}\n{gid}\n/\n/ nobody nobody /usr/bin:/bin\na=b c\n");
    assert_eq!(said.stdout, expected, "{}", said.whole());
    assert!(said.code == Some(1) && said.stderr.contains("ermission denied"), "{}", said.whole());
    // The library is asked for where the account has been changed, and never before.
    assert!(!said.stderr.contains("setpriv"), "{}", said.whole());
}

#[test]
fn an_owners_path_does_not_say_what_root_runs() {
    let Some(owner) = nobody().filter(|_| geteuid().is_root()) else { return };
    let world = World::new();
    for name in ["setpriv", "env"] {
        world.write(name, format!("#!/bin/sh\nid -u > {}\n", world.path("caught").display()));
        permit(&world.path(name), 0o755);
    }
    let mut job = of(&owner, "true");
    job.environment = [("PATH".to_owned(), format!("{}:/usr/bin:/bin", world.path("").display()))].into();
    let said = run(&world, &job);
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert_eq!(content(&world.path("caught")), "");
}

#[test]
fn a_job_of_another_account_has_a_session_of_its_own_and_what_it_prints_is_escaped() {
    let Some(owner) = nobody().filter(|_| geteuid().is_root()) else { return };
    let world = World::new();
    // The number of its session, that of its terminal, and its own.
    let script =
        "cut -d' ' -f5,6,7 /proc/$$/stat; echo $$; printf '\\033[2Jred\\r\\n'; printf '\\033]0;x\\007' >&2";
    let said = run(&world, &of(&owner, script));
    assert_eq!(said.code, Some(0), "{}", said.whole());
    let lines: Vec<&str> = said.stdout.lines().collect();
    let [numbers, own, red] = lines[..] else { panic!("{}", said.whole()) };
    assert_eq!(numbers, format!("{own} {own} 0"), "the leader of a group and a session without a terminal");
    assert_eq!(red, "\\u{1b}[2Jred\\r");
    assert!(said.stderr.contains("\\u{1b}]0;x\\u{7}"), "{}", said.whole());
}

#[test]
fn a_job_of_another_account_is_terminated_with_all_that_it_started() {
    let Some(owner) = nobody().filter(|_| geteuid().is_root()) else { return };
    let world = World::new();
    let mut job = of(&owner, "sleep 300 & echo $!; exec sleep 300");
    job.policy.timeout_seconds = Some(1);
    let said = run(&world, &job);
    assert_eq!(said.code, Some(1), "{}", said.whole());
    let process = said.stdout.trim();
    assert!(!is_alive(process), "{process}: {}", said.whole());
}

#[test]
fn what_a_job_of_another_account_printed_is_for_that_account() {
    let Some(owner) = nobody().filter(|_| geteuid().is_root()) else { return };
    let world = World::new();
    let said = run(&world, &of(&owner, "echo private"));
    assert_eq!(said.code, Some(0), "{}", said.whole());
    let [name] = &world.files("data/lake/runs")[..] else { panic!("one run, one record") };
    let meta = std::fs::metadata(world.path("data/lake/runs").join(name)).expect("it is there");
    assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o777), (0, owner.gid, 0o640));
    // The archive of the day has what others cannot read, so that it is for root. The last run stays outside.
    assert_eq!(run(&world, &of(&owner, "echo private again")).code, Some(0));
    world.write("log.csv", "ts,item_id\n2017-01-14T12:00:00Z,a\n");
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    let pruned = world.run("--now 2017-01-19T00:00:00Z lake prune --yes");
    assert_eq!(pruned.code, Some(0), "{}", pruned.whole());
    let files = world.files("data/lake/runs");
    let archives: Vec<&String> = files.iter().filter(|name| name.ends_with(".parquet")).collect();
    assert_eq!(archives.len(), 1, "{files:?}");
    for archive in archives {
        let meta = std::fs::metadata(world.path("data/lake/runs").join(archive)).expect("it is there");
        assert_eq!(meta.mode() & 0o077, 0, "{archive}");
    }
}
