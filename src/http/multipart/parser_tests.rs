//! The push parser against itself, cut everywhere, and against another implementation.

use super::*;
