//! rhinobox: a storage daemon for uploaded media.
//!
//! Modules are listed in layer order: a module imports only from those above it, and
//! `http` and `store` never see each other; they meet in [`server`].
//! docs/ARCHITECTURE.md is the map.

pub mod limits;

pub mod base;
pub mod media;

pub mod http;

pub mod runtime;
pub mod store;
pub mod tokens;

pub mod catalogue;

pub mod ingest;
pub mod server;

pub mod client;

pub mod ops;
