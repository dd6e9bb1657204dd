//! The headers of every page, judged by MDN's HTTP Observatory where it can ask for the page.

use bytes::Bytes;
use http::Method;
use http::Request;
use http::header;
use serde_json::Value;
use serde_json::json;
use tests::Answer;
use tests::Client;
use tests::Clinic;
use tests::Role;
use tests::Running;
use tests::scanners;

use super::scanners::port;
use super::scanners::run;

/// Signs in as a browser does; gives the cookie.
async fn sign_in(running: &Running, role: Role) -> String {
    let account = running.account(role, Clinic::Riverside).unwrap();
    let fields = [
        ("email", account.email.as_str()),
        ("password", &account.password),
    ];
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let request = Request::post("/sign-in")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ORIGIN, &running.status.web.address)
        .body(Bytes::from(body))
        .unwrap();
    let answer = running
        .nobody()
        .send(request)
        .await
        .unwrap()
        .expecting(303)
        .unwrap();
    answer
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned()
}

/// `GET` as a browser that holds a cookie.
async fn browse(client: &Client, path: &str, cookie: &str) -> Answer {
    let mut request = Request::get(path).header(header::ACCEPT, "text/html");
    if !cookie.is_empty() {
        request = request.header(header::COOKIE, cookie);
    }
    client
        .send(request.body(Bytes::new()).unwrap())
        .await
        .unwrap()
}

/// Every page that answers 200 to `GET`: its path, and the cookie of somebody who may see it.
async fn pages(running: &Running) -> Vec<(String, String)> {
    let clinician = sign_in(running, Role::Clinician).await;
    let patients = browse(&running.nobody(), "/patients", &clinician)
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
    let running = Running::shared().unwrap();
    let authority = running.status.certificates.join("public/ca.pem");
    let mut asked = Vec::new();
    for (path, cookie) in pages(&running).await {
        let answer = browse(&running.nobody(), &path, &cookie).await;
        assert_eq!(answer.status, 200, "{path}");
        asked.push(json!({"path": path, "cookie": cookie}));
    }
    let arguments = json!({
        "httpsPort": port(&running.status.web.address),
        "httpPort": port(&running.status.web.redirect),
        "pages": asked,
    });
    let mut command = scanners::observatory(&authority).unwrap();
    command.arg(arguments.to_string());
    let output = run(command).await;
    let results: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let results = results.as_array().unwrap();
    assert_eq!(results.len(), asked.len());
    for result in results {
        println!(
            "{}: {} ({})",
            result["path"], result["grade"], result["score"]
        );
        // 200: the page itself was judged, and not where somebody without a cookie is sent.
        assert_eq!(result["statusCode"], 200, "{result:#}");
        assert_eq!(result["grade"], "A+", "{result:#}");
        assert_eq!(result["testsFailed"], 0, "{result:#}");
    }
}

/// What every answer carries with the same value.
const SAME: [&str; 7] = [
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "permissions-policy",
    "referrer-policy",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
];

#[tokio::test]
async fn pages_that_the_observatory_cannot_ask_for_carry_the_same_headers() {
    let running = Running::shared().unwrap();
    let cookie = sign_in(&running, Role::Clinician).await;
    let client = running.nobody();
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
    for (what, answer, status) in others {
        assert_eq!(answer.status.as_u16(), status, "{what}: {}", answer.text());
        for name in SAME {
            assert_eq!(answer.header(name), good.header(name), "{what}: {name}");
        }
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
            "{what}: {policy}"
        );
        for directive in ["frame-ancestors 'none'", "base-uri 'none'", "form-action"] {
            assert!(policy.contains(directive), "{what}: {policy}");
        }
        assert_eq!(answer.header("cache-control"), "no-store", "{what}");
    }
}
