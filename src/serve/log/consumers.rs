//! The registered consumers: who still needs which records.
//!
//! Each has a file `consumers/<name>` with the position of the last record that it has, such as `main.3:4710`
//! and a line feed; sequence 0 of incarnation 0 stands for none.
//!
//! Invariant: a segment is deleted only after every registered consumer has durably passed its last record.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::log::disk::{Disk, replace_file};
use crate::log::error::{Damage, LogError};
use crate::log::position::{Position, Site, is_name};
use crate::log::segment_name::{NEW, SealedSegment};

const FOLDER: &str = "consumers";

pub(super) struct Consumers {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    site: Site,
    positions: BTreeMap<String, Position>,
}

impl Consumers {
    /// Reads the consumers of the log in a folder.
    pub(super) fn read(disk: Arc<dyn Disk>, log: &Path, site: Site) -> Result<Consumers, LogError> {
        let dir = log.join(FOLDER);
        let failed = |error| LogError::io(&dir, error);
        disk.create_dir(&dir).map_err(failed)?;
        let mut positions = BTreeMap::new();
        for name in disk.list(&dir).map_err(failed)? {
            let path = dir.join(&name);
            if name.ends_with(NEW) {
                disk.remove(&path).map_err(|error| LogError::io(&path, error))?;
            } else {
                let bytes = disk.read(&path).map_err(|error| LogError::io(&path, error))?;
                let position = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim_end().parse().ok());
                let damaged = LogError::Damaged { path, offset: 0, damage: Damage::Consumer };
                positions.insert(name, position.ok_or(damaged)?);
            }
        }
        Ok(Consumers { disk, dir, site, positions })
    }

    /// Registers a consumer, which needs every record that is in the log now, and returns its position; one
    /// that is registered already keeps its position.
    pub(super) fn register(&mut self, name: &str) -> Result<Position, LogError> {
        if !is_name(name) {
            return Err(LogError::ConsumerName { name: name.to_owned() });
        }
        if let Some(position) = self.positions.get(name) {
            return Ok(position.clone());
        }
        let nothing = Position { site: self.site.clone(), incarnation: 0, sequence: 0 };
        self.save(name, &nothing)?;
        Ok(nothing)
    }

    /// Saves that a consumer has every record up to a position. It never goes back.
    pub(super) fn advance(&mut self, name: &str, position: &Position) -> Result<(), LogError> {
        if position.site != self.site {
            let (found, expected) = (position.site.to_string(), self.site.to_string());
            return Err(LogError::OtherSite { path: self.dir.join(name), found, expected });
        }
        match self.positions.get(name) {
            None => Err(LogError::NotRegistered { name: name.to_owned() }),
            Some(before) if before >= position => Ok(()),
            Some(_) => self.save(name, position),
        }
    }

    /// Forgets a consumer; does nothing where there is none of that name.
    pub(super) fn unregister(&mut self, name: &str) -> Result<(), LogError> {
        if self.positions.contains_key(name) {
            let path = self.dir.join(name);
            remove_durably(self.disk.as_ref(), &self.dir, &path)
                .map_err(|error| LogError::io(path, error))?;
            self.positions.remove(name);
        }
        Ok(())
    }

    /// Returns the consumers and their positions.
    pub(super) fn positions(&self) -> BTreeMap<String, Position> {
        self.positions.clone()
    }

    /// Checks that every consumer has passed a segment.
    pub(super) fn check_passed(&self, segment: &SealedSegment) -> Result<(), LogError> {
        let last = segment.last_position();
        match self.positions.iter().find(|(_, position)| **position < last) {
            None => Ok(()),
            Some((consumer, position)) => Err(LogError::Retained {
                segment: segment.name.clone(),
                consumer: consumer.clone(),
                position: position.clone(),
            }),
        }
    }

    fn save(&mut self, name: &str, position: &Position) -> Result<(), LogError> {
        replace_file(self.disk.as_ref(), &self.dir, name, format!("{position}\n").as_bytes())
            .map_err(|error| LogError::io(self.dir.join(name), error))?;
        self.positions.insert(name.to_owned(), position.clone());
        Ok(())
    }
}

/// Removes a file durably. One that is not there counts as removed, so that a failure can be repeated.
pub(super) fn remove_durably(disk: &dyn Disk, dir: &Path, path: &Path) -> io::Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => disk.sync_dir(dir),
    }
}
