//! When a stanza that somebody kept was sent first (XEP-0203), by dates as XEP-0082 writes them.

use std::time::Duration;

use super::Stanza;
use crate::ns;
use crate::xml::attribute;

const DAY_SECS: i64 = 24 * 60 * 60;

impl Stanza {
    /// When it was sent, since the Unix epoch, if it was kept on its way; `None` if it came straight.
    /// What says so and cannot be read, or lies before the epoch, is as old as can be.
    #[must_use]
    pub fn kept_since(&self) -> Option<Duration> {
        let stamp = attribute(self.payload("delay", ns::DELAY)?, "stamp");
        let secs = stamp.and_then(seconds).and_then(|secs| u64::try_from(secs).ok());
        Some(Duration::from_secs(secs.unwrap_or_default()))
    }
}

/// Reads `2002-09-10T23:08:25.123Z`, or with an offset in place of the `Z`; parts of seconds are left out.
fn seconds(stamp: &str) -> Option<i64> {
    let (date, time) = stamp.split_once('T')?;
    let [year, month, day] = numbers(date, '-')?;
    let zone = time.find(['Z', '+', '-'])?;
    let (time, zone) = time.split_at_checked(zone)?;
    let (time, _) = time.split_once('.').unwrap_or((time, ""));
    let [hour, minute, second] = numbers(time, ':')?;
    let within = (1..=12).contains(&month) && (1..=31).contains(&day) && year < 10_000;
    if !within || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let offset = match zone.split_at_checked(1)? {
        ("Z", "") => 0,
        (sign, offset) => {
            let [hours, minutes, _] = numbers(&format!("{offset}:0"), ':')?;
            let secs = hours * 3600 + minutes * 60;
            if sign == "-" { -secs } else { secs }
        }
    };
    Some(days(year, month, day) * DAY_SECS + hour * 3600 + minute * 60 + second - offset)
}

/// Three numbers, of which each has digits only, and few.
fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let number = |part: &str| {
        let plain = part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<i64>().ok().filter(|_| plain)
    };
    let mut parts = text.split(separator).map(number);
    let three = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(three)
}

/// The days between 1970-01-01 and a date of the Gregorian calendar. Years are counted from March, so
/// that the day that some of them have more is their last one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::seconds;
    use crate::{Element, Stanza};

    #[test]
    fn dates_are_seconds() {
        for (stamp, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1969-07-21T02:56:15Z", Some(-14_159_025)),
            ("2000-02-29T23:59:59Z", Some(951_868_799)),
            ("2000-03-01T00:00:00.000Z", Some(951_868_800)),
            ("2100-03-01T00:00:00Z", Some(4_107_542_400)),
            ("2002-09-10T23:08:25Z", Some(1_031_699_305)),
            ("2002-09-10T16:08:25.5-07:00", Some(1_031_699_305)),
            ("2002-09-11T01:08:25+02:00", Some(1_031_699_305)),
            ("2002-09-10T23:08:25", None),
            ("2002-13-10T23:08:25Z", None),
            ("2002-09-10T24:08:25Z", None),
            ("2002-09-10T23:08Z", None),
            ("20020910T23:08:25", None),
            ("+002-09-10T23:08:25Z", None),
            ("", None),
        ] {
            assert_eq!(seconds(stamp), expected, "{stamp}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_old() {
        let kept = |delay: &str| {
            let message = format!("<message xmlns='jabber:client'>{delay}</message>");
            Stanza::parse(message.parse::<Element>().unwrap()).unwrap().kept_since()
        };
        assert_eq!(kept(""), None);
        assert_eq!(kept("<delay xmlns='urn:xmpp:delay'/>"), Some(Duration::ZERO));
        let stamp = |stamp| kept(&format!("<delay xmlns='urn:xmpp:delay' stamp='{stamp}'/>"));
        assert_eq!(stamp("yesterday"), Some(Duration::ZERO));
        assert_eq!(stamp("1969-07-21T02:56:15Z"), Some(Duration::ZERO));
        assert_eq!(stamp("1970-01-02T00:00:00Z"), Some(Duration::from_secs(86_400)));
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in "\\PC{0,40}", odd in "[0-9TZ:+.-]{0,40}") {
            let _ = (seconds(&text), seconds(&odd));
        }
    }
}
