//! Wall-clock time as the store keeps it (nanoseconds since 1970 in UTC) and as HTTP and JSON show it.
//!
//! Nothing is ever ordered by it: that is what an [`Lsn`](crate::base::ids::Lsn) is for.

use std::fmt;

/// Nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Wall(pub i64);

/// A moment split into calendar fields, proleptic Gregorian, UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Civil {
    year: i64,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    /// 0 is Sunday.
    weekday: u8,
}

const DAY_SECONDS: i64 = 86_400;

impl Wall {
    /// Whole seconds since 1970.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }

    /// `2025-11-15T10:30:00Z` (RFC 3339).
    #[must_use]
    pub fn rfc3339(self) -> impl fmt::Display {
        Rfc3339(self.civil())
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7, IMF-fixdate).
    #[must_use]
    pub fn http_date(self) -> impl fmt::Display {
        HttpDate(self.civil())
    }

    /// Reads an IMF-fixdate. The two obsolete forms of RFC 9110 are not taken: a condition on them is ignored.
    /// A date that nanoseconds since 1970 cannot say (years before 1678 and after 2261) becomes the nearest that
    /// they can: it is as early, or as late, as any that is compared with it.
    #[must_use]
    pub fn from_http_date(text: &str) -> Option<Wall> {
        let bytes = text.as_bytes();
        if bytes.len() != 29 || !text.is_ascii() || &bytes[25..] != b" GMT" || &bytes[3..5] != b", " {
            return None;
        }
        let number = |range: std::ops::Range<usize>| -> Option<i64> {
            let digits = &text[range];
            digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
        };
        let month = MONTHS.iter().position(|m| *m == &text[8..11])?;
        let (day, year) = (number(5..7)?, number(12..16)?);
        let (hour, minute, second) = (number(17..19)?, number(20..22)?, number(23..25)?);
        if !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let days = days_from_civil(year, i64::try_from(month).ok()? + 1, day);
        let seconds = days * DAY_SECONDS + hour * 3600 + minute * 60 + second;
        Some(Wall(seconds.saturating_mul(1_000_000_000)))
    }

    /// Reads RFC 3339: `2025-11-15T10:30:00Z`, `2025-11-15T10:30:00.123456789+05:30`. None for what nanoseconds since 1970
    /// cannot say.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Wall> {
        if !text.is_ascii() || text.len() < 20 {
            return None;
        }
        let number = |range: std::ops::Range<usize>| -> Option<i64> {
            let digits = text.get(range)?;
            digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
        };
        let is = |at: usize, these: &[u8]| these.contains(&text.as_bytes()[at]);
        if !(is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":")) {
            return None;
        }
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
        let days = days_of_month(year, month)?;
        if !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let (nanoseconds, zone) = fraction(&text[19..])?;
        let seconds = days_from_civil(year, month, day) * DAY_SECONDS + hour * 3600 + minute * 60 + second;
        (seconds - zone_seconds(zone)?).checked_mul(1_000_000_000)?.checked_add(nanoseconds).map(Wall)
    }

    fn civil(self) -> Civil {
        // Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
        let seconds = self.seconds();
        let (days, rest) = (seconds.div_euclid(DAY_SECONDS), seconds.rem_euclid(DAY_SECONDS));
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        let small = |n: i64| u8::try_from(n).expect("calendar fields are below 60");
        Civil {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month: small(month),
            day: small(day_of_year - (153 * march_month + 2) / 5 + 1),
            hour: small(rest / 3600),
            minute: small(rest / 60 % 60),
            second: small(rest % 60),
            weekday: small((days + 4).rem_euclid(7)),
        }
    }
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// None for what is no month.
fn days_of_month(year: i64, month: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => Some(if is_leap { 29 } else { 28 }),
        4 | 6 | 9 | 11 => Some(30),
        1..=12 => Some(31),
        _ => None,
    }
}

/// The nanoseconds behind a dot, if there is one, and what follows them. Digits beyond nine say nothing here.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let count = rest.bytes().take_while(u8::is_ascii_digit).count();
    if count == 0 {
        return None;
    }
    let nanoseconds = rest.bytes().take(count).chain(std::iter::repeat(b'0')).take(9);
    let nanoseconds = nanoseconds.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    Some((nanoseconds, &rest[count..]))
}

