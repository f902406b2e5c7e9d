//! What a token may do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A right.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Scope {
    /// To store contents, and to name and describe them.
    Upload = 1,
    /// To download, to list, to see statistics and metrics.
    Read = 2,
    /// To delete.
    Delete = 4,
    /// All of it.
    Admin = 8,
}

impl Scope {
    /// All of them.
    pub const ALL: [Scope; 4] = [Scope::Upload, Scope::Read, Scope::Delete, Scope::Admin];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Scope::Upload => "upload",
            Scope::Read => "read",
            Scope::Delete => "delete",
            Scope::Admin => "admin",
        }
    }

    /// Reads a name.
    ///
    /// # Errors
    /// Which names there are.
    pub fn parse(name: &str) -> Result<Scope, String> {
        let found = Scope::ALL.into_iter().find(|scope| scope.as_str() == name);
        found.ok_or_else(|| "a scope is `upload`, `read`, `delete` or `admin`".to_owned())
    }
}

/// Some rights.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// These.
    #[must_use]
    pub const fn of(scopes: &[Scope]) -> Scopes {
        let (mut bits, mut at) = (0, 0);
        while at < scopes.len() {
            bits |= scopes[at] as u8;
            at += 1;
        }
        Scopes(bits)
    }

    /// Whether one of `wanted` is among them. `admin` stands for every one.
    #[must_use]
    pub const fn cover(self, wanted: Scopes) -> bool {
        self.0 & (wanted.0 | Scope::Admin as u8) != 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.0 & *scope as u8 != 0)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, scope) in self.iter().enumerate() {
            f.write_str(if at > 0 { ", " } else { "" })?;
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_covers_itself_and_admin_covers_all() {
        for own in Scope::ALL {
            for wanted in Scope::ALL {
                let covers = Scopes::of(&[own]).cover(Scopes::of(&[wanted]));
                assert_eq!(covers, own == wanted || own == Scope::Admin, "{own:?} {wanted:?}");
            }
            assert_eq!(Scope::parse(own.as_str()), Ok(own));
        }
        assert!(!Scopes::default().cover(Scopes::of(&Scope::ALL)));
        assert!(Scope::parse("Read").is_err());
    }
}
