//! Whatever is appended, sealed, deleted, killed and cut off from power in whichever order: what was
//! acknowledged is read back exactly once and in order.

use std::path::Path;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};

use crate::log::consumers::remove_durably;
use crate::log::error::LogError;
use crate::log::recovery::recover;
use crate::log::tests::simulated_disk::{EIO, ENOSPC, Fault, SimulatedDisk};
use crate::log::tests::{folder, site};
use crate::log::writer::{SealPolicy, Writer};

const POLICY: SealPolicy = SealPolicy { segment_bytes: 2048, segment_age_micros: 100 };

#[derive(Clone, Debug)]
enum Step {
    /// A batch of records, by the sizes of their payloads.
    Append(Vec<usize>),
    Tick(i64),
    Seal,
    DeleteOldest,
    Kill,
    PowerCut,
    Fail(u32, Fault),
}

/// A record: incarnation, sequence number, and which of all the records that were ever tried it is.
type Known = (u32, u64, u64);

/// A record and its payload.
type Read = (Known, Vec<u8>);

/// A log without its thread, so that every run with the same steps is the same, and what is known of it.
struct Rig {
    disk: SimulatedDisk,
    writer: Writer,
    acknowledged: Vec<Known>,
    /// Records whose write failed: they may be there, from the first on.
    uncertain: Vec<u64>,
    /// Records of a segment whose deletion failed: they may be gone, all of them.
    may_be_gone: Vec<Known>,
    tried: u64,
    sizes: Vec<usize>,
    now_micros: i64,
}

impl Rig {
    fn new(seed: u64) -> Rig {
        let disk = SimulatedDisk::new(seed);
        let (writer, _) = opened(&disk).expect("an empty log opens");
        Rig {
            disk,
            writer,
            acknowledged: Vec::new(),
            uncertain: Vec::new(),
            may_be_gone: Vec::new(),
            tried: 0,
            sizes: Vec::new(),
            now_micros: 0,
        }
    }

    fn step(&mut self, step: &Step) {
        let done = match step {
            Step::Append(sizes) => self.append(sizes),
            Step::Tick(micros) => {
                self.now_micros += micros;
                self.writer.tick(self.now_micros).map(|_| ())
            }
            Step::Seal => self.writer.seal().map(|_| ()),
            Step::DeleteOldest => self.delete_oldest(),
            Step::Kill => return self.reopen(self.disk.kill()),
            Step::PowerCut => return self.reopen(self.disk.power_cut()),
            Step::Fail(operation, fault) => return self.disk.fail_at(*operation, *fault),
        };
        match done {
            Ok(()) | Err(LogError::Full { .. }) => {}
            // Half of these find the kernel's cache as it was.
            Err(_) if self.tried.is_multiple_of(2) => {
                let after = self.disk.kill();
                self.reopen(after);
            }
            Err(_) => self.reopen(self.disk.power_cut()),
        }
    }

