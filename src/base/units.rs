//! Units and alignment arithmetic.

/// Bytes in a KiB.
pub const KIB: usize = 1024;
/// Bytes in a MiB.
pub const MIB: usize = 1024 * KIB;

/// The least multiple of `align` that is not below `n`. `align` is a power of two.
#[must_use]
pub const fn align_up(n: u64, align: u64) -> u64 {
    assert!(align.is_power_of_two());
    (n + align - 1) & !(align - 1)
}

/// The greatest multiple of `align` that is not above `n`. `align` is a power of two.
#[must_use]
pub const fn align_down(n: u64, align: u64) -> u64 {
    assert!(align.is_power_of_two());
    n & !(align - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_keeps_multiples_and_moves_the_rest() {
        assert_eq!(align_up(0, 4096), 0);
        assert_eq!(align_up(1, 4096), 4096);
        assert_eq!(align_up(4096, 4096), 4096);
        assert_eq!(align_down(4095, 4096), 0);
        assert_eq!(align_down(8191, 4096), 4096);
    }
}
