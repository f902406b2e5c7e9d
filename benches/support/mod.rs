//! What the benches share: where data and figures go, what the machine can do, how figures are summed up, printed and
//! drawn. Each bench takes it in by `#[path = "../support/mod.rs"] mod support;`.

#![allow(dead_code, reason = "each bench uses a part of it")]

pub(crate) mod bars;
pub(crate) mod baseline;
pub(crate) mod daemon;
pub(crate) mod form;
pub(crate) mod generate;
pub(crate) mod head;
pub(crate) mod machine;
pub(crate) mod output;
pub(crate) mod plot;
pub(crate) mod random;
pub(crate) mod samples;
pub(crate) mod store;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod timing;

use std::process::ExitCode;

/// What is said when a run cannot go on.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Ends a bench: says what kept it from its end, if anything did.
pub(crate) fn exit(bench: &str, result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{bench}: {error}");
            ExitCode::FAILURE
        }
    }
}
