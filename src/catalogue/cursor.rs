//! Where a list goes on. A cursor says behind which file of which list, and is sealed: one that was altered, or belongs to
//! another list or store, is told from ours.

use super::query::{Order, Query};
use crate::base::digest::Digest;
use crate::base::ids::StoreId;
use crate::limits::FILE_NAME_BYTES_MAX;

/// A place in a list, behind a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// The file's number in the order of arrival.
    pub added: i64,
    /// What the list is ordered by, where that is not the order of arrival.
    pub value: Value,
}

/// What a list is ordered by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// By arrival.
    None,
    /// By size.
    Size(i64),
    /// By name.
    Name(String),
}

/// Bytes of the seal.
const SEAL_BYTES: usize = 8;
const NUMBER_BYTES: usize = 8;

impl Cursor {
    /// As a client keeps it.
    #[must_use]
    pub fn encode(&self, query: &Query, store: StoreId) -> String {
        let mut said = self.added.to_le_bytes().to_vec();
        match &self.value {
            Value::None => {}
            Value::Size(size) => said.extend_from_slice(&size.to_le_bytes()),
            Value::Name(name) => said.extend_from_slice(name.as_bytes()),
        }
        let mut text = String::with_capacity(2 * (SEAL_BYTES + said.len()));
        for byte in seal(&said, query, store).iter().chain(&said) {
            text.push(char::from(HEX[usize::from(byte >> 4)]));
            text.push(char::from(HEX[usize::from(byte & 15)]));
        }
        text
    }

    /// `None` if this is no cursor of that list.
    #[must_use]
    pub fn decode(text: &str, query: &Query, store: StoreId) -> Option<Cursor> {
        if text.len() > 2 * (SEAL_BYTES + NUMBER_BYTES + 3 * FILE_NAME_BYTES_MAX)
            || !text.len().is_multiple_of(2)
        {
            return None;
        }
        let digit = |byte: &u8| HEX.iter().position(|hex| hex == byte).and_then(|at| u8::try_from(at).ok());
        let pairs = text.as_bytes().chunks_exact(2);
        let bytes: Option<Vec<u8>> =
            pairs.map(|pair| Some(digit(&pair[0])? << 4 | digit(&pair[1])?)).collect();
        let bytes = bytes?;
        let (sealed, said) = bytes.split_at_checked(SEAL_BYTES)?;
        if seal(said, query, store) != sealed {
            return None;
        }
        let (added, rest) = said.split_first_chunk::<NUMBER_BYTES>()?;
        let value = match query.order {
            Order::Newest | Order::Oldest => rest.is_empty().then_some(Value::None)?,
            Order::Largest | Order::Smallest => Value::Size(i64::from_le_bytes(rest.try_into().ok()?)),
            Order::Name | Order::NameDescending => Value::Name(String::from_utf8(rest.to_vec()).ok()?),
        };
        Some(Cursor { added: i64::from_le_bytes(*added), value })
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Not a secret: whoever can make one may as well ask for the list.
fn seal(said: &[u8], query: &Query, store: StoreId) -> [u8; SEAL_BYTES] {
    let mut sealed = b"rhinobox cursor 1 ".to_vec();
    sealed.extend_from_slice(&store.0);
    sealed.extend_from_slice(query.identity().as_bytes());
    sealed.push(0);
    sealed.extend_from_slice(said);
    *Digest::of(&sealed).0.first_chunk().expect("a digest has 32 bytes")
}
