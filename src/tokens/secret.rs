//! The secret of a token: 256 random bits, and its SHA-256, by which it is known again.
//!
//! A fast hash without salt is enough here, unlike for passwords: a secret is drawn from 2^256, so that neither a list of
//! likely ones nor trying them all leads from the hash back to it. And it is looked up with each request.

use crate::base::digest::Digest;
use crate::runtime;

/// What every token begins with, so that programs that look for leaked secrets can tell one.
pub const PREFIX: &str = "rhinobox_";

/// A new secret, as its owner is shown it: [`PREFIX`] and 64 hexadecimal digits.
#[must_use]
pub fn create() -> String {
    let mut bytes = [0; 32];
    for half in bytes.chunks_exact_mut(16) {
        half.copy_from_slice(&runtime::random());
    }
    format!("{PREFIX}{}", Digest(bytes))
}

/// What is kept of a secret.
#[must_use]
pub fn hash(secret: &[u8]) -> Digest {
    Digest::of(secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TOKEN_BYTES_MAX;

    #[test]
    fn secrets_differ_and_fit() {
        let (one, other) = (create(), create());
        assert_ne!(one, other);
        assert!(one.len() <= TOKEN_BYTES_MAX && one.starts_with(PREFIX), "{one}");
        assert_ne!(hash(one.as_bytes()), hash(one.to_uppercase().as_bytes()));
    }
}