/// Seconds that a zone is ahead of UTC: `Z`, `+05:30`.
fn zone_seconds(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let (sign, rest) = match zone.as_bytes().first()? {
        b'+' => (1, &zone[1..]),
        b'-' => (-1, &zone[1..]),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let two = |digits: &str, most: i64| -> Option<i64> {
        let is_number = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| digits.parse().ok()).flatten().filter(|number| *number <= most)
    };
    Some(sign * (two(hours, 23)? * 3600 + two(minutes, 59)? * 60))
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

struct Rfc3339(Civil);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, hour, minute, second, .. } = self.0;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

struct HttpDate(Civil);

impl fmt::Display for HttpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, hour, minute, second, weekday } = self.0;
        let (weekday, month) = (WEEKDAYS[usize::from(weekday)], MONTHS[usize::from(month - 1)]);
        write!(f, "{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_is_read_with_its_zone_and_nanoseconds() {
        for (text, seconds, nanoseconds) in [
            ("1970-01-01T00:00:00Z", 0, 0),
            ("2025-11-15T10:30:00Z", 1_763_202_600, 0),
            ("2025-11-15T10:30:00.5z", 1_763_202_600, 500_000_000),
            ("2025-11-15 16:00:00.1234567899+05:30", 1_763_202_600, 123_456_789),
            ("2025-11-15t02:30:00-08:00", 1_763_202_600, 0),
            ("2024-02-29T23:59:60Z", 1_709_251_200, 0),
            ("1969-12-31T23:59:59.999999999Z", -1, 999_999_999),
        ] {
            let expected = Wall(seconds * 1_000_000_000 + nanoseconds);
            assert_eq!(Wall::from_rfc3339(text), Some(expected), "{text}");
            assert_eq!(Wall::from_rfc3339(&expected.rfc3339().to_string()).map(Wall::seconds), Some(seconds));
        }
        for text in [
            "",
            "2025-11-15",
            "2025-11-15T10:30:00",
            "2025-11-15T10:30:00.Z",
            "2025-11-15T10:30:00+0530",
            "2025-11-15T10:30:00+24:00",
            "2025-02-29T00:00:00Z",
            "2025-13-01T00:00:00Z",
            "2025-00-01T00:00:00Z",
            "2025-11-15T24:00:00Z",
            "2025-11-15T10:30:00Zx",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "+025-11-15T10:30:00Z",
            "2025-11-15T10:30:0\u{e9}Z",
        ] {
            assert_eq!(Wall::from_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn shows_the_example_of_rfc_9110() {
        let wall = Wall(784_111_777 * 1_000_000_000);
        assert_eq!(wall.http_date().to_string(), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(wall.rfc3339().to_string(), "1994-11-06T08:49:37Z");
        assert_eq!(Wall::from_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(wall));
    }

    #[test]
    fn leap_days_and_days_before_1970_keep_their_place() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(Wall(seconds * 1_000_000_000).rfc3339().to_string(), text);
        }
    }

    /// A client may send any four digits as a year. Years after 2261 once overflowed, and a date that lies far ahead
    /// counted as one of the past.
    #[test]
    fn dates_that_nanoseconds_cannot_say_stay_early_and_late() {
        let late = Wall::from_http_date("Sun, 06 Nov 3994 08:49:37 GMT");
        let early = Wall::from_http_date("Mon, 01 Jan 0001 00:00:00 GMT");
        assert_eq!((early, late), (Some(Wall(i64::MIN)), Some(Wall(i64::MAX))));
        for year in 0..=9999 {
            let date = Wall::from_http_date(&format!("Sun, 06 Nov {year:04} 08:49:37 GMT"));
            assert!(date >= early && date <= late, "{year}");
            assert_eq!(date > Some(Wall(784_111_777_000_000_000)), year > 1994, "{year}");
        }
    }

    #[test]
    fn other_date_forms_are_refused() {
        for text in [
            "",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Xxx 1994 08:49:37 GMT",
        ] {
            assert_eq!(Wall::from_http_date(text), None, "{text}");
        }
    }
}
