//! The page of a problem: what happened, and what to do.

use std::borrow::Cow;

use access::NotPhi;
use askama::Template;
use http::StatusCode;
use telemetry::RequestId;

use super::html::Html;
use super::layout::Layout;
use super::wait::Wait;
use crate::http::problem::Problem;
use crate::limits::MAX_FORM_BYTES;

/// The page of an error status.
#[derive(Template)]
#[template(path = "problem.html")]
pub(crate) struct ProblemPage {
    layout: Layout,
    status: u16,
    advice: Cow<'static, str>,
    link: Option<Link>,
    wait: Option<Wait>,
    request_id: String,
}

/// The link on the page of a problem.
#[derive(Debug, Clone, Copy)]
struct Link {
    href: &'static str,
    label: &'static str,
}

/// The page of a problem. It contains neither values from the request nor internal causes.
pub(crate) fn problem(problem: Problem, request_id: RequestId) -> Html<ProblemPage> {
    let status = problem.status();
    let (title, mut advice) = title_and_advice(status);
    if let Problem::BadRequest(why) = problem {
        advice = why.into();
    }
    let (title, advice) = if problem == Problem::StepUpRequired {
        (
            "Confirm that it is you",
            "This needs a passkey or a code from the last ten minutes. Confirm, then do it again."
                .into(),
        )
    } else if problem == Problem::OutsideCareTeam {
        ("You are not in this patient’s care team", problem.detail())
    } else {
        (title, advice)
    };
    let link = match status {
        _ if problem == Problem::StepUpRequired => Some(Link {
            href: "/step-up",
            label: "Continue",
        }),
        StatusCode::UNAUTHORIZED => Some(Link {
            href: "/sign-in",
            label: "Sign in",
        }),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => None,
        _ => Some(Link {
            href: "/",
            label: "Go to the start page",
        }),
    };
    let request_id = request_id.to_string();
    let layout = Layout { title, user: None };
    Html::not_phi(
        status,
        NotPhi::assert(
            ProblemPage {
                layout,
                status: status.as_u16(),
                advice,
                link,
                wait: problem.retry_after().map(Wait),
                request_id,
            },
            "a fixed text, a time and the request id",
        ),
    )
}

fn title_and_advice(status: StatusCode) -> (&'static str, Cow<'static, str>) {
    let (title, advice) = match status {
        StatusCode::UNAUTHORIZED => (
            "You are not signed in",
            "Your session may have ended. Sign in to go on.",
        ),
        StatusCode::FORBIDDEN => (
            "This is not open to your role",
            "Nothing was shown, and the attempt is in the audit log. If you need this for your \
             work, ask your operator for the role.",
        ),
        StatusCode::NOT_FOUND => (
            "There is nothing here",
            "The address may be mistyped, or the record may belong to another organization. \
             Look for the patient in the list or by search.",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => {
            return (
                "That is too large",
                format!(
                    "A form may have up to {} KiB. Send less and try again.",
                    MAX_FORM_BYTES >> 10
                )
                .into(),
            );
        }
        StatusCode::TOO_MANY_REQUESTS => (
            "Too many attempts",
            "If you did not make these attempts yourself, tell your security \
             administrator.",
        ),
        StatusCode::SERVICE_UNAVAILABLE => (
            "Records cannot be opened just now",
            "The key service or the database is unavailable. Nothing is lost. Wait half a minute \
             and load this page again.",
        ),
        status if status.is_client_error() => (
            "That request cannot be read",
            "Go back, check what you entered and send it again.",
        ),
        _ => (
            "Something went wrong on our side",
            "Nothing was changed unless it was confirmed. Try again; if it stays, report the \
             number below.",
        ),
    };
    (title, advice.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_has_advice_and_the_request_id() {
        for of in [
            Problem::BadRequest("The request cannot be read."),
            Problem::SignInRequired,
            Problem::Forbidden,
            Problem::NotFound,
            Problem::MethodNotAllowed,
            Problem::TooLarge,
            Problem::TooManyAttempts(61),
            Problem::Internal,
            Problem::Unavailable(1),
        ] {
            let id = RequestId::random();
            let (status, page) = problem(of, id).into_parts();
            assert_eq!(status, of.status());
            let html = page.render().unwrap();
            let says_time = html.contains("data-wait=");
            assert_eq!(says_time, of.retry_after().is_some(), "{of:?}");
            assert!(
                html.contains(&id.to_string()) && html.contains(page.advice.get(..20).unwrap())
            );
        }
    }
}
