//! The `topsell` program; all of it is in `topsell-cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    topsell_cli::main()
}
