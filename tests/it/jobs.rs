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
