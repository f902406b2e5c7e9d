//! The places a setting may stand in, and reading it from the best of them.
//!
//! Always true: a value that is refused is shown escaped, with its place.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::Ipv6Addr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::ops::cli::Flags;
use crate::ops::config::{ConfigError, Environment, File, NAMES};

fn variable_name(name: &str) -> String {
    format!("RHINOBOX_{}", name.to_ascii_uppercase())
}

/// An empty variable is an unset one: that is all a unit file or a compose file can say.
pub(super) fn variable(env: Environment<'_>, name: &str) -> Option<OsString> {
    env(&variable_name(name)).filter(|value| !value.is_empty())
}

/// Reads a settings file, all of whose names must be known.
pub(super) fn parse<'a>(file: &File<'a>) -> Result<DeTable<'a>, ConfigError> {
    let path = file.place.path.display();
    let table = DeTable::parse(file.text).map_err(|error| {
        let line = error.span().map(|span| line_of(file.text, span.start)).unwrap_or(1);
        let message = error.message().replace('\n', ", ");
        ConfigError(format!("{path}, line {line}, is not TOML: {message}"))
    })?;
    let table = table.into_inner();
    for key in table.keys() {
        let line = line_of(file.text, key.span().start);
        let key = key.get_ref().as_ref();
        if !NAMES.contains(&key) {
            let known = NAMES.join(", ");
            let key = key.escape_debug();
            return Err(ConfigError(format!(
                "{path}, line {line}, has an unknown setting `{key}`; known are {known}"
            )));
        }
        if key == "data_dir" && !file.place.required {
            return Err(ConfigError(format!(
                "data_dir in {path}, line {line}, cannot be set by a file that is itself found in the data folder; \
                 use --data-dir, RHINOBOX_DATA_DIR or --config"
            )));
        }
    }
    Ok(table)
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// The three places of a setting, best first.
pub(super) struct Sources<'a> {
    pub(super) flags: &'a Flags,
    pub(super) env: Environment<'a>,
    pub(super) file: Option<&'a File<'a>>,
    pub(super) table: Option<&'a DeTable<'a>>,
}

/// A setting as one of them has it.
enum Found<'a> {
    Typed { text: OsString, place: String },
    Filed { value: &'a DeValue<'a>, place: String },
}

impl Found<'_> {
    /// The sentence that refuses it.
    fn refuse(&self, name: &str, allowed: impl fmt::Display) -> ConfigError {
        let (shown, place) = match self {
            Found::Typed { text, place } => (text.to_string_lossy().into_owned(), place),
            Found::Filed { value, place } => (show(value), place),
        };
        let shown = shown.escape_debug();
        ConfigError(format!("{name} {place} is `{shown}`; it must be {allowed}"))
    }
}

fn show(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        other => format!("a TOML {}", other.type_str()),
    }
}

impl<'a> Sources<'a> {
    fn find(&self, name: &str) -> Option<Found<'a>> {
        if let Some(text) = self.flags.get(name) {
            let place = format!("given by --{}", name.replace('_', "-"));
            return Some(Found::Typed { text: text.to_owned(), place });
        }
        if let Some(text) = variable(self.env, name) {
            return Some(Found::Typed { text, place: format!("from {}", variable_name(name)) });
        }
        self.filed(name).map(|(value, place)| Found::Filed { value, place })
    }

    fn filed(&self, name: &str) -> Option<(&'a DeValue<'a>, String)> {
        let (file, value): (_, &Spanned<DeValue<'_>>) = (self.file?, self.table?.get(name)?);
        let line = line_of(file.text, value.span().start);
        Some((value.get_ref(), format!("in {}, line {line},", file.place.path.display())))
    }

    /// A whole number within `range`.
    pub(super) fn number(&self, name: &str, range: &RangeInclusive<u64>) -> Result<Option<u64>, ConfigError> {
        let Some(found) = self.find(name) else { return Ok(None) };
        let number = match &found {
            Found::Typed { text, .. } => text.to_str().and_then(|text| text.parse().ok()),
            Found::Filed { value: DeValue::Integer(n), .. } => {
                u64::from_str_radix(n.as_str(), n.radix()).ok()
            }
            Found::Filed { .. } => None,
        };
        let allowed = format_args!("a whole number from {} to {}", range.start(), range.end());
        number.filter(|n| range.contains(n)).map(Some).ok_or_else(|| found.refuse(name, allowed))
    }

    /// A word that `read` understands.
    pub(super) fn text<T>(
        &self,
        name: &str,
        allowed: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(found) = self.find(name) else { return Ok(None) };
        let text = match &found {
            Found::Typed { text, .. } => text.to_str(),
            Found::Filed { value, .. } => value.as_str(),
        };
        text.and_then(read).map(Some).ok_or_else(|| found.refuse(name, allowed))
    }

    /// A path may be any bytes that the file system takes.
    pub(super) fn path(&self, name: &str, default: &str) -> Result<PathBuf, ConfigError> {
        let path = match self.find(name) {
            None => return Ok(PathBuf::from(default)),
            Some(Found::Typed { ref text, .. }) if !text.is_empty() => PathBuf::from(text),
            Some(Found::Filed { value: DeValue::String(text), .. }) if !text.is_empty() => {
                Path::new(&**text).into()
            }
            Some(found) => return Err(found.refuse(name, "the path of a folder")),
        };
        Ok(path)
    }

    /// A yes or no; no if absent.
    pub(super) fn flag(&self, name: &str) -> Result<bool, ConfigError> {
        let Some(found) = self.find(name) else { return Ok(false) };
        let value = match &found {
            Found::Typed { text, .. } => text.to_str().and_then(parse_bool),
            Found::Filed { value, .. } => value.as_bool(),
        };
        value.ok_or_else(|| found.refuse(name, "`true` or `false`"))
    }

    /// Repeated on the command line, separated by commas in the environment, an array or a string in the file.
    pub(super) fn hosts(&self) -> Result<Vec<String>, ConfigError> {
        const NAME: &str = "host";
        const ALLOWED: &str = "host names without port, such as media.example.org";
        let read = |found: Found<'_>, text: Option<&str>| {
            text.and_then(parse_host).ok_or_else(|| found.refuse(NAME, ALLOWED))
        };
        let typed =
            |text: &OsStr, place: &str| Found::Typed { text: text.to_owned(), place: place.to_owned() };
        if !self.flags.host.is_empty() {
            let hosts = self.flags.host.iter();
            return hosts.map(|host| read(typed(host, "given by --host"), host.to_str())).collect();
        }
        if let Some(list) = variable(self.env, NAME) {
            let found = || typed(&list, "from RHINOBOX_HOST");
            let text = list.to_str().ok_or_else(|| found().refuse(NAME, ALLOWED))?;
            return text.split(',').map(|host| read(found(), Some(host.trim()))).collect();
        }
        let Some((value, place)) = self.filed(NAME) else { return Ok(Vec::new()) };
        let filed = |value| Found::Filed { value, place: place.clone() };
        match value {
            DeValue::Array(items) => {
                items.iter().map(Spanned::get_ref).map(|item| read(filed(item), item.as_str())).collect()
            }
            value => Ok(vec![read(filed(value), value.as_str())?]),
        }
    }
}

/// A Host name without port: a DNS name or an address, an IPv6 one in brackets.
fn parse_host(text: &str) -> Option<String> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let fine = match inner {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)),
    };
    (fine && !text.is_empty() && text.len() <= 253).then(|| text.to_ascii_lowercase())
}

fn parse_bool(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}
