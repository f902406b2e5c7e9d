//! The reject table of RFC 9112, and what a good head says.

use super::*;
