//! What the targets share: how an input is taken apart.
//!
//! Always: the same input is taken apart the same way, so that a file that failed fails again.

/// Takes bytes off the front of an input; zeros once it is used up.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or(0)
    }

    /// The next two bytes as a number.
    pub fn number(&mut self) -> usize {
        usize::from(u16::from_le_bytes([self.byte(), self.byte()]))
    }

    /// Up to `len` bytes.
    pub fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// The ways to cut `whole` that a target compares: at each place `at` that the input names, and, where that is not
/// much work, byte by byte.
pub fn cuts<'a>(whole: &'a [u8], at: [u8; 2]) -> Vec<Vec<&'a [u8]>> {
    let place = |share: u8| whole.len() * usize::from(share) / 255;
    let (first, second) = (place(at[0]).min(place(at[1])), place(at[0]).max(place(at[1])));
    let mut cuts = vec![vec![&whole[..first], &whole[first..second], &whole[second..]]];
    if whole.len() <= 512 {
        cuts.push(whole.chunks(1).collect());
    }
    cuts
}
