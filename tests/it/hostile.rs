//! Other accounts of the machine that can write where `topsell` reads or writes: what they cannot do.
//!
//! What one account shows is tested with links and pipes. What needs two accounts runs as root, the other
//! account being nobody's; without root, each such test says on stderr that it was not run.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::process::{Command, Output};

use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};

use topsell_ops::job_spec::Sources;
use topsell_ops::scheduler::JobRegistry;

use crate::faults::disk::{Faults, Manner};
use crate::shippers::purchase;
use crate::shippers::spool::ingest_spool;
use crate::world::World;

const SECRET: &str = "root:$6$never:19000:0:99999:7:::\n";
const SPOOL: &str = "ingest --min-age 0s --spool spool --format ndjson";

/// Returns a world into which every account may write, with a file that none but its owner may read.
fn shared_world() -> World {
    let world = World::new();
    world.write("private/shadow", SECRET);
    world.write("victim", "precious\n");
    for (path, mode) in [("", 0o777), ("private", 0o700), ("private/shadow", 0o600), ("victim", 0o644)] {
        permit(&world, path, mode);
    }
    world
}

fn permit(world: &World, path: &str, mode: u32) {
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(world.path(path), permissions).expect("it is ours");
}

fn link(world: &World, target: &str, name: &str) {
    symlink(world.path(target), world.path(name)).expect("a link can be made");
}

fn pipe(world: &World, name: &str) {
    mkfifo(&world.path(name), Mode::from_bits_retain(0o666)).expect("a pipe can be made");
}

fn read(world: &World, name: &str) -> String {
    std::fs::read_to_string(world.path(name)).expect("it is there")
}

/// Returns the files of the lake that contain a part of the secret.
fn leaks(world: &World) -> Vec<String> {
    let mut names = world.files("data/lake");
    names.retain(|name| {
        let bytes = std::fs::read(world.path("data/lake").join(name)).expect("a file can be read");
        String::from_utf8_lossy(&bytes).contains("$6$never")
    });
    names
}

/// Runs a shell command as nobody in the world's folder; none without root, which is said.
fn as_nobody(world: &World, script: &str) -> Option<Output> {
    if !geteuid().is_root() {
        // Past the test harness, which keeps what a test prints.
        let _ =
            writeln!(std::io::stderr(), "NOT TESTED without root: what another account can do by `{script}`");
        return None;
    }
    let setpriv = ["--reuid=65534", "--regid=65534", "--clear-groups", "--", "sh", "-c", script];
    let output = Command::new("setpriv").args(setpriv).current_dir(world.path("")).output();
    Some(output.expect("setpriv, of util-linux, is installed"))
}

#[test]
fn a_link_in_a_spool_folder_is_not_read() {
    let world = shared_world();
    world.write("spool/good.ndjson", purchase("a"));
    link(&world, "private/shadow", "spool/shadow.ndjson");
    let said = world.run(SPOOL);
    assert_eq!(said.code, Some(4), "{}", said.whole());
    let told = "failed: spool/shadow.ndjson: cannot be read: it is a symbolic link; put the file itself here";
    assert!(said.stderr.contains(told), "{}", said.whole());
    assert_eq!(world.files("spool"), ["done/good.ndjson", "failed/shadow.ndjson"]);
    assert_eq!(read(&world, "private/shadow"), SECRET);
    assert_eq!(leaks(&world), [""; 0]);
}

#[test]
fn a_file_that_becomes_a_link_or_a_pipe_before_it_is_opened_is_not_read_nor_waited_for() {
    for is_link in [true, false] {
        let world = shared_world();
        world.write("spool/a.ndjson", purchase("a"));
        let never = Faults::after(i64::MAX, Manner::Undone);
        let summary = ingest_spool(&world, &never, || {
            std::fs::remove_file(world.path("spool/a.ndjson")).expect("it is there");
            match is_link {
                true => link(&world, "private/shadow", "spool/a.ndjson"),
                false => pipe(&world, "spool/a.ndjson"),
            }
        });
        assert_eq!(summary.expect("the lake is fine").accepted, 0);
        assert_eq!((leaks(&world), read(&world, "private/shadow").as_str()), (Vec::new(), SECRET));
    }
}

#[test]
fn a_file_with_another_link_in_a_folder_of_others_is_not_read() {
    let world = shared_world();
    world.write("spool/a.ndjson", purchase("a"));
    permit(&world, "spool", 0o777);
    std::fs::hard_link(world.path("private/shadow"), world.path("spool/b.ndjson"))
        .expect("a link can be made");
    let said = world.run(SPOOL);
    assert!(
        said.stderr.contains("spool/b.ndjson: cannot be read: it has another hard link"),
        "{}",
        said.whole()
    );
    assert_eq!(leaks(&world), [""; 0]);
}

