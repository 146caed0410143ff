//! Jobs that run as their owner.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::unistd::geteuid;

use topsell_ops::job_spec::{Job, Owner};

use super::{content, job, run};
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
