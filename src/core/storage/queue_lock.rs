//! A queue lock between processes: whoever has waited longest goes first.
//!
//! A lock of the operating system that becomes free goes to any of those who wait, and mostly to the one that
//! just released it and asks again: a stream that commits each line would keep everybody else out for ever.
//!
//! The lock's file has no content, so that it needs no room on a full disk. Each who comes locks one byte of
//! it, behind the last one that is locked, and it is its turn when no byte before its own is locked. The
//! operating system releases the byte of a process that dies.
//!
//! Invariant: bytes are chosen and locked by one at a time, who holds the lock of the byte `CHOICE`.

use std::fs::File;
use std::io;

use crate::storage::error::StoreError;
use crate::storage::store::Store;

/// A turn in a queue; dropping it lets the next one go.
#[derive(Debug)]
pub struct Turn {
    /// None in a bucket, where who is first decides itself with each commit.
    _file: Option<File>,
}

impl Store {
    /// Waits for a turn in the queue of that name.
    ///
    /// # Errors
    /// Fails where the lock's file cannot be opened.
    pub fn wait_for_turn(&self, name: &str) -> Result<Turn, StoreError> {
        if self.is_bucket() {
            return Ok(Turn { _file: None });
        }
        let path = format!("{name}.queue.lock");
        let file = self.opened(&path)?;
        let failed = |e: io::Error| StoreError::io(self.location_of(&path), e);
        let place = queue::join(&file).map_err(failed)?;
        self.wait_until(
            || format!("waiting for others who write to {name}; {} before this run", place.before(&file)),
            || place.is_first(&file),
            || place.wait(&file),
        )
        .map_err(failed)?;
        Ok(Turn { _file: Some(file) })
    }
}

#[cfg(target_os = "linux")]
mod queue {
    use std::fs::File;
    use std::io;

    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc::{self, flock};

    /// The byte that is locked while somebody joins.
    const CHOICE: i64 = i64::MAX - 1;

    /// A place in the queue: the byte that is locked.
    #[derive(Clone, Copy, Debug)]
    pub struct Place(i64);

    /// Joins at the end.
    pub fn join(file: &File) -> io::Result<Place> {
        set(file, libc::F_WRLCK, CHOICE, 1)?;
        let mut end = 0;
        while let Some(locked) = found(file, libc::F_WRLCK, end, CHOICE)? {
            // Of no given order: after each, the search goes on behind it.
            end = locked.end;
        }
        // Nobody else locks it: who joins waits for the choice, and who waits locks what is before.
        set(file, libc::F_WRLCK, end, 1)?;
        set(file, libc::F_UNLCK, CHOICE, 1)?;
        Ok(Place(end))
    }

    impl Place {
        pub fn is_first(self, file: &File) -> io::Result<bool> {
            Ok(self.0 == 0 || found(file, libc::F_RDLCK, 0, self.0)?.is_none())
        }

        /// Waits until no byte before is locked for writing; the lock of these for reading keeps nobody out,
        /// since whoever joins is behind.
        pub fn wait(self, file: &File) -> io::Result<()> {
            set(file, libc::F_RDLCK, 0, self.0)
        }

        /// Returns how many are before, as far as this can be seen.
        pub fn before(self, file: &File) -> usize {
            // Of no given order: after each, what is on both of its sides is searched.
            let (mut ranges, mut count) = (vec![(0, self.0)], 0);
            while let Some((from, until)) = ranges.pop() {
                if from < until
                    && let Ok(Some(locked)) = found(file, libc::F_RDLCK, from, until)
                {
                    count += 1;
                    ranges.extend([(from, locked.start), (locked.end, until)]);
                }
            }
            count
        }
    }

    /// Bytes that somebody else has locked, from `start` and before `end`.
    struct Locked {
        start: i64,
        end: i64,
    }

    /// Locks or unlocks bytes, and waits for them.
    fn set(file: &File, kind: libc::c_int, from: i64, bytes: i64) -> io::Result<()> {
        uninterrupted(|| fcntl(file, FcntlArg::F_OFD_SETLKW(&lock(kind, from, bytes))))
    }