#[test]
fn done_and_failed_lead_nowhere_else() {
    for name in ["done", "failed"] {
        let world = shared_world();
        std::fs::create_dir(world.path("elsewhere")).expect("a folder can be made");
        world.write("spool/a.ndjson", purchase("a"));
        link(&world, "private/shadow", "spool/b.ndjson");
        link(&world, "elsewhere", &format!("spool/{name}"));
        let said = world.run(SPOOL);
        assert_eq!(said.code, Some(1), "{}", said.whole());
        let told = format!("cannot be moved to {name}: it is not a directory; links are not followed");
        assert!(said.stderr.contains(&told), "{}", said.whole());
        assert_eq!(world.files("elsewhere"), [""; 0]);
    }
    let world = shared_world();
    world.write("spool/a.ndjson", purchase("a"));
    pipe(&world, "spool/done");
    assert_eq!(world.run(SPOOL).code, Some(1), "and it does not wait for a writer");
    assert_eq!(world.files("spool"), ["a.ndjson", "done"]);
}

#[test]
fn the_name_of_a_lock_writes_to_no_other_file() {
    for make in [link, |world: &World, _: &str, name: &str| pipe(world, name)] {
        let world = shared_world();
        world.write("log.ndjson", purchase("a"));
        assert_eq!(world.run("ingest log.ndjson").code, Some(0));
        let locks: Vec<String> = world.files("data/lake");
        let locks: Vec<&String> = locks.iter().filter(|name| name.ends_with(".lock")).collect();
        assert!(!locks.is_empty(), "an ingest takes a lock");
        for lock in locks {
            std::fs::remove_file(world.path("data/lake").join(lock)).expect("it is there");
            make(&world, "victim", &format!("data/lake/{lock}"));
        }
        make(&world, "victim", "data/lake/maintenance.lock");
        world.write("next.ndjson", purchase("b"));
        for call in ["ingest next.ndjson", "rollup"] {
            let said = world.run(call);
            assert_eq!(said.code, Some(1), "{}", said.whole());
            assert!(
                said.stderr.contains(".lock: is not a") || said.stderr.contains(".lock: is a"),
                "{}",
                said.whole()
            );
        }
        assert_eq!(read(&world, "victim"), "precious\n");
    }
}

#[test]
fn rejects_are_not_appended_to_the_target_of_a_link() {
    let world = shared_world();
    world.write("bad.ndjson", "nonsense\n");
    assert_eq!(world.run("ingest bad.ndjson").code, Some(4));
    let rejects = world.files("data/lake/rejects");
    for name in &rejects {
        let name = format!("data/lake/rejects/{name}");
        std::fs::remove_file(world.path(&name)).expect("it is there");
        link(&world, "victim", &name);
    }
    assert!(!rejects.is_empty());
    world.write("worse.ndjson", "more nonsense\n");
    world.run("ingest worse.ndjson");
    assert_eq!(read(&world, "victim"), "precious\n");
}

#[test]
fn another_account_can_neither_take_a_lock_nor_choose_what_is_overwritten() {
    let world = shared_world();
    world.write("log.ndjson", purchase("a"));
    assert_eq!(world.run("ingest log.ndjson").code, Some(0));
    assert_eq!(world.run("rank --window 365d").code, Some(0));
    // Analysts may read it.
    permit(&world, "data/lake", 0o755);
    let locks: Vec<String> = world.files("data/lake");
    let locks: Vec<&String> = locks.iter().filter(|name| name.ends_with(".lock")).collect();
    assert!(locks.len() >= 3, "{locks:?}");
    for lock in locks {
        let meta = std::fs::metadata(world.path("data/lake").join(lock)).expect("it is there");
        assert_eq!(meta.permissions().mode() & 0o077, 0, "{lock} is open to others");
        let script = format!("exec 9< data/lake/{lock} && flock -n 9");
        let Some(output) = as_nobody(&world, &script) else { continue };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("ermission denied"), "{lock}: {said}");
    }
    let Some(output) =
        as_nobody(&world, "ln -s $PWD/victim topsell.prom && mkfifo wait.prom && cat data/lake/format.json")
    else {
        return;
    };
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    for name in ["topsell.prom", "wait.prom"] {
        let said = world.run(&format!("--metrics-file {name} rank --window 365d"));
        assert!(said.stderr.contains("belongs to another account"), "{}", said.whole());
        let said = world.run(&format!("show --format csv -o {name}"));
        assert!(said.stderr.contains("belongs to another account"), "{}", said.whole());
        assert_eq!(said.code, Some(1), "{}", said.whole());
    }
    assert_eq!(read(&world, "victim"), "precious\n");
}

