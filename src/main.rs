//! The `rhinobox` program.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    rhinobox::ops::run(rhinobox::ops::cli::Cli::parse())
}
