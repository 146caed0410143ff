//! The state of a simulated disk: what programs see, and what survives the loss of power.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const SECTOR: usize = 512;

/// What happens at the chosen operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails, possibly half done; those after it work.
    Error(i32),
    /// It is done and told as failed; those after it work.
    Untold(i32),
    /// It and all after it fail, until the machine is started again.
    PowerOff,
}

/// All of a disk.
#[derive(Clone)]
pub struct World {
    pub process: u32,
    pub files: Vec<Content>,
    pub cached: BTreeMap<PathBuf, usize>,
    pub durable: BTreeMap<PathBuf, usize>,
    /// Changes of names that are not durable yet.
    pub changes: Vec<Change>,
    pub locked: BTreeSet<PathBuf>,
    pub fault: Option<(u32, Fault)>,
    pub is_off: bool,
    pub data_syncs: usize,
    pub waiting_syncs: usize,
    pub are_syncs_held: bool,
    pub random: u64,
}

/// The bytes of a file.
#[derive(Clone, Default)]
pub struct Content {
    pub cached: Vec<u8>,
    pub durable: Vec<u8>,
    pub dirty: BTreeSet<usize>,
}

/// A change of a file's name: none where it is new, or gone.
#[derive(Clone)]
pub struct Change {
    pub file: usize,
    pub from: Option<PathBuf>,
    pub to: Option<PathBuf>,
}

impl Change {
    pub fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        if let Some(from) = self.from.as_ref().filter(|&from| names.get(from) == Some(&self.file)) {
            names.remove(from);
        }
        if let Some(to) = &self.to {
            names.insert(to.clone(), self.file);
        }
    }

    pub fn is_in(&self, dir: &Path) -> bool {
        self.from.iter().chain(&self.to).all(|path| path.parent() == Some(dir))
    }
}

impl World {
    pub fn new(seed: u64) -> World {
        World {
            process: 0,
            files: Vec::new(),
            cached: BTreeMap::new(),
            durable: BTreeMap::new(),
            changes: Vec::new(),
            locked: BTreeSet::new(),
            fault: None,
            is_off: false,
            data_syncs: 0,
            waiting_syncs: 0,
            are_syncs_held: false,
            random: seed,
        }
    }

    pub fn coin(&mut self) -> bool {
        self.below(2) == 1
    }

    /// SplitMix64.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    pub fn names(&self, dir: &Path) -> Vec<String> {
        let below = self.cached.keys().filter(|path| path.parent() == Some(dir));
        below.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
    }

    /// Keeps of each file's changes any number of the first ones: those of different files have no order.
    pub fn lose_names(&mut self) {
        let changes = std::mem::take(&mut self.changes);
        let mut lost = BTreeSet::new();
        for change in changes {
            if !lost.contains(&change.file) && self.below(3) > 0 {
                change.apply(&mut self.durable);
            } else {
                lost.insert(change.file);
            }
        }
        self.cached = self.durable.clone();
    }

    pub fn lose_bytes(&mut self, at: usize) {
        let is_length_kept = self.coin();
        let dirty = std::mem::take(&mut self.files[at].dirty);
        if is_length_kept {
            self.files[at].keep_length();
        }
        for sector in dirty {
            if self.coin() {
                self.files[at].keep(sector);
            }
        }
        self.files[at].cached = self.files[at].durable.clone();
    }

    pub fn fail_sync(&mut self, at: usize) {
        for sector in std::mem::take(&mut self.files[at].dirty) {
            if self.coin() {
                self.files[at].keep(sector);
            }
        }
    }

    pub fn sync(&mut self, at: usize) {
        let file = &mut self.files[at];
        file.keep_length();
        for sector in std::mem::take(&mut file.dirty) {
            file.keep(sector);
        }
    }
}

impl Content {
    pub fn keep_length(&mut self) {
        self.durable.resize(self.cached.len(), 0);
    }

    /// Makes a sector durable, as far as the file is that long.
    pub fn keep(&mut self, sector: usize) {
        let start = sector * SECTOR;
        let end = (start + SECTOR).min(self.cached.len()).min(self.durable.len());
        if start < end {
            self.durable[start..end].copy_from_slice(&self.cached[start..end]);
        }
    }

    pub fn write(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        if self.cached.len() < end {
            self.cached.resize(end, 0);
        }
        self.cached[offset..end].copy_from_slice(bytes);
        self.dirty.extend(offset / SECTOR..end.div_ceil(SECTOR));
    }
}