#[test]
fn another_account_that_fills_the_spool_gets_nothing_read_that_it_cannot_read() {
    let world = shared_world();
    std::fs::create_dir(world.path("spool")).expect("a folder can be made");
    permit(&world, "spool", 0o777);
    let script = "ln -s $PWD/private/shadow spool/a.ndjson; mkfifo spool/b.ndjson; ln -s $PWD spool/done; \
        ln -s /etc/shadow spool/c.csv; ln $PWD/victim spool/d.ndjson; echo nonsense > spool/e.ndjson";
    if as_nobody(&world, script).is_none() {
        return;
    }
    let before = std::fs::metadata("/etc/shadow").map(|meta| meta.len()).unwrap_or_default();
    let said = world.run(SPOOL);
    assert!(said.code == Some(1), "what cannot be moved is an error: {}", said.whole());
    assert_eq!(leaks(&world), [""; 0]);
    assert!(!world.files("").iter().any(|name| OsStr::new(name) == "e.ndjson"), "nothing left the folder");
    assert_eq!(std::fs::metadata("/etc/shadow").map(|meta| meta.len()).unwrap_or_default(), before);
    assert_eq!(read(&world, "victim"), "precious\n");
}

/// Writes the crontab of an account and gives it to the account; returns the account's line.
fn account(world: &World, name: &str, uid: u32, make_crontab: impl Fn(&str)) -> String {
    let home = format!("home/{name}");
    std::fs::create_dir_all(world.path(&home)).expect("a folder can be made");
    let crontab = format!("{home}/.crontab");
    make_crontab(&crontab);
    permit(world, &crontab, 0o644);
    chown(world.path(&crontab), Some(uid), Some(uid)).expect("root gives a file away");
    format!("{name}:x:{uid}:{uid}::{}:/bin/sh\n", world.path(&home).display())
}

#[test]
fn a_bad_crontab_is_the_fault_of_its_account_alone() {
    if !geteuid().is_root() {
        let _ = writeln!(std::io::stderr(), "NOT TESTED without root: crontabs of other accounts");
        return;
    }
    let world = shared_world();
    world.write("jobs/night.toml", "schedule = \"0 2 * * *\"\nsteps = [{ exec = [\"true\"] }]\n");
    let many: String = (0..3_920).map(|number| format!("* * * * * {number}\n")).collect();
    let wrong: String = (0..50).map(|number| format!("* * * * 9 echo {number}\n")).collect();
    let ann = account(&world, "ann", 12_345, |path| world.write(path, "0 4 * * * true\n"));
    let accounts = [
        account(&world, "eve", 12_346, |path| pipe(&world, path)),
        account(&world, "mallory", 12_347, |path| world.write(path, &many)),
        account(&world, "trudy", 12_348, |path| world.write(path, format!("{wrong}0 5 * * * true\n"))),
        account(&world, "huge", 12_349, |path| world.write(path, "#".repeat(1 << 20))),
        ann,
    ];
    world.write("accounts", accounts.concat());
    let sources = Sources {
        folder: Some(world.path("jobs")),
        crontabs: Vec::new(),
        accounts: Some(world.path("accounts")),
        time_zone: "UTC".to_owned(),
    };
    let registry = JobRegistry::open(sources, &|_| Ok(())).expect("jobs of others are not affected");
    let jobs = registry.jobs();
    let count = |name: &str| jobs.iter().filter(|job| job.name.split('-').next() == Some(name)).count();
    let counts = ["night", "ann", "eve", "mallory", "trudy", "huge"].map(count);
    assert_eq!(counts, [1, 1, 0, 100, 1, 0]);
    let errors: Vec<&str> = registry.errors().collect();
    assert_eq!(errors.len(), 1 + 1 + 11 + 1, "{errors:#?}");
    for expected in [
        "home/eve/.crontab: not a regular file",
        "home/mallory/.crontab:101:1: more than 100 jobs; this line and those below are ignored",
        "home/trudy/.crontab:11:1: 40 more errors from here on",
        "home/huge/.crontab: larger than 64 KiB",
    ] {
        assert!(errors.iter().any(|error| error.contains(expected)), "{expected}: {errors:#?}");
    }
    // Whoever checks the jobs is told all the same.
    let said = world.run("schedule --check --jobs jobs --all-users --accounts accounts");
    assert_eq!(said.code, Some(2), "{}", said.whole());
}
