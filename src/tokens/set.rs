//! The tokens in force, and the decision whether a request is let in.

use std::sync::Arc;

use super::file::Record;
use super::rate::Meter;
use super::scope::Scopes;
use super::secret;
use crate::base::time::Wall;
use crate::runtime::clock;

/// A token, without its secret.
#[derive(Debug)]
pub struct Token {
    /// What its owner calls it: letters, digits, `.`, `_` and `-`.
    pub name: Arc<str>,
    /// What it may do.
    pub scopes: Scopes,
    /// Until when.
    pub expires: Option<Wall>,
    requests_per_s: Option<u32>,
    meter: Option<Arc<Meter>>,
}

/// The tokens in force. There may be none: then nobody is let in.
#[derive(Debug, Default)]
pub struct TokenSet {
    /// Parallel to `tokens`, and close together: all are looked at with each request.
    hashes: Vec<[u8; 32]>,
    tokens: Vec<Token>,
}

impl TokenSet {
    /// Those of a file.
    #[must_use]
    pub fn new(records: &[Record]) -> TokenSet {
        let token = |record: &Record| Token {
            name: record.name.as_str().into(),
            scopes: Scopes::of(&record.scopes),
            expires: record.expires_unix_s.map(|seconds| Wall(seconds.saturating_mul(1_000_000_000))),
            requests_per_s: record.requests_per_s,
            meter: record.requests_per_s.map(|rate| Arc::new(Meter::new(rate))),
        };
        TokenSet {
            hashes: records.iter().map(|record| record.sha256.0).collect(),
            tokens: records.iter().map(token).collect(),
        }
    }

    /// Goes on counting where `before` was: a change of the file gives nobody a new burst.
    fn inherit(&mut self, before: &TokenSet) {
        for (hash, token) in self.hashes.iter().zip(&mut self.tokens) {
            let known = before.hashes.iter().position(|other| other == hash).map(|at| &before.tokens[at]);
            if let Some(known) = known.filter(|known| known.requests_per_s == token.requests_per_s) {
                token.meter.clone_from(&known.meter);
            }
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The token with this secret. Every hash is compared whole, whether or not one was found: how long that takes depends
    /// on their number alone.
    fn find(&self, secret: &[u8]) -> Option<&Token> {
        let hash = secret::hash(secret).0;
        let mut found = None;
        for (at, kept) in self.hashes.iter().enumerate() {
            let differing = kept.iter().zip(&hash).fold(0, |bits, (kept, shown)| bits | (kept ^ shown));
            if std::hint::black_box(differing) == 0 {
                found = Some(at);
            }
        }
        found.map(|at| &self.tokens[at])
    }
}

/// What a request needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// Nothing: whoever asks is answered.
    Nothing,
    /// A token, whatever it may do.
    AnyToken,
    /// A token with one of these.
    OneOf(Scopes),
}

/// Why a request is not let in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Denied {
    /// It shows no token.
    NoToken,
    /// It shows one that is none, or no longer.
    Unknown,
    /// Its token's time is over.
    Expired(Arc<str>, Wall),
    /// Its token may do other things, and none of these.
    Lacks(Arc<str>, Scopes),
    /// Its token has asked too often; in so many seconds it may again.
    TooOften(Arc<str>, u32),
    /// The tokens cannot be read.
    Closed,
}

/// Who is let in.
#[derive(Debug)]
pub enum Access {
    /// Everybody: there never was a file of tokens.
    Open,
    /// Who has one of these.
    Tokens(TokenSet),
    /// Nobody, because the file of tokens cannot be read: why, in words.
    Closed(String),
}

impl Access {
    /// The access behind a change of the file.
    #[must_use]
    pub fn succeed(mut self, before: &Access) -> Access {
        if let (Access::Tokens(set), Access::Tokens(before)) = (&mut self, before) {
            set.inherit(before);
        }
        self
    }

