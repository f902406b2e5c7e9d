//! The log: lines on standard error, for a person or as JSON.
//!
//! Always true: no field brings a control character or a change of writing direction to the terminal, nor
//! starts a line. What clients send is escaped on its way into the line, not where it is logged.

use std::fmt::{self, Write as _};
use std::io::IsTerminal as _;
use std::time::SystemTime;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use crate::base::time::Wall;
use crate::ops::config::{LogFormat, Settings};

/// Starts logging to standard error. Once a process; later calls do nothing.
pub fn init(settings: &Settings) {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let subscriber = subscriber(settings.log_format, settings.log_level, colour, std::io::stderr);
    // Only fails if there is one already.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

fn subscriber<W>(
    format: LogFormat,
    level: tracing::Level,
    colour: bool,
    writer: W,
) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let fields = debug_fn(|writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug| {
        if field.name() != "message" {
            write!(writer, "{}=", field.name())?;
        }
        write!(Escaped(writer), "{value:?}")
    });
    let builder = tracing_subscriber::fmt().with_max_level(level).with_writer(writer).with_ansi(colour);
    match format {
        LogFormat::Human => {
            use tracing_subscriber::field::MakeExt as _;
            Box::new(builder.fmt_fields(fields.delimited(" ")).finish())
        }
        LogFormat::Json => Box::new(builder.with_ansi(false).event_format(Json).finish()),
    }
}

/// Whether a character could do more to a terminal than be shown: controls, line separators, and the formatting
/// characters that reorder what surrounds them (Unicode Bidirectional Algorithm, section 2).
fn is_hostile(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Writes text with hostile characters as `\u{1b}`.
struct Escaped<'a, W>(&'a mut W);

impl<W: fmt::Write> fmt::Write for Escaped<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((at, char)) = rest.char_indices().find(|(_, char)| is_hostile(*char)) {
            self.0.write_str(&rest[..at])?;
            write!(self.0, "{}", char.escape_default())?;
            rest = &rest[at + char.len_utf8()..];
        }
        self.0.write_str(rest)
    }
}

/// An event as a JSON object: `time`, `level`, `target` and the event's fields, of which `message` is one.
/// Spans are not written.
struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = Wall(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX));
        let (level, target) = (event.metadata().level(), event.metadata().target());
        write!(writer, r#"{{"time":"{}","level":"{level}","target":"{target}""#, now.rfc3339())?;
        let mut members = Members { writer: &mut writer, result: Ok(()) };
        event.record(&mut members);
        members.result?;
        writeln!(writer, "}}")
    }
}

struct Members<'a, 'w> {
    writer: &'a mut Writer<'w>,
    result: fmt::Result,
}

impl Members<'_, '_> {
    fn raw(&mut self, field: &Field, value: impl fmt::Display) {
        let name = field.name();
        self.result = self.result.and_then(|()| write!(self.writer, r#","{name}":{value}"#));
    }

    fn text(&mut self, field: &Field, value: impl fmt::Display) {
        let name = field.name();
        self.result = self.result.and_then(|()| {
            write!(self.writer, r#","{name}":""#)?;
            write!(JsonText(self.writer), "{value}")?;
            self.writer.write_char('"')
        });
    }
}

impl Visit for Members<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.raw(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.raw(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.raw(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() { self.raw(field, value) } else { self.text(field, value) }
    }
}

/// Writes the inside of a JSON string (RFC 8259 section 7), hostile characters escaped though JSON would allow some.
struct JsonText<'a, W>(&'a mut W);

impl<W: fmt::Write> fmt::Write for JsonText<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            match char {
                '"' | '\\' => write!(self.0, "\\{char}")?,
                // All of them lie below U+10000, so four digits do.
                _ if is_hostile(char) => write!(self.0, "\\u{:04x}", u32::from(char))?,
                _ => self.0.write_char(char)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const HOSTILE: &str =
        "a\r\n2026 ERROR forged\x1b]0;t\x07\x08\x7f\u{9b}31m\u{202e}gpj.\u{2028}\u{2066}\0é\"\\";

    fn logged(format: LogFormat, event: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = subscriber(format, tracing::Level::INFO, false, move || writer.clone());
        tracing::subscriber::with_default(subscriber, event);
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn events() {
        tracing::debug!("not shown");
        tracing::info!(name = HOSTILE, shown = %HOSTILE, debugged = ?HOSTILE, n = 7, ok = true, "stored {HOSTILE}");
    }

    #[test]
    fn no_field_brings_control_characters_to_a_line() {
        for format in [LogFormat::Human, LogFormat::Json] {
            let text = logged(format, events);
            let line = text.strip_suffix('\n').expect("one line");
            assert!(!line.chars().any(is_hostile), "{line:?}");
            assert!(line.contains("forged") && line.contains('é') && !line.contains("not shown"));
        }
    }

    #[test]
    fn human_lines_name_their_fields() {
        let line = logged(LogFormat::Human, events);
        assert!(line.contains("INFO") && line.contains(" n=7 ok=true"), "{line}");
        assert!(line.contains(r"stored a\r\n2026 ERROR forged\u{1b}]0;t\u{7}"), "{line}");
    }

    #[test]
    fn json_lines_are_json_and_give_text_back_unchanged() {
        let line = logged(LogFormat::Json, events);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&value["level"], &value["n"], &value["ok"]), (&"INFO".into(), &7.into(), &true.into()));
        assert_eq!(value["name"], HOSTILE);
        assert_eq!(value["shown"], HOSTILE);
        assert_eq!(value["message"], format!("stored {HOSTILE}"));
        assert!(value["time"].as_str().unwrap().ends_with('Z'));
    }
}
