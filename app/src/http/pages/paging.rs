//! Which slice of a list a page shows, and the way to its neighbours.

use utoipa::openapi::schema::Object;
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::schema::Type;

use super::numbers::Count;

/// The last page number that an address may hold.
const LAST: usize = 100_000;

/// A slice of a list: `from`–`to` of `total`, counted from one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paging {
    /// The first row shown; 0 where there is none.
    pub(crate) from: Count,
    /// The last row shown.
    pub(crate) to: Count,
    /// How many rows there are.
    pub(crate) total: Count,
    /// Where the page before is.
    pub(crate) previous: Option<String>,
    /// Where the page after is.
    pub(crate) next: Option<String>,
}

impl Paging {
    /// Page `page` (from one) of `total` rows, `size` a page; `base` is the list's own address,
    /// with its other parameters.
    pub(crate) fn new(page: usize, size: usize, total: usize, base: &str) -> Self {
        let skipped = Self::skipped(page, size);
        let to = total.min(skipped.saturating_add(size));
        let join = if base.contains('?') { '&' } else { '?' };
        let address = |page: usize| format!("{base}{join}page={page}");
        Self {
            from: Count(if skipped < total { skipped + 1 } else { 0 }),
            to: Count(to),
            total: Count(total),
            previous: (page > 1).then(|| address(page - 1)),
            next: (to < total).then(|| address(page + 1)),
        }
    }

    /// How many rows stand before page `page`.
    pub(crate) fn skipped(page: usize, size: usize) -> usize {
        page.saturating_sub(1).saturating_mul(size)
    }
}

/// The page number in a query; what is none is the first page.
pub(crate) fn page_number(value: Option<&str>) -> usize {
    value
        .and_then(|value| value.parse().ok())
        .filter(|page| (1..=LAST).contains(page))
        .unwrap_or(1)
}

/// The page numbers that an address may hold.
pub(crate) fn page_numbers() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1_u64))
        .maximum(u64::try_from(LAST).ok())
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_the_middle_and_the_last_page_know_their_neighbours() {
        let first = Paging::new(1, 25, 60, "/patients?sort=family");
        assert_eq!((first.from.0, first.to.0, first.previous), (1, 25, None));
        assert_eq!(first.next.as_deref(), Some("/patients?sort=family&page=2"));
        let last = Paging::new(3, 25, 60, "/patients");
        assert_eq!((last.from.0, last.to.0, last.next), (51, 60, None));
        assert_eq!(last.previous.as_deref(), Some("/patients?page=2"));
    }

    #[test]
    fn a_page_past_the_end_is_empty_and_leads_back() {
        let past = Paging::new(9, 25, 60, "/patients");
        assert_eq!((past.from.0, past.next), (0, None));
        assert!(past.previous.is_some());
    }

    #[test]
    fn a_page_number_that_is_none_is_the_first() {
        for value in [
            None,
            Some("0"),
            Some("-1"),
            Some("x"),
            Some("99999999999999999999"),
        ] {
            assert_eq!(page_number(value), 1);
        }
        assert_eq!(page_number(Some("7")), 7);
    }
}
