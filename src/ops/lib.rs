//! Unattended operation of `topsell`: jobs, schedules, processes, run history, health.
//!
//! A blank line ends a floor, and a room uses only rooms of earlier floors:
//!
//! | room | what it owns | what it never does |
//! |---|---|---|
//! | [`cron`] | cron expressions and their due times | read the clock |
//! | [`process`] | starting, terminating and identifying processes | know what a process is for |
//! | [`job_spec`] | job files and crontabs | start a process |
//! | [`run_history`] | what each run did and how it ended | assess it |
//! | [`health`] | the health of a lake, for monitoring | change anything |
//! | [`scheduler`] | starting due jobs: leader election, one run of a job at a time, cleanup after dead processes | read the clock |

pub mod cron;
pub mod process;

pub mod job_spec;
pub mod run_history;

pub mod health;

pub mod scheduler;
