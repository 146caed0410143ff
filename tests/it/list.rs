//! `topsell list`: lists of a lake without a server.

use expect_test::expect;

use crate::world::World;

/// Runs a command that succeeds, and returns what it printed.
fn done(world: &World, words: &str) -> String {
    let said = world.run(words);
    assert_eq!(said.code, Some(0), "{words}: {}", said.whole());
    said.stdout
}

#[test]
fn a_list_is_created_changed_and_shown() {
    let world = World::new();
    expect![[r#"
        stderr: list: created blocked, host
        exit code 0
    "#]]
    .assert_eq(&world.run("list create blocked --kind host").whole());
    expect![[r#"
        stderr: list: 2 added, 0 removed, 0 unchanged
        exit code 0
    "#]]
    .assert_eq(&world.run("list add blocked Bad.example. other.example").whole());
    let said =
        world.run_with(&["list", "add", "blocked", "-"], b"# from somebody\nbad.example\n\nthird.example\n");
    expect![[r#"
        stderr: list: 1 added, 0 removed, 1 unchanged
        exit code 0
    "#]]
    .assert_eq(&said.whole());
    assert_eq!(done(&world, "list show blocked"), "bad.example\nother.example\nthird.example\n");
    done(&world, "-q list remove blocked other.example none.example");
    done(&world, "-q list replace blocked a.example third.example");
    assert_eq!(done(&world, "list show blocked"), "a.example\nthird.example\n");
    let history = done(&world, "list history blocked --format csv");
    let counts: Vec<&str> =
        history.lines().skip(1).map(|line| line.split_once("Z,").map_or("", |(_, counts)| counts)).collect();
    assert_eq!(counts, ["1,1,0", "0,1,0", "1,0,0", "2,0,0"]);
    assert_eq!(done(&world, "list history blocked -n 1 --format csv").lines().count(), 2);
    let lists = done(&world, "list show --format csv");
    assert!(lists.starts_with("list,kind,entries,version,changed\nblocked,host,2,"), "{lists}");
    expect![[r#"
        stderr: verify: 1 list, 0 damaged
        exit code 0
    "#]]
    .assert_eq(&world.run("list verify").whole());
}

#[test]
fn a_map_has_keys_with_values() {
    let world = World::new();
    done(&world, "-q list create notices --kind map");
    let said =
        world.run_with(&["-q", "list", "add", "notices", "-"], b"Books\t{ \"text\": \"Sale\" }\nToys\t1\n");
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert_eq!(done(&world, "list show notices"), "Books\t{\"text\":\"Sale\"}\nToys\t1\n");
    let said = world.run_with(&["list", "add", "notices", "Toys\t2", "Books\t{\"text\":\"Sale\"}"], b"");
    expect![[r#"
        stderr: list: 0 added, 0 removed, 1 updated, 1 unchanged
        exit code 0
    "#]]
    .assert_eq(&said.whole());
    expect![[r#"
        stderr: error: the change adds keys without values to a map
        exit code 2
    "#]]
    .assert_eq(&world.run("list add notices Toys").whole());
}

#[test]
fn a_change_with_an_id_is_made_once_and_one_with_a_time_ends() {
    let world = World::new();
    done(&world, "-q list create blocked");
    done(&world, "-q list add blocked a --id c-1");
    done(&world, "-q list remove blocked a");
    done(&world, "-q list add blocked a --id c-1");
    assert_eq!(done(&world, "list show blocked"), "");
    expect![[r#"
        stderr: error: the id `c-1` is that of another change; use a new id for each change
        exit code 1
    "#]]
    .assert_eq(&world.run("list add blocked b --id c-1").whole());
    done(&world, "-q list add blocked b --ttl 10min");
    assert_eq!(done(&world, "list show blocked"), "b\n");
}

#[test]
fn what_is_wrong_is_named() {
    let world = World::new();
    let check = |words: &str, code: i32, expected: &str| {
        let said = world.run(words);
        assert_eq!(said.code, Some(code), "{words}: {}", said.whole());
        assert!(said.stderr.contains(expected), "{words}: {}", said.stderr);
    };
    check("list create Blocked", 2, "`Blocked` is not the name of a list");
    check("list create blocked --keep soon", 2, "--keep: ");
    check("list show blocked", 5, "there is no list `blocked`");
    done(&world, "-q list create blocked --kind host");
    check("list create blocked", 1, "there is already a list `blocked`");
    check("list add blocked http://a", 2, "`http://a` is not the name of a host");
    check("list add blocked a -", 2, "either entries or `-`");
    check("list fetch ftp://a/v1/lists/b --into x", 2, "is not the address of a list");
    check("list fetch http://127.0.0.1:9/v1/lists/b --into x", 1, "http://127.0.0.1:9/v1/lists/b: ");
    let base = "data/lake/lists/blocked/base-0000000001.list";
    let mut bytes = std::fs::read(world.path(base)).expect("it is there");
    bytes[20] ^= 1;
    world.write(base, bytes);
    check("list show blocked", 3, "base-0000000001.list is damaged");
    let said = world.run("list verify");
    assert_eq!(said.code, Some(3), "{}", said.whole());
    assert!(said.stdout.contains("base-0000000001.list is damaged"), "{}", said.stdout);
    check("list add blocked a", 3, "damaged");
}