    fn append(&mut self, sizes: &[usize]) -> Result<(), LogError> {
        let first = self.tried;
        self.sizes.extend(sizes);
        self.tried += sizes.len() as u64;
        let payloads: Vec<Vec<u8>> = (first..self.tried).map(|id| payload(id, &self.sizes)).collect();
        let mut done = 0;
        while done < payloads.len() {
            let rest = payloads[done..].iter().map(|payload| (self.now_micros, payload.as_slice()));
            match self.writer.write(rest) {
                Ok(group) => {
                    for sequence in group {
                        self.acknowledged.push((self.writer.incarnation(), sequence, first + done as u64));
                        done += 1;
                    }
                }
                Err(error) => {
                    if !matches!(error, LogError::Full { .. }) {
                        self.uncertain = (first + done as u64..self.tried).collect();
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn delete_oldest(&mut self) -> Result<(), LogError> {
        let list = self.writer.sealed();
        let Some(oldest) = list.lock().expect("no test panics here").first().cloned() else { return Ok(()) };
        let (incarnation, last) = (oldest.name.incarnation, oldest.last);
        let is_in = |&(of, sequence, _): &Known| of == incarnation && sequence <= last;
        let (gone, kept) = self.acknowledged.iter().partition(|known| is_in(known));
        self.acknowledged = kept;
        self.may_be_gone = gone;
        let path = folder().join(oldest.file_name());
        remove_durably(&self.disk, folder(), &path).map_err(|error| LogError::io(path, error))?;
        self.may_be_gone.clear();
        list.lock().expect("no test panics here").remove(0);
        Ok(())
    }

    /// Opens the log again, after a fault in that as often as needed, and compares.
    fn reopen(&mut self, mut disk: SimulatedDisk) {
        let (writer, read) = loop {
            match opened(&disk) {
                Ok(opened) => break opened,
                Err(LogError::Damaged { path, offset, damage }) => {
                    panic!("no crash damages a log: {}: {offset}: {damage}", path.display())
                }
                Err(_) => disk = disk.power_cut(),
            }
        };
        let known: Vec<Known> = read.iter().map(|(known, _)| *known).collect();
        for (known, bytes) in &read {
            assert_eq!(bytes, &payload(known.2, &self.sizes), "{known:?}");
        }
        let with_gone: Vec<Known> = [&self.may_be_gone[..], &self.acknowledged].concat();
        let expected = if known.starts_with(&with_gone) { &with_gone } else { &self.acknowledged };
        assert_eq!(&known[..expected.len()], expected, "what was acknowledged is there, in order");
        let more = &known[expected.len()..];
        let ids: Vec<u64> = more.iter().map(|(_, _, id)| *id).collect();
        assert!(self.uncertain.starts_with(&ids), "{ids:?} of {:?} once and in order", self.uncertain);
        let are_linked = |pair: &[Known]| match (pair[0], pair[1]) {
            ((a, from, _), (b, to, _)) if a == b => to == from + 1,
            ((a, ..), (b, to, _)) => b > a && to == 1,
        };
        assert!(known.windows(2).all(are_linked), "no sequence number is missing: {known:?}");
        assert!(known.iter().all(|(incarnation, ..)| *incarnation < writer.incarnation()));
        // What was read back counts as durable from now on.
        (self.acknowledged, self.disk, self.writer) = (known, disk, writer);
        self.uncertain.clear();
        self.may_be_gone.clear();
    }
}

fn opened(disk: &SimulatedDisk) -> Result<(Writer, Vec<Read>), LogError> {
    let mut read = Vec::new();
    let found = recover(disk, Path::new("log"), &site(), |record| {
        let id = u64::from_le_bytes(record.payload[..8].try_into().expect("eight bytes"));
        read.push(((record.incarnation, record.sequence, id), record.payload.to_vec()));
    })?;
    let writer = Writer::new(Arc::new(disk.clone()), folder(), site(), POLICY, found)?;
    Ok((writer, read))
}

fn payload(id: u64, sizes: &[usize]) -> Vec<u8> {
    let size = sizes[usize::try_from(id).expect("small")];
    let filler = (0..size).map(|at| (at as u64 * 31 + id) as u8);
    id.to_le_bytes().into_iter().chain(filler).collect()
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fault = prop_oneof![
        Just(Fault::Error(EIO)),
        Just(Fault::Error(ENOSPC)),
        Just(Fault::Untold(EIO)),
        Just(Fault::Untold(ENOSPC)),
        Just(Fault::PowerOff),
        Just(Fault::PowerOff)
    ];
    let step = prop_oneof![
        6 => vec(prop_oneof![8 => 0usize..300, 1 => 0usize..3000], 1..8).prop_map(Step::Append),
        2 => (0i64..80).prop_map(Step::Tick),
        1 => Just(Step::Seal),
        1 => Just(Step::DeleteOldest),
        1 => Just(Step::Kill),
        1 => Just(Step::PowerCut),
        3 => (1u32..12, fault).prop_map(|(operation, fault)| Step::Fail(operation, fault)),
    ];
    vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_acknowledged_is_read_back_once_and_in_order(seed in any::<u64>(), steps in steps()) {
        let mut rig = Rig::new(seed);
        steps.iter().for_each(|step| rig.step(step));
        rig.reopen(rig.disk.power_cut());
    }
}

/// The kernel takes pages for clean that it could not write. The process that finds them in its cache after
/// the restart answers from them, and they have to be on the disk by then.
#[test]
fn what_was_read_back_after_a_failed_sync_survives_the_power_cut_that_follows() {
    let mut uncertain_read = 0;
    for seed in 0..50 {
        let mut rig = Rig::new(seed);
        rig.append(&[10]).expect("the disk works");
        rig.disk.fail_at(2, Fault::Error(EIO));
        assert!(matches!(rig.append(&[700, 700]), Err(LogError::Failed { .. })));
        rig.reopen(rig.disk.kill());
        uncertain_read += rig.acknowledged.len() - 1;
        rig.reopen(rig.disk.power_cut());
    }
    assert_eq!(uncertain_read, 100, "the cache has both records each time");
}
