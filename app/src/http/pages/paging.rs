//! Paging of lists: the rows of a page, and links to the previous and next page.

use utoipa::openapi::schema::Object;
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::schema::Type;

use super::numbers::Count;

/// The largest page number in a query.
const MAX_PAGE: usize = 100_000;

/// The rows of a page: `from`–`to` of `total`, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paging {
    /// The first row; 0 if the page has none.
    pub(crate) from: Count,
    pub(crate) to: Count,
    /// The number of rows of the list.
    pub(crate) total: Count,
    /// The URL of the previous page.
    pub(crate) previous: Option<String>,
    /// The URL of the next page.
    pub(crate) next: Option<String>,
}

impl Paging {
    /// Page `page` (from 1) of `total` rows with `size` rows a page. `base` is the URL of the list with its
    /// other parameters.
    pub(crate) fn new(page: usize, size: usize, total: usize, base: &str) -> Self {
        let skipped = Self::skipped(page, size);
        let to = total.min(skipped.saturating_add(size));
        let join = if base.contains('?') { '&' } else { '?' };
        let url = |page: usize| format!("{base}{join}page={page}");
        Self {
            from: Count(if skipped < total { skipped + 1 } else { 0 }),
            to: Count(to),
            total: Count(total),
            previous: (page > 1).then(|| url(page - 1)),
            next: (to < total).then(|| url(page + 1)),
        }
    }

    /// The number of rows before page `page`.
    pub(crate) fn skipped(page: usize, size: usize) -> usize {
        page.saturating_sub(1).saturating_mul(size)
    }
}

/// The page number in a query; 1 for an invalid one.
pub(crate) fn page_number(value: Option<&str>) -> usize {
    value
        .and_then(|value| value.parse().ok())
        .filter(|page| (1..=MAX_PAGE).contains(page))
        .unwrap_or(1)
}

/// The schema of page numbers.
pub(crate) fn page_numbers() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1_u64))
        .maximum(u64::try_from(MAX_PAGE).ok())
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_link_to_the_previous_and_the_next_one() {
        let first = Paging::new(1, 25, 60, "/patients?sort=family");
        assert_eq!((first.from.0, first.to.0, first.previous), (1, 25, None));
        assert_eq!(first.next.as_deref(), Some("/patients?sort=family&page=2"));
        let last = Paging::new(3, 25, 60, "/patients");
        assert_eq!((last.from.0, last.to.0, last.next), (51, 60, None));
        assert_eq!(last.previous.as_deref(), Some("/patients?page=2"));
    }

    #[test]
    fn a_page_after_the_last_is_empty_and_links_back() {
        let past = Paging::new(9, 25, 60, "/patients");
        assert_eq!((past.from.0, past.next), (0, None));
        assert!(past.previous.is_some());
    }

    #[test]
    fn an_invalid_page_number_is_the_first() {
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
