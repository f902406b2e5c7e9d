//! A client of the HTTP contract, for people and scripts: what `rhinobox put`, `get`, `ls` and their like do, and what
//! `rhinobox top` asks with.
//!
//! Always: it is blocking code on threads of its own and touches no store; every wait and every answer has a bound; what a
//! server or a file's name says reaches a terminal only escaped (`show`).

mod error;
mod form;
pub mod get;
mod http;
pub mod list;
mod local;
pub mod put;
pub mod remove;
mod retry;
mod server;
mod show;
pub mod stat;
mod walk;
mod what;

pub use error::ClientError;
pub use http::{Client, Token};
pub use server::Server;
pub use what::What;

/// A text in which nothing moves a terminal.
#[must_use]
pub fn shown(text: &str) -> std::borrow::Cow<'_, str> {
    show::text(text)
}

/// How far a command came. What was not done at all is a [`ClientError`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// All of it was done.
    Done,
    /// Some of it; what was not was named.
    Partly,
    /// What was asked for is not there.
    NotFound,
}
