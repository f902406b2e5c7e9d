//! Chunked bodies, cut everywhere.

use super::*;
