//! Date: the sender's clock (RFC 3261 §20.17), an RFC 1123 date in GMT.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::Malformed;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const SECS_A_DAY: u64 = 86_400;
/// The year 10,000, which has no four digits.
const END_SECS: u64 = 253_402_300_800;

/// Time since 1970-01-01 00:00 UTC, as `Sat, 13 Nov 2010 23:29:00 GMT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// Seconds since 1970.
    pub unix_secs: u64,
}

impl Date {
    /// The date of a moment.
    #[must_use]
    pub const fn new(unix: Duration) -> Self {
        Self { unix_secs: unix.as_secs() }
    }
}

/// Days since 1970-01-01 of a day in the Gregorian calendar.
fn days_from_civil(year: u64, month: u64, day: u64) -> Option<u64> {
    // Years that begin in March put the leap day last; 719,468 days lie between 0000-03-01 and 1970.
    let (year, month) =
        if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    days.checked_sub(719_468)
}

/// The other way round: year, month (1 to 12), day.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

impl FromStr for Date {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let [weekday, day, month, year, time, zone] = words[..] else { return Err(Malformed) };
        let month = MONTHS.iter().position(|m| m.eq_ignore_ascii_case(month)).ok_or(Malformed)?;
        let time: Vec<&str> = time.split(':').collect();
        let [hours, minutes, seconds] = time[..] else { return Err(Malformed) };
        let field = |text: &str, len: usize, max: u64| -> Result<u64, Malformed> {
            let n = super::numbers::number(text)?;
            if text.len() == len && n <= max { Ok(n) } else { Err(Malformed) }
        };
        let (year, day) = (field(year, 4, 9999)?, field(day, 2, 31)?);
        let days = days_from_civil(year, month as u64 + 1, day).ok_or(Malformed)?;
        let name = weekday.strip_suffix(',').ok_or(Malformed)?;
        let known = DAYS.iter().any(|d| d.eq_ignore_ascii_case(name));
        //= RFC 3261 §25.1: an rfc1123-date ends in GMT and in no other zone.
        if !known || zone != "GMT" || civil_from_days(days) != (year, month as u64 + 1, day) {
            return Err(Malformed);
        }
        let time =
            field(hours, 2, 23)? * 3600 + field(minutes, 2, 59)? * 60 + field(seconds, 2, 60)?;
        Ok(Self { unix_secs: days * SECS_A_DAY + time })
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unix_secs = self.unix_secs.min(END_SECS - 1);
        let (days, secs) = (unix_secs / SECS_A_DAY, unix_secs % SECS_A_DAY);
        let (year, month, day) = civil_from_days(days);
        let weekday = DAYS.get((days % 7) as usize).unwrap_or(&"Thu");
        let month = MONTHS.get(month as usize - 1).unwrap_or(&"Jan");
        let (hours, minutes, secs) = (secs / 3600, secs / 60 % 60, secs % 60);
        write!(f, "{weekday}, {day:02} {month} {year:04} {hours:02}:{minutes:02}:{secs:02} GMT")
    }
}

#[cfg(test)]
mod tests {
    use super::Date;

    #[test]
    fn the_example_of_the_rfc() {
        // RFC 3261 §20.17.
        let text = "Sat, 13 Nov 2010 23:29:00 GMT";
        let date: Date = text.parse().unwrap();
        assert_eq!(date.unix_secs, 1_289_690_940);
        assert_eq!(date.to_string(), text);
    }

    #[test]
    fn every_day_round_trips() {
        for day in (0..1_000_000u64).step_by(13).chain([10_956, 11_016, 11_017]) {
            let date = Date { unix_secs: day * 86_400 + 86_399 };
            if date.unix_secs < super::END_SECS {
                assert_eq!(date.to_string().parse(), Ok(date));
            }
        }
    }

    #[test]
    fn refused() {
        for text in [
            "Fri, 01 Jan 2010 16:00:00 EST",
            "Fri, 31 Feb 2010 16:00:00 GMT",
            "Fri, 1 Jan 2010 16:00:00 GMT",
            "Fri, 01 Jan 2010 24:00:00 GMT",
            "01 Jan 2010 16:00:00 GMT",
            "",
        ] {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
    }
}
