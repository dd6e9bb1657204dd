//! The page to which a person returns after signing in: the parameter `next` of the pages of signing in.

use std::convert::Infallible;
use std::fmt;
use std::fmt::Display;
use std::fmt::Formatter;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::extract::Request;
use http::request::Parts;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa::openapi::schema::Object;
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::schema::Type;
use uuid::Uuid;

/// The name of the parameter.
pub(crate) const NEXT: &str = "next";

/// The pages of signed-in people, by the templates of their paths. The router makes the list of its routes.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReturnPaths(Arc<[String]>);

/// The path of such a page. It consists of fixed names and ids, so that it is safe in a URL and in a header.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ReturnPath(String);

impl ReturnPaths {
    /// The list of these templates. The start page is not part of it: it is where a person without a path begins.
    pub(crate) fn new(templates: impl Iterator<Item = String>) -> Self {
        Self(templates.filter(|template| template != "/").collect())
    }

    /// The path, if it is one of the pages. All other text is ignored.
    pub(crate) fn parse(&self, path: &str) -> Option<ReturnPath> {
        let is_page = self.0.iter().any(|template| matches(template, path));
        is_page.then(|| ReturnPath(path.to_owned()))
    }

    /// The schema of the parameter [`NEXT`], by which the web tier refuses other text in a URL.
    pub(crate) fn schema(&self) -> Object {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(self.pattern()))
            .build()
    }

    fn pattern(&self) -> String {
        let hex = |digits| format!("[0-9a-f]{{{digits}}}");
        let id = [8, 4, 4, 4, 12].map(hex).join("-");
        let in_template = |template: &String| {
            let segments = template.split('/');
            let segments =
                segments.map(|segment| if is_parameter(segment) { &id } else { segment });
            segments.collect::<Vec<_>>().join("/")
        };
        let paths: Vec<_> = self.0.iter().map(in_template).collect();
        format!("^({})$", paths.join("|"))
    }
}

fn is_parameter(segment: &str) -> bool {
    segment.starts_with('{')
}

/// Whether a path is one of a template, whose parameters are ids.
fn matches(template: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    let all_match = template.split('/').all(|expected| {
        segments.next().is_some_and(|segment| {
            if is_parameter(expected) {
                Uuid::try_parse(segment).is_ok_and(|id| id.to_string() == segment)
            } else {
                segment == expected
            }
        })
    });
    all_match && segments.next().is_none()
}

impl Display for ReturnPath {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl ReturnPath {
    /// The path of a request, if it is one of the pages.
    pub(crate) fn of_request(request: &Request) -> Option<Self> {
        let pages = request.extensions().get::<ReturnPaths>()?;
        pages.parse(request.uri().path())
    }

    /// `path` with the parameter `next`, if there is a page to return to.
    pub(crate) fn appended_to(path: &str, next: Option<&Self>) -> String {
        match next {
            Some(next) => format!("{path}?next={next}"),
            None => path.to_owned(),
        }
    }

    /// The page to return to, or the start page.
    pub(crate) fn or_start(next: Option<&Self>) -> &str {
        next.map_or("/", |next| &next.0)
    }
}

/// The query parameter `next`.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReturnQuery {
    /// The path of the page to return to after signing in.
    pub(crate) next: Option<String>,
}

/// Extractor of the list, for handlers.
impl<S: Sync> FromRequestParts<S> for ReturnPaths {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "11111111-2222-4333-8444-55555555abcd";

    fn pages() -> ReturnPaths {
        let templates = ["/", "/patients", "/patients/{id}", "/security"];
        ReturnPaths::new(templates.map(str::to_owned).into_iter())
    }

    #[test]
    fn only_the_path_of_a_page_is_returned_to() {
        let chart = format!("/patients/{ID}");
        for path in ["/patients", "/security", &chart] {
            assert_eq!(
                pages().parse(path).map(|it| it.to_string()).as_deref(),
                Some(path)
            );
        }
        let upper = format!("/patients/{}", ID.to_uppercase());
        for other in [
            "",
            "/",
            "//",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "https:",
            "javascript:alert(1)",
            "patients",
            "/patients/",
            "/patients?sort=family",
            "/patients#a",
            "/patients/Cruz",
            "/patients/..",
            "/patients/../security",
            "/Patients",
            "/patients\r\nx: y",
            "/patients\0",
            "/%70atients",
            "/%2fevil.example",
            " /patients",
            "/patients/{id}",
            "/api/v1/session",
            "/fhir/Patient",
            "/sign-out",
            "/patients/search",
            &upper,
            &format!("{chart}/"),
            &format!("/{chart}"),
        ] {
            assert_eq!(pages().parse(other), None, "{other}");
        }
        assert_eq!(ReturnPaths::default().parse("/patients"), None);
    }

    #[test]
    fn the_pattern_matches_what_is_parsed() {
        let pattern = regex_lite::Regex::new(&pages().pattern()).unwrap();
        assert!(pattern.is_match("/patients") && pattern.is_match(&format!("/patients/{ID}")));
        for other in [
            "/",
            "/patients/",
            "/patients/Cruz",
            "//evil.example",
            "/api/v1/session",
        ] {
            assert!(!pattern.is_match(other), "{other}");
        }
    }

    #[test]
    fn a_path_is_appended_as_the_parameter() {
        let next = pages().parse("/patients");
        assert_eq!(
            ReturnPath::appended_to("/sign-in", next.as_ref()),
            "/sign-in?next=/patients"
        );
        assert_eq!(ReturnPath::appended_to("/sign-in", None), "/sign-in");
        assert_eq!(
            (
                ReturnPath::or_start(next.as_ref()),
                ReturnPath::or_start(None)
            ),
            ("/patients", "/")
        );
    }
}
