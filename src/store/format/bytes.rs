//! Reading and writing little-endian fields in order.

use super::FormatError;

/// Writes fields one after the other into a slice of exactly the right size.
pub(in crate::store) struct Writer<'a> {
    to: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    pub(in crate::store) fn new(to: &'a mut [u8]) -> Self {
        Writer { to, at: 0 }
    }

    pub(in crate::store) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.to[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
        self
    }

    pub(in crate::store) fn zeros(&mut self, count: usize) -> &mut Self {
        self.to[self.at..self.at + count].fill(0);
        self.at += count;
        self
    }

    pub(in crate::store) fn u8(&mut self, n: u8) -> &mut Self {
        self.bytes(&[n])
    }

    pub(in crate::store) fn u16(&mut self, n: u16) -> &mut Self {
        self.bytes(&n.to_le_bytes())
    }

    pub(in crate::store) fn u32(&mut self, n: u32) -> &mut Self {
        self.bytes(&n.to_le_bytes())
    }

    pub(in crate::store) fn u64(&mut self, n: u64) -> &mut Self {
        self.bytes(&n.to_le_bytes())
    }

    pub(in crate::store) fn i64(&mut self, n: i64) -> &mut Self {
        self.bytes(&n.to_le_bytes())
    }

    /// How many bytes were written.
    pub(in crate::store) fn position(&self) -> usize {
        self.at
    }
}

/// Reads fields one after the other; `Short` where they end too early.
pub(in crate::store) struct Reader<'a>(pub(in crate::store) &'a [u8]);

impl<'a> Reader<'a> {
    pub(in crate::store) fn bytes(&mut self, count: usize) -> Result<&'a [u8], FormatError> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(FormatError::Short)?;
        self.0 = rest;
        Ok(head)
    }

    pub(in crate::store) fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(FormatError::Short)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(in crate::store) fn zeros(&mut self, count: usize) -> Result<(), FormatError> {
        if self.bytes(count)?.iter().all(|byte| *byte == 0) { Ok(()) } else { Err(FormatError::Inconsistent) }
    }

    pub(in crate::store) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::store) fn u8(&mut self) -> Result<u8, FormatError> {
        Ok(self.array::<1>()?[0])
    }

    pub(in crate::store) fn u16(&mut self) -> Result<u16, FormatError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(in crate::store) fn u32(&mut self) -> Result<u32, FormatError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(in crate::store) fn u64(&mut self) -> Result<u64, FormatError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(in crate::store) fn i64(&mut self) -> Result<i64, FormatError> {
        Ok(i64::from_le_bytes(self.array()?))
    }
}
