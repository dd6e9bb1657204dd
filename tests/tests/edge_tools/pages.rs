//! The headers of every page: judged by MDN's HTTP Observatory where it can request the page.

use bytes::Bytes;
use http::Method;
use http::Request;
use http::header;
use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::Clinic;
use tests::Role;
use tests::RunningStack;
use tests::TestResponse;
use tests::scanners;

use super::scanners::port;
use super::scanners::run;

/// Signs in as a browser does, and returns the cookie.
async fn sign_in(running: &RunningStack, role: Role) -> String {
    let account = running.account(role, Clinic::Riverside).unwrap();
    let code = running.code(account).await.unwrap();
    let fields = [
        ("email", account.email.as_str()),
        ("password", &account.password),
        ("code", &code),
    ];
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let request = Request::post("/sign-in")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ORIGIN, &running.status.web.address)
        .body(Bytes::from(body))
        .unwrap();
    let response = running
        .anonymous()
        .send(request)
        .await
        .unwrap()
        .expect_status(303)
        .unwrap();
    response
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned()
}

/// `GET` of a browser with a cookie.
async fn browse(client: &Client, path: &str, cookie: &str) -> TestResponse {
    let mut request = Request::get(path).header(header::ACCEPT, "text/html");
    if !cookie.is_empty() {
        request = request.header(header::COOKIE, cookie);
    }
    client
        .send(request.body(Bytes::new()).unwrap())
        .await
        .unwrap()
}

/// Every page with status 200 for `GET`: its path, and the cookie of an account that may see it.
async fn pages(running: &RunningStack) -> Vec<(String, String)> {
    let clinician = sign_in(running, Role::Clinician).await;
    let patients = browse(&running.anonymous(), "/patients", &clinician)
        .await
        .text();
    let chart = patients
        .split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next());
    let chart = chart.filter(|path| path.starts_with("/patients/") && path.len() > 30);
    let chart = chart
        .map(str::to_owned)
        .next()
        .expect("no patient in the list");
    vec![
        ("/sign-in".to_owned(), String::new()),
        ("/patients".to_owned(), clinician.clone()),
        (chart, clinician),
        (
            "/people".to_owned(),
            sign_in(running, Role::SecurityAdmin).await,
        ),
        (
            "/audit".to_owned(),
            sign_in(running, Role::PrivacyOfficer).await,
        ),
    ]
}

#[tokio::test]
async fn the_observatory_gives_every_page_its_best_grade() {
    let running = RunningStack::shared().unwrap();
    let authority = running.status.certificates.join("public/ca.pem");
    let mut requested = Vec::new();
    for (path, cookie) in pages(&running).await {
        let response = browse(&running.anonymous(), &path, &cookie).await;
        assert_eq!(response.status, 200, "{path}");
        requested.push(json!({"path": path, "cookie": cookie}));
    }
    let arguments = json!({
        "httpsPort": port(&running.status.web.address),
        "httpPort": port(&running.status.web.redirect),
        "pages": requested,
    });
    let mut command = scanners::observatory(&authority).unwrap();
    command.arg(arguments.to_string());
    let output = run(command).await;
    let results: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let results = results.as_array().unwrap();
    assert_eq!(results.len(), requested.len());
    for result in results {
        println!(
            "{}: {} ({})",
            result["path"], result["grade"], result["score"]
        );
        // 200: the page itself was judged, and not the redirect of a client without a cookie.
        assert_eq!(result["statusCode"], 200, "{result:#}");
        assert_eq!(result["grade"], "A+", "{result:#}");
        assert_eq!(result["testsFailed"], 0, "{result:#}");
    }
}

/// Header fields with the same value in every response.
const COMMON_HEADERS: [&str; 7] = [
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "permissions-policy",
    "referrer-policy",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
];

/// Asserts that a response has the same header fields as a page that the Observatory has judged.
fn assert_page_headers(what: &str, response: &TestResponse, good: &TestResponse) {
    for name in COMMON_HEADERS {
        assert_eq!(response.header(name), good.header(name), "{what}: {name}");
    }
    let policy = response.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
        "{what}: {policy}"
    );
    for directive in ["frame-ancestors 'none'", "base-uri 'none'", "form-action"] {
        assert!(policy.contains(directive), "{what}: {policy}");
    }
}

#[tokio::test]
async fn pages_that_the_observatory_cannot_request_have_the_same_headers() {
    let running = RunningStack::shared().unwrap();
    let cookie = sign_in(&running, Role::Clinician).await;
    let client = running.anonymous();
    let good = browse(&client, "/sign-in", "").await;
    let search = Request::post("/patients/search")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ORIGIN, &running.status.web.address)
        .header(header::COOKIE, &cookie)
        .body(Bytes::from_static(b"q=Marquez"))
        .unwrap();
    let wrong = [("email", "nobody@riverside.example"), ("password", "wrong")];
    let others = [
        ("a search", client.send(search).await.unwrap(), 200),
        (
            "no such page",
            browse(&client, "/nothing", &cookie).await,
            404,
        ),
        (
            "an address that web refuses",
            browse(&client, "/a%20b", &cookie).await,
            400,
        ),
        (
            "not for this role",
            browse(&client, "/audit", &cookie).await,
            403,
        ),
        (
            "a wrong password",
            client.form("/sign-in", &wrong).await.unwrap(),
            401,
        ),
        (
            "a method that no page knows",
            client
                .request(Method::PUT, "/sign-in", "", "")
                .await
                .unwrap(),
            405,
        ),
    ];
    for (what, response, status) in others {
        assert_eq!(
            response.status.as_u16(),
            status,
            "{what}: {}",
            response.text()
        );
        assert_page_headers(what, &response, &good);
        assert_eq!(response.header("cache-control"), "no-store", "{what}");
    }
}
