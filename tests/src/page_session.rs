//! The session of a browser, without a browser: requests with its cookie, as pages cause them.

use anyhow::Context;
use bytes::Bytes;
use http::Method;
use http::Request;
use http::header;
use stack::Account;
use url::form_urlencoded;

use crate::client::Client;
use crate::response::TestResponse;
use crate::running_stack::RunningStack;

/// The headers of a navigation that a person causes.
const BY_A_PERSON: [(&str, &str); 3] = [
    ("sec-fetch-site", "same-origin"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-user", "?1"),
];

/// The session of a browser.
#[derive(Clone, Debug)]
pub struct PageSession {
    client: Client,
    /// The cookie, as requests have it; empty without a session.
    pub cookie: String,
}

impl PageSession {
    /// A browser that is not signed in.
    #[must_use]
    pub fn anonymous(running: &RunningStack) -> Self {
        Self {
            client: running.anonymous(),
            cookie: String::new(),
        }
    }

    /// Signs in through the form, and returns to the page that the response names.
    ///
    /// # Errors
    /// When the sign-in is refused.
    pub async fn sign_in(running: &RunningStack, account: &Account) -> anyhow::Result<Self> {
        let mut browser = Self::anonymous(running);
        let code = running.code(account).await?;
        browser.submit_sign_in(account, &code, "").await?;
        Ok(browser)
    }

    /// Signs in through the form with the page to return to. Returns the path of the redirect.
    ///
    /// # Errors
    /// When the sign-in is refused.
    pub async fn submit_sign_in(
        &mut self,
        account: &Account,
        code: &str,
        next: &str,
    ) -> anyhow::Result<String> {
        let response = self.submit_sign_in_with(account, code, ("next", next));
        let response = response.await?.expect_status(303)?;
        Ok(response.header("location").to_owned())
    }

    /// Signs in through the form with a further field. Takes the cookie of the response.
    ///
    /// # Errors
    /// When no response is received.
    pub async fn submit_sign_in_with(
        &mut self,
        account: &Account,
        code: &str,
        field: (&str, &str),
    ) -> anyhow::Result<TestResponse> {
        let fields = [
            ("email", account.email.as_str()),
            ("password", &account.password),
            ("code", code),
            field,
        ];
        let response = self.post("/sign-in", &fields).await?;
        let cookie = response.header("set-cookie").split(';').next();
        cookie.unwrap_or_default().clone_into(&mut self.cookie);
        Ok(response)
    }

    /// A navigation that the person causes.
    ///
    /// # Errors
    /// When no response is received.
    pub async fn get(&self, path: &str) -> anyhow::Result<TestResponse> {
        self.send(Method::GET, path, "", &BY_A_PERSON).await
    }

    /// A navigation that the browser causes, as by `Refresh`.
    ///
    /// # Errors
    /// When no response is received.
    pub async fn get_by_itself(&self, path: &str) -> anyhow::Result<TestResponse> {
        self.send(Method::GET, path, "", &BY_A_PERSON[..2]).await
    }

    /// A form that the person sends.
    ///
    /// # Errors
    /// When no response is received.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> anyhow::Result<TestResponse> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.send(Method::POST, path, &body, &BY_A_PERSON).await
    }

    /// A request with these headers beside the cookie.
    ///
    /// # Errors
    /// When no response is received.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> anyhow::Result<TestResponse> {
        let mut request = Request::builder()
            .method(&method)
            .uri(path)
            .header(header::ACCEPT, "text/html");
        if method == Method::POST {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        if !self.cookie.is_empty() {
            request = request.header(header::COOKIE, &self.cookie);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Bytes::from(body.to_owned()));
        self.client.send(request.context("a request")?).await
    }
}
