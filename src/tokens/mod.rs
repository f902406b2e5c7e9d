//! Tokens: who may do what. A secret that a client shows, and what the daemon keeps of it.
//!
//! Always: no secret is kept, only its SHA-256; what cannot be read lets nobody in; once there is a file of tokens nobody is
//! let in without one, however many are left in it.
//!
//! [`scope`] is what a token may do, [`secret`] how one is made and known again, [`mod@file`] where they are kept, [`set`] those
//! in force and the decision, [`rate`] how often one may ask, [`gate`] how the cores get to see a change.

pub mod file;
pub mod gate;
pub mod rate;
pub mod scope;
pub mod secret;
pub mod set;

pub use file::Record;
pub use gate::{Gate, View};
pub use scope::{Scope, Scopes};
pub use set::{Access, Denied, Need, Token, TokenSet};
