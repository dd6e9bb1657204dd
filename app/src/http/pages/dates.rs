//! Dates and ages as display text.

use time::Date;
use time::Month;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

const ISO: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// A FHIR date (`YYYY`, `YYYY-MM` or `YYYY-MM-DD`, or a dateTime) with its display text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DisplayDate {
    /// The ISO 8601 date, without the time.
    pub(crate) iso: String,
    /// `14 Mar 1962`: day and month cannot be confused.
    pub(crate) text: String,
}

impl DisplayDate {
    /// The date at the start of `value`; a value that is not a date is displayed unchanged.
    pub(crate) fn new(value: &str) -> Self {
        let iso = value
            .split_once('T')
            .map_or(value, |(date, _)| date)
            .to_owned();
        let mut parts = iso.splitn(3, '-');
        let year = parts.next().unwrap_or_default();
        let text = match (parts.next().and_then(month), parts.next()) {
            (Some(month), Some(day)) => {
                format!(
                    "{} {} {year}",
                    day.trim_start_matches('0'),
                    abbreviation(month)
                )
            }
            (Some(month), None) => format!("{} {year}", abbreviation(month)),
            (None, _) => iso.clone(),
        };
        Self { iso, text }
    }

    /// The calendar date; none for a year or a month.
    pub(crate) fn date(&self) -> Option<Date> {
        Date::parse(&self.iso, ISO).ok()
    }

    /// The year, by which the timeline is grouped.
    pub(crate) fn year(&self) -> &str {
        self.iso.split('-').next().unwrap_or_default()
    }
}

/// The age on `today`: in years; in months below two years; in days below one month. A birth date without
/// month or day results in `about`; a birth date in the future in an empty text.
pub(crate) fn age(birth: &str, today: Date) -> String {
    if let Ok(born) = Date::parse(birth, ISO) {
        return exact_age(born, today).unwrap_or_default();
    }
    let year = birth
        .split('-')
        .next()
        .and_then(|year| year.parse::<i32>().ok());
    match year.map(|year| today.year() - year) {
        Some(years @ 0..) => format!("about {years} y"),
        _ => String::new(),
    }
}

fn exact_age(born: Date, today: Date) -> Option<String> {
    if born > today {
        return None;
    }
    let months = (today.year() - born.year()) * 12 + i32::from(u8::from(today.month()))
        - i32::from(u8::from(born.month()))
        - i32::from(today.day() < born.day());
    Some(match months {
        24.. => format!("{} y", months / 12),
        1..24 => format!("{months} mo"),
        _ => format!("{} d", (today - born).whole_days()),
    })
}

fn month(number: &str) -> Option<Month> {
    Month::try_from(number.parse::<u8>().ok()?).ok()
}

fn abbreviation(month: Month) -> String {
    month.to_string().chars().take(3).collect()
}

/// A time in UTC, to the minute.
pub(crate) fn minute(at: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    at.format(format).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn a_date_is_displayed_with_the_name_of_the_month() {
        assert_eq!(DisplayDate::new("1962-03-04").text, "4 Mar 1962");
        assert_eq!(
            DisplayDate::new("2019-11-30T08:15:00-05:00").text,
            "30 Nov 2019"
        );
        assert_eq!(DisplayDate::new("1962-03").text, "Mar 1962");
        assert_eq!(DisplayDate::new("1962").text, "1962");
        assert_eq!(DisplayDate::new("unknown").text, "unknown");
        assert_eq!(DisplayDate::new("1962-03-04").year(), "1962");
    }

    #[test]
    fn the_age_changes_on_the_birthday() {
        assert_eq!(age("1962-03-14", date!(2026 - 03 - 13)), "63 y");
        assert_eq!(age("1962-03-14", date!(2026 - 03 - 14)), "64 y");
        assert_eq!(age("2004-02-29", date!(2026 - 02 - 28)), "21 y");
    }

    #[test]
    fn the_age_of_a_small_child_is_in_months_and_of_a_newborn_in_days() {
        assert_eq!(age("2026-11-20", date!(2026 - 11 - 23)), "3 d");
        assert_eq!(age("2025-01-10", date!(2026 - 11 - 23)), "22 mo");
        assert_eq!(age("2024-11-23", date!(2026 - 11 - 23)), "2 y");
    }

    #[test]
    fn an_inexact_birth_date_results_in_an_approximate_age() {
        assert_eq!(age("1962", date!(2026 - 01 - 01)), "about 64 y");
        assert_eq!(age("2030-01-01", date!(2026 - 01 - 01)), "");
        assert_eq!(age("", date!(2026 - 01 - 01)), "");
    }
}