    /// Lets a request in that shows this secret and needs that much. Gives its token, where there are any.
    ///
    /// # Errors
    /// Why it is not let in.
    pub fn admit(&self, shown: Option<&[u8]>, need: Need) -> Result<Option<&Token>, Denied> {
        let set = match self {
            _ if need == Need::Nothing => return Ok(None),
            Access::Open => return Ok(None),
            Access::Closed(_) => return Err(Denied::Closed),
            Access::Tokens(set) => set,
        };
        let token = set.find(shown.ok_or(Denied::NoToken)?).ok_or(Denied::Unknown)?;
        if let Some(expires) = token.expires.filter(|expires| *expires <= clock::wall()) {
            return Err(Denied::Expired(token.name.clone(), expires));
        }
        if let Need::OneOf(scopes) = need
            && !token.scopes.cover(scopes)
        {
            return Err(Denied::Lacks(token.name.clone(), scopes));
        }
        if let Some(meter) = &token.meter
            && let Err(wait_ns) = meter.take(clock::now_ns())
        {
            let seconds = u32::try_from(wait_ns.div_ceil(1_000_000_000)).unwrap_or(u32::MAX).max(1);
            return Err(Denied::TooOften(token.name.clone(), seconds));
        }
        Ok(Some(token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::Scope;

    fn record(name: &str, secret: &str, scopes: &[Scope]) -> Record {
        Record {
            name: name.to_owned(),
            sha256: secret::hash(secret.as_bytes()),
            scopes: scopes.to_vec(),
            created_unix_s: 0,
            expires_unix_s: None,
            requests_per_s: None,
        }
    }

    const READ: Need = Need::OneOf(Scopes::of(&[Scope::Read]));

    fn name(admitted: Result<Option<&Token>, Denied>) -> Result<Option<String>, Denied> {
        admitted.map(|token| token.map(|token| token.name.to_string()))
    }

    #[test]
    fn a_token_does_what_its_scopes_say() {
        let records = [
            record("r", "1", &[Scope::Read]),
            record("u", "2", &[Scope::Upload]),
            record("a", "3", &[Scope::Admin]),
        ];
        let access = Access::Tokens(TokenSet::new(&records));
        assert_eq!(name(access.admit(Some(b"1"), READ)), Ok(Some("r".to_owned())));
        assert_eq!(name(access.admit(Some(b"3"), READ)), Ok(Some("a".to_owned())));
        assert_eq!(
            name(access.admit(Some(b"2"), READ)),
            Err(Denied::Lacks("u".into(), Scopes::of(&[Scope::Read])))
        );
        assert_eq!(name(access.admit(Some(b"2"), Need::AnyToken)), Ok(Some("u".to_owned())));
        let either = Need::OneOf(Scopes::of(&[Scope::Upload, Scope::Read]));
        assert!(access.admit(Some(b"1"), either).is_ok() && access.admit(Some(b"2"), either).is_ok());
        assert_eq!(name(access.admit(Some(b"4"), READ)), Err(Denied::Unknown));
        assert_eq!(name(access.admit(None, Need::AnyToken)), Err(Denied::NoToken));
        assert_eq!(name(access.admit(None, Need::Nothing)), Ok(None));
    }

    #[test]
    fn no_tokens_and_unreadable_ones_let_nobody_in() {
        let none = Access::Tokens(TokenSet::default());
        assert_eq!(name(none.admit(Some(b"1"), READ)), Err(Denied::Unknown));
        assert_eq!(name(none.admit(None, READ)), Err(Denied::NoToken));
        let closed = Access::Closed("torn".to_owned());
        assert_eq!(name(closed.admit(Some(b"1"), READ)), Err(Denied::Closed));
        assert_eq!(name(closed.admit(None, Need::Nothing)), Ok(None));
        assert_eq!(name(Access::Open.admit(None, READ)), Ok(None));
    }

    #[test]
    fn an_expired_token_is_none() {
        let expiring = |seconds| Record { expires_unix_s: Some(seconds), ..record("e", "1", &[Scope::Read]) };
        let now_s = clock::wall().seconds();
        let past = Access::Tokens(TokenSet::new(&[expiring(now_s - 1)]));
        assert!(matches!(past.admit(Some(b"1"), READ), Err(Denied::Expired(..))));
        let future = Access::Tokens(TokenSet::new(&[expiring(now_s + 1_000)]));
        assert!(future.admit(Some(b"1"), READ).is_ok());
    }

    #[test]
    fn a_rate_outlasts_a_change_of_the_file() {
        let limited = |rate| [Record { requests_per_s: Some(rate), ..record("l", "1", &[Scope::Read]) }];
        let access = Access::Tokens(TokenSet::new(&limited(2)));
        let admitted = |access: &Access| (0..4).filter(|_| access.admit(Some(b"1"), READ).is_ok()).count();
        assert_eq!(admitted(&access), 2);
        assert_eq!(name(access.admit(Some(b"1"), READ)), Err(Denied::TooOften("l".into(), 1)));
        let same = Access::Tokens(TokenSet::new(&limited(2))).succeed(&access);
        assert_eq!(admitted(&same), 0);
        let other = Access::Tokens(TokenSet::new(&limited(3))).succeed(&access);
        assert_eq!(admitted(&other), 3);
    }
}
