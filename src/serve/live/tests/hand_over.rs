//! Events on their way from the log to the lake, while operations on the disks of both fail and the power goes: each
//! acknowledged event counts once, each other at most once.

use std::sync::atomic::Ordering;

use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};

use crate::live::tests::faulty_disk::Manner;
use crate::live::tests::machine::{Machine, Restart, Server};
use crate::log::tests::simulated_disk::{EIO, ENOSPC, Fault, SimulatedDisk};

/// A consumer of the log besides the lake, for which segments are kept that are in the lake.
const FOLLOWER: &str = "follower";
/// How many lives of a server are tried by chance: `TOPSELL_HAND_OVER_CASES`, or this.
const CASES: u32 = 24;

fn cases() -> u32 {
    std::env::var("TOPSELL_HAND_OVER_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(CASES)
}

/// Returns a machine that was killed with a segment in both the log and the lake, and another in the log alone.
fn machine(seed: u64, manner: Manner) -> Machine {
    let mut machine = Machine::new(seed, manner);
    let server = machine.start().expect("the disks work");
    server.log.register(FOLLOWER).expect("the disk works");
    machine.receive(&server, 1);
    server.committer.commit_all();
    machine.receive(&server, 2);
    machine.log_disk = machine.log_disk.kill();
    machine
}

/// Hands that over, and two segments more; whatever fails is not looked at.
fn hand_over(machine: &mut Machine) -> Option<Server> {
    let server = machine.start().ok()?;
    machine.receive(&server, 2);
    if let Some(oldest) = server.log.sealed().first() {
        let _ = server.log.advance(FOLLOWER, &oldest.last_position());
    }
    machine.wait();
    server.committer.tick();
    machine.receive(&server, 1);
    let _ = server.log.unregister(FOLLOWER);
    machine.wait();
    server.committer.commit_all();
    Some(server)
}

#[test]
fn whichever_operation_of_the_log_fails_each_event_counts_once() {
    let told = [Fault::Error(EIO), Fault::Error(ENOSPC), Fault::Untold(EIO), Fault::Untold(ENOSPC)];
    for fault in told.into_iter().chain([Fault::PowerOff]) {
        let check = |operation: u32, restart: Restart| {
            let mut machine = machine(u64::from(operation), Manner::Undone);
            machine.log_disk.fail_at(operation, fault);
            let server = hand_over(&mut machine);
            let was_reached = !machine.log_disk.clear_fault();
            let server = machine.restart(server, restart);
            machine.check_end(server);
            was_reached
        };
        let operations = (1..).take_while(|&operation| check(operation, SimulatedDisk::power_cut)).count();
        assert!(operations > 50, "{operations} operations");
        if fault != Fault::PowerOff {
            (1..).take_while(|&operation| check(operation, SimulatedDisk::kill)).for_each(drop);
        }
    }
}

#[test]
fn whichever_operation_of_the_lake_fails_each_event_counts_once() {
    for manner in [Manner::Undone, Manner::DoneUntold] {
        let check = |operation: i64, restart: Option<Restart>| {
            let mut machine = machine(operation.cast_unsigned(), manner);
            machine.lake_faults.left.store(operation, Ordering::SeqCst);
            let server = hand_over(&mut machine);
            let was_reached = machine.lake_faults.have_struck();
            machine.mend();
            let server = match (server, restart) {
                // The same server tries again.
                (Some(server), None) => {
                    machine.check_counts(&server);
                    server
                }
                (server, restart) => machine.restart(server, restart.unwrap_or(SimulatedDisk::kill)),
            };
            machine.check_end(server);
            was_reached
        };
        for restart in [None, Some(SimulatedDisk::kill as Restart), Some(SimulatedDisk::power_cut)] {
            let operations = (0..).take_while(|&operation| check(operation, restart)).count();
            assert!(operations > 20, "{operations} operations");
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Receive(usize),
    Tick,
    CommitAll,
    Register,
    Advance,
    Unregister,
    Kill,
    PowerCut,
    FailLog(u32, Fault),
    FailLake(i64),
}

fn take(step: &Step, machine: &mut Machine, server: Server) -> Server {
    let mut is_acknowledged = true;
    match step {
        Step::Receive(count) => is_acknowledged = machine.receive(&server, *count),
        Step::Tick => {
            machine.wait();
            server.committer.tick();
        }
        Step::CommitAll => server.committer.commit_all(),
        Step::Register => drop(server.log.register(FOLLOWER)),
        Step::Advance => {
            if let Some(oldest) = server.log.sealed().first() {
                let _ = server.log.advance(FOLLOWER, &oldest.last_position());
            }
        }
        Step::Unregister => drop(server.log.unregister(FOLLOWER)),
        Step::Kill => return machine.restart(Some(server), SimulatedDisk::kill),
        Step::PowerCut => return machine.restart(Some(server), SimulatedDisk::power_cut),
        Step::FailLog(operation, fault) => machine.log_disk.fail_at(*operation, *fault),
        Step::FailLake(operations) => machine.lake_faults.left.store(*operations, Ordering::SeqCst),
    }
    machine.check_counts(&server);
    if is_acknowledged && !server.committer.status().is_failing {
        return server;
    }
    machine.mend();
    match machine.count() % 3 {
        0 => machine.restart(Some(server), SimulatedDisk::kill),
        1 => machine.restart(Some(server), SimulatedDisk::power_cut),
        // Goes on as far as it can.
        _ => server,
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fault = prop_oneof![
        Just(Fault::Error(EIO)),
        Just(Fault::Error(ENOSPC)),
        Just(Fault::Untold(EIO)),
        Just(Fault::Untold(ENOSPC)),
        Just(Fault::PowerOff)
    ];
    let step = prop_oneof![
        6 => (1usize..5).prop_map(Step::Receive),
        3 => Just(Step::Tick),
        1 => Just(Step::CommitAll),
        1 => Just(Step::Register),
        1 => Just(Step::Advance),
        1 => Just(Step::Unregister),
        1 => Just(Step::Kill),
        1 => Just(Step::PowerCut),
        2 => (1u32..20, fault).prop_map(|(operation, fault)| Step::FailLog(operation, fault)),
        2 => (0i64..40).prop_map(Step::FailLake),
    ];
    vec(step, 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_on_the_way_to_the_lake_each_event_counts_once(
        seed in any::<u64>(),
        is_told in any::<bool>(),
        steps in steps(),
    ) {
        let mut machine = Machine::new(seed, if is_told { Manner::Undone } else { Manner::DoneUntold });
        let mut server = machine.start().expect("the disks work");
        for step in &steps {
            server = take(step, &mut machine, server);
        }
        machine.mend();
        let server = machine.restart(Some(server), SimulatedDisk::power_cut);
        machine.check_end(server);
    }
}
