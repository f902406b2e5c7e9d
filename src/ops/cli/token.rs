//! `rhinobox token` as typed.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::tokens::{Scope, file};

/// What to do with tokens.
#[derive(Subcommand, Clone, Debug)]
pub enum TokenCommand {
    /// Make a token and print it, this once; from then on nobody is let in without one
    Create(NewToken),
    /// List the tokens: names, scopes, times; never a secret
    List {
        /// Where they are kept.
        #[command(flatten)]
        place: Place,
    },
    /// Take a token back; a daemon that runs refuses it within a second
    Revoke {
        /// Its name
        name: String,
        /// Where they are kept.
        #[command(flatten)]
        place: Place,
    },
}

impl TokenCommand {
    /// Where the tokens are kept.
    #[must_use]
    pub fn place(&self) -> &Place {
        match self {
            TokenCommand::Create(new) => &new.place,
            TokenCommand::List { place } | TokenCommand::Revoke { place, .. } => place,
        }
    }
}

/// A token to be made.
#[derive(Args, Clone, Debug)]
pub struct NewToken {
    /// What it is called: up to 64 letters, digits, ".", "_" and "-"
    #[arg(value_parser = parse_token_name)]
    pub name: String,
    /// What it may do: upload, read, delete, admin (all of them); repeatable, or separated by commas
    #[arg(long, value_name = "SCOPE", required = true, value_delimiter = ',', value_parser = Scope::parse)]
    pub scope: Vec<Scope>,
    /// After what time it expires, such as 12h or 90d [default: never]
    #[arg(long, value_name = "TIME", value_parser = parse_age)]
    pub expires_in: Option<Duration>,
    /// Requests a second that it may make; a second's worth may come at once [default: no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: Option<u32>,
    /// Where it is kept.
    #[command(flatten)]
    pub place: Place,
}

/// Which data folder.
#[derive(Args, Clone, Debug)]
pub struct Place {
    /// The data folder [default: RHINOBOX_DATA_DIR, else what the settings file says, else ./data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<OsString>,
    /// Settings file, if it is that which names the data folder
    #[arg(long, value_name = "FILE")]
    pub config: Option<OsString>,
}

fn parse_token_name(text: &str) -> Result<String, String> {
    let why = "give up to 64 letters, digits, `.`, `_` and `-`";
    file::is_name(text).then(|| text.to_owned()).ok_or_else(|| why.to_owned())
}

/// `30s`, `5m`, `12h`, `90d`: up to a hundred years.
fn parse_age(text: &str) -> Result<Duration, String> {
    let age = text.char_indices().next_back().and_then(|(at, unit)| {
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        };
        text[..at].parse::<u32>().ok().map(|count| u64::from(count) * seconds)
    });
    let age = age.filter(|seconds| (1..=36_525 * 86_400).contains(seconds));
    age.map(Duration::from_secs).ok_or_else(|| "give a number and s, m, h or d, such as 90d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::cli::{Cli, Command};
    use clap::Parser as _;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn tokens_have_a_name_and_scopes() {
        let typed =
            parse("rhinobox token create web-1 --scope upload,read --scope delete --expires-in 90d --rate 5");
        let Some(Command::Token(TokenCommand::Create(new))) = typed.unwrap().command else {
            panic!("a token was asked for");
        };
        assert_eq!((new.name.as_str(), new.rate), ("web-1", Some(5)));
        assert_eq!(new.scope, [Scope::Upload, Scope::Read, Scope::Delete]);
        assert_eq!(new.expires_in, Some(Duration::from_secs(90 * 86_400)));
        assert!(
            parse("rhinobox token list --data-dir d").is_ok() && parse("rhinobox token revoke a").is_ok()
        );
        for line in [
            "",
            "create",
            "create a",
            "create a/b --scope read",
            "create a --scope write",
            "create a --scope read --expires-in 0d",
            "create a --scope read --expires-in d",
            "create a --scope read --expires-in 5w",
            "create a --scope read --expires-in 4294967295d",
            "create a --scope read --rate 0",
            "revoke",
        ] {
            assert!(parse(&format!("rhinobox token {line}")).is_err(), "{line}");
        }
    }
}