    /// Returns a lock of somebody else that keeps one of this kind from bytes up to `until`.
    fn found(file: &File, kind: libc::c_int, from: i64, until: i64) -> io::Result<Option<Locked>> {
        let mut asked = lock(kind, from, until - from);
        uninterrupted(|| {
            // What was asked for is replaced by the answer.
            asked = lock(kind, from, until - from);
            fcntl(file, FcntlArg::F_OFD_GETLK(&mut asked))
        })?;
        // A lock without a length has no end.
        let end = if asked.l_len == 0 { i64::MAX } else { asked.l_start + asked.l_len };
        let locked = Locked { start: asked.l_start, end };
        Ok((libc::c_int::from(asked.l_type) != libc::F_UNLCK).then_some(locked))
    }

    /// Asks again where a signal came first.
    fn uninterrupted(mut ask: impl FnMut() -> nix::Result<libc::c_int>) -> io::Result<()> {
        loop {
            match ask() {
                Err(nix::errno::Errno::EINTR) => {}
                asked => return Ok(asked.map(drop)?),
            }
        }
    }

    /// Locks a byte, whoever is before it.
    #[cfg(test)]
    pub fn lock_byte(file: &File, byte: i64) -> io::Result<Place> {
        set(file, libc::F_WRLCK, byte, 1).map(|()| Place(byte))
    }

    fn lock(kind: libc::c_int, l_start: i64, l_len: i64) -> flock {
        let short = |value: libc::c_int| libc::c_short::try_from(value).unwrap_or_default();
        flock { l_type: short(kind), l_whence: short(libc::SEEK_SET), l_start, l_len, l_pid: 0 }
    }
}

/// Elsewhere, the operating system decides who goes next.
#[cfg(not(target_os = "linux"))]
mod queue {
    use std::fs::File;
    use std::io;

    #[derive(Clone, Copy, Debug)]
    pub struct Place;

    pub fn join(_file: &File) -> io::Result<Place> {
        Ok(Place)
    }

    impl Place {
        pub fn is_first(self, file: &File) -> io::Result<bool> {
            match file.try_lock() {
                Ok(()) => Ok(true),
                Err(std::fs::TryLockError::WouldBlock) => Ok(false),
                Err(std::fs::TryLockError::Error(error)) => Err(error),
            }
        }

        pub fn wait(self, file: &File) -> io::Result<()> {
            file.lock()
        }

        pub fn before(self, _file: &File) -> usize {
            1
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn turns_are_taken_in_the_order_of_arrival() {
        let (store, folder) = crate::storage::temporary();
        let first = store.wait_for_turn("table").expect("nobody is there");
        let before_the_next = || {
            let file = store.opened("table.queue.lock").expect("it is there");
            queue::join(&file).expect("it can be joined").before(&file)
        };
        let (done, order) = mpsc::channel();
        let mut waiting = Vec::new();
        for number in 0..8 {
            let (store, done) = (store.clone(), done.clone());
            waiting.push(thread::spawn(move || {
                let _turn = store.wait_for_turn("table").expect("its turn comes");
                done.send(number).expect("it is received");
            }));
            // One at a time, so that their order is known.
            while before_the_next() < number + 2 {
                thread::yield_now();
            }
        }
        drop(first);
        for thread in waiting {
            thread.join().expect("nobody panics");
        }
        drop(done);
        assert_eq!(order.iter().collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
        let length = folder.path().join("table.queue.lock").metadata().expect("it is there").len();
        assert_eq!(length, 0, "it needs no room");
    }

    /// The operating system lists locks of several owners in no given order.
    #[cfg(target_os = "linux")]
    #[test]
    fn whoever_is_before_counts_once_in_whatever_order_bytes_were_locked() {
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]] {
            let (store, _folder) = crate::storage::temporary();
            let open = || store.opened("table.queue.lock").expect("it can be made");
            let others = order.map(|byte| {
                let file = open();
                queue::lock_byte(&file, byte).expect("nobody else has it");
                file
            });
            let file = open();
            let place = queue::join(&file).expect("it can be joined");
            assert_eq!(place.before(&file), others.len(), "{order:?}");
        }
    }

    /// The next turn begins again at the first byte, so that places are never used up.
    #[test]
    fn a_turn_that_nobody_waits_for_is_the_first_place() {
        let (store, _folder) = crate::storage::temporary();
        for _ in 0..3 {
            let turn = store.wait_for_turn("table").expect("nobody is there");
            let file = store.opened("table.queue.lock").expect("it is there");
            let next = queue::join(&file).expect("it can be joined");
            assert!(!next.is_first(&file).expect("it can be asked"));
            drop(turn);
            assert!(next.is_first(&file).expect("it can be asked"));
        }
    }
}
