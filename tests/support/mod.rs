//! What the black-box tests are made of: a daemon as its users start it, a client that sends exactly the bytes it is
//! told to, forms, contents that a seed gives again, and the ledger of what was answered.
//!
//! Nothing here calls the daemon's code: the oracle stands outside.
#![allow(dead_code, reason = "every test binary includes all of it and uses a part")]

pub(crate) mod client;
pub(crate) mod content;
pub(crate) mod daemon;
pub(crate) mod disk;
pub(crate) mod form;
pub(crate) mod ledger;
pub(crate) mod load;
pub(crate) mod token;
pub(crate) mod volume;

#[allow(unused_imports, reason = "as above")]
pub(crate) use self::{
    client::{Client, Response, request},
    content::{base64, random_bytes, sha256, sha256_base64},
    daemon::{Daemon, Folder, Setup},
    form::Form,
    ledger::Ledger,
    token::{bearer, create_token, revoke_token, token_command, wait_for_status, wait_for_status_on},
};
