//! `multipart/form-data` as a stream (RFC 7578, RFC 2046 section 5.1): buffers in, parts out.
//!
//! - [`boundary`]: the boundary a Content-Type names.
//! - [`parser`]: the push parser.
//! - [`part`]: what a part's head says.
//! - [`parameter`]: `; name=value` lists, for both.

pub mod boundary;
pub mod parameter;
pub mod parser;
pub mod part;

pub use boundary::Boundary;
pub use parser::{Event, Multipart};
pub use part::{FileName, PartHead};
