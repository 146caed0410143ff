//! What runs `topsell` unattended: jobs and their times, processes, records of runs, health.
//!
//! A blank line ends a floor, and a room uses rooms of earlier floors only:
//!
//! | room | what it owns | what it never does |
//! |---|---|---|
//! | [`cron`] | the times that cron expressions name | ask what time it is |
//! | [`process`] | starting commands, ending them, knowing them again | know what it was started for |
//! | [`job_spec`] | jobs as they are written down | start anything |
//! | [`run_history`] | what each run did, and how it ended | judge it |
//! | [`health`] | how a lake fares: what a monitor asks | change anything |
//! | [`scheduler`] | jobs at their times: who leads, what is due, one run at a time, and what is left of those that died | ask what time it is |

pub mod cron;
pub mod process;

pub mod job_spec;
pub mod run_history;

pub mod health;

pub mod scheduler;
