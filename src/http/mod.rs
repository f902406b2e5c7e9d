//! HTTP/1.1 on the wire, sans-I/O: bytes in, events out.
//!
//! Nothing here reads, writes, waits or knows a connection. Parsers take [`bytes::Bytes`] and give slices of
//! them back, so that body bytes are never copied; decisions are plain functions. Every parser is total: no
//! input makes it panic, and what it holds on to is bounded by [`limits`](crate::limits).
//!
//! The way of a request: [`head`] → [`origin`], [`authorization`] and [`route`] → [`framing`] → [`multipart`]; the way of an
//! answer: [`conditional`] and [`range`] → [`response`], or an [`error::HttpError`].

pub mod error;

pub mod base64;
pub mod chars;
pub mod digest_field;
pub mod fields;
pub mod json;

pub mod framing;
pub mod head;
pub mod multipart;

pub mod authorization;
pub mod origin;
pub mod route;
pub mod target;

pub mod conditional;
pub mod range;
pub mod response;

#[cfg(test)]
mod total_tests;
