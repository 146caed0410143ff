//! Promises of what the server knows, while the clock moves, segments get into the lake and others change it.

#[expect(dead_code, reason = "the rest is for the tests of the program")]
#[path = "../../../../tests/it/faults/disk.rs"]
mod faulty_disk;
mod hand_over;
mod lists;
mod machine;
mod server;
