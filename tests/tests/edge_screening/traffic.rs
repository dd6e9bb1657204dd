//! Ordinary requests of a clinic, drawn with a seed from synthetic data.

use std::fmt::Write as _;

use bytes::Bytes;
use serde_json::Value;
use serde_json::json;
use tests::Bundle;
use url::form_urlencoded::Serializer;

use super::client_headers::BROWSERS;
use super::client_headers::CLIENTS;
use super::client_headers::ClientHeaders;

const FORM: &str = "application/x-www-form-urlencoded";

/// `SplitMix64`: sufficient for choices, and the same on every platform.
struct Random(u64);

impl Random {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        usize::try_from(z % u64::try_from(sides).unwrap()).unwrap()
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// A request without its common headers.
pub(super) struct OrdinaryRequest {
    pub(super) method: &'static str,
    pub(super) target: String,
    kind: &'static str,
    pub(super) body: Bytes,
}

impl OrdinaryRequest {
    fn get(target: impl Into<String>) -> Self {
        Self::with("GET", target, "", Bytes::new())
    }

    fn form(target: impl Into<String>, fields: &[(&str, &str)]) -> Self {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        Self::with("POST", target, FORM, body)
    }

    fn with(
        method: &'static str,
        target: impl Into<String>,
        kind: &'static str,
        body: impl Into<Bytes>,
    ) -> Self {
        Self {
            method,
            target: target.into(),
            kind,
            body: body.into(),
        }
    }

    fn bytes(&self, headers: &ClientHeaders, credentials: &str) -> Vec<u8> {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: clinic.example\r\n",
            self.method, self.target
        );
        for line in headers.0.lines().chain(credentials.lines()) {
            head.push_str(line);
            head.push_str("\r\n");
        }
        if !self.kind.is_empty() {
            write!(head, "Content-Type: {}\r\n", self.kind).unwrap();
            write!(head, "Content-Length: {}\r\n", self.body.len()).unwrap();
        }
        head.push_str("\r\n");
        [head.as_bytes(), &self.body].concat()
    }
}

/// The generator of requests, and the patients that they are drawn from.
pub(super) struct Traffic {
    random: Random,
    bundles: Vec<Bundle>,
}

impl Traffic {
    /// The same requests for the same seed.
    pub(super) fn with_seed(seed: u64) -> anyhow::Result<Self> {
        Ok(Self {
            random: Random(seed),
            bundles: tests::bundles()?,
        })
    }

    fn resource(&mut self) -> Value {
        let bundle = self.random.below(self.bundles.len());
        let resources = &self.bundles[bundle].resources;
        resources[self.random.below(resources.len())].clone()
    }

    fn patient(&mut self) -> Value {
        let bundle = self.random.below(self.bundles.len());
        self.bundles[bundle].patient().unwrap().clone()
    }

    /// The search parameters that a user would choose for this patient.
    fn words(&mut self, patient: &Value) -> Vec<(&'static str, String)> {
        let text = |pointer: &str| {
            patient
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or("O'Neil")
                .to_owned()
        };
        let identifiers = patient["identifier"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let identifier = identifiers.get(self.random.below(identifiers.len().max(1)));
        let number = |name: &str| {
            identifier
                .and_then(|it| it[name].as_str())
                .unwrap_or("999-26-4821")
                .to_owned()
        };
        match self.random.below(6) {
            0 => vec![
                ("family", text("/name/0/family")),
                ("given", text("/name/0/given/0")),
            ],
            1 => vec![
                ("birthdate", text("/birthDate")),
                ("name", text("/name/0/family")),
            ],
            2 => vec![(
                "identifier",
                format!("{}|{}", number("system"), number("value")),
            )],
            3 => vec![("identifier", number("value"))],
            4 => vec![
                ("name", text("/name/0/given/0")),
                ("_count", "20".to_owned()),
            ],
            // Punctuation of real names and clinical text.
            _ => vec![
                ("family", "D'Angelo-Select; O\"Drop & Sons".to_owned()),
                ("birthdate", format!("ge{}", text("/birthDate"))),
            ],
        }
    }

    /// A request of a FHIR client or of another program.
    fn client_request(&mut self) -> OrdinaryRequest {
        match self.random.below(12) {
            0..=3 => self.read(),
            4 | 5 => self.search(),
            6 => self.chart_search(),
            7 => self.write(),
            8 => self.bundle(),
            9 => {
                let body = json!({"email": "ann.o'hara+test@example.org", "password": "' OR 1=1; -- <script>"});
                OrdinaryRequest::with(
                    "POST",
                    "/api/v1/tokens",
                    "application/json",
                    body.to_string(),
                )
            }
            _ => {
                let path = *self.random.pick(&[
                    "/fhir/metadata",
                    "/api/v1/session",
                    "/api/v1/people",
                    "/api/v1/audit/events",
                    "/api/v1/openapi.json",
                ]);
                match self.random.below(8) {
                    0 => {
                        OrdinaryRequest::with("DELETE", "/api/v1/tokens/current", "", Bytes::new())
                    }
                    1 => OrdinaryRequest::with("HEAD", path, "", Bytes::new()),
                    _ => OrdinaryRequest::get(path),
                }
            }
        }
    }

    /// A read of a resource.
    fn read(&mut self) -> OrdinaryRequest {
        let resource = self.resource();
        let (kind, id) = (&resource["resourceType"], &resource["id"]);
        let path = format!("/fhir/{}/{}", kind.as_str().unwrap(), id.as_str().unwrap());
        let query = self.random.pick(&[
            "",
            "?_format=json",
            "?_format=application%2Ffhir%2Bjson",
            "?_pretty=true&_summary=false",
        ]);
        OrdinaryRequest::get(format!("{path}{query}"))
    }

    /// A search for a patient.
    fn search(&mut self) -> OrdinaryRequest {
        let fields = |words: &[(&'static str, String)]| {
            Serializer::new(String::new()).extend_pairs(words).finish()
        };
        let patient = self.patient();
        let words = self.words(&patient);
        let query = *self.random.pick(&["", "?_count=50", "?_format=json"]);
        let kind = *self
            .random
            .pick(&[FORM, "application/x-www-form-urlencoded; charset=UTF-8"]);
        OrdinaryRequest::with(
            "POST",
            format!("/fhir/Patient/_search{query}"),
            kind,
            fields(&words),
        )
    }

    /// A search in a chart, whose URL has opaque ids and codes of fixed lists.
    fn chart_search(&mut self) -> OrdinaryRequest {
        let patient = self.patient();
        let id = patient["id"].as_str().unwrap();
        let query = *self.random.pick(&[
            "",
            "&category=vital-signs,laboratory&category=exam&status=final",
            "&_sort=-_lastUpdated&_count=1000&_total=accurate",
            "&_lastUpdated=ge2026-01-01&_lastUpdated=lt2026-02-01T00:00:00.000Z",
            "&_include=Observation:subject&_include=Observation%3Aencounter",
            "&_elements=id,resourceType,status&_summary=true",
        ]);
        let separator = *self.random.pick(&["/", "%2F"]);
        let path = format!("/fhir/Observation?patient=Patient{separator}{id}{query}");
        OrdinaryRequest::get(path)
    }

    /// A write of one resource, or a read of its versions.
    fn write(&mut self) -> OrdinaryRequest {
        let resource = self.resource();
        let kind = resource["resourceType"].as_str().unwrap();
        let path = format!("/fhir/{kind}/{}", resource["id"].as_str().unwrap());
        let json = "application/fhir+json; charset=utf-8";
        match self.random.below(6) {
            0 => OrdinaryRequest::with("POST", format!("/fhir/{kind}"), json, resource.to_string()),
            1 => OrdinaryRequest::with("PUT", path, json, resource.to_string()),
            2 => {
                let operations = json!([{"op": "replace", "path": "/status", "value": "amended"}]);
                let kind = "application/json-patch+json; charset=UTF-8";
                OrdinaryRequest::with("PATCH", path, kind, operations.to_string())
            }
            3 => OrdinaryRequest::with("DELETE", path, "", Bytes::new()),
            4 => OrdinaryRequest::get(format!("{path}/_history?_count=10")),
            _ => OrdinaryRequest::get(format!("{path}/_history/{}", self.random.below(30) + 1)),
        }
    }

    /// A batch of resources.
    fn bundle(&mut self) -> OrdinaryRequest {
        let entries: Vec<Value> = (0..=self.random.below(20))
            .map(|_| {
                let resource = self.resource();
                let url = format!(
                    "{}/{}",
                    resource["resourceType"].as_str().unwrap(),
                    resource["id"].as_str().unwrap()
                );
                json!({"resource": resource, "request": {"method": "PUT", "url": url}})
            })
            .collect();
        let bundle = json!({"resourceType": "Bundle", "type": "batch", "entry": entries});
        let kind = *self.random.pick(&[
            "application/fhir+json",
            "application/fhir+json; charset=utf-8",
            "application/fhir+json;fhirVersion=4.0",
            "application/json",
        ]);
        OrdinaryRequest::with("POST", "/fhir", kind, bundle.to_string())
    }

    /// A request of a browser.
    fn browser_request(&mut self) -> OrdinaryRequest {
        let page = self.random.below(400) + 1;
        match self.random.below(8) {
            0 | 1 => {
                let sort = self.random.pick(&["family", "birth_date"]);
                let order = self.random.pick(&["asc", "desc"]);
                OrdinaryRequest::get(format!("/patients?sort={sort}&order={order}&page={page}"))
            }
            2 | 3 => {
                let patient = self.patient();
                let kind = self
                    .random
                    .pick(&["Observation", "Condition", "CarePlan", "Encounter"]);
                let id = patient["id"].as_str().unwrap();
                let queries = [
                    String::new(),
                    format!("?kind={kind}&page={page}"),
                    format!("?page={page}"),
                ];
                let query = self.random.pick(&queries);
                OrdinaryRequest::get(format!("/patients/{id}{query}"))
            }
            4 => {
                let patient = self.patient();
                let typed: Vec<String> = self
                    .words(&patient)
                    .into_iter()
                    .map(|(_, word)| word)
                    .collect();
                OrdinaryRequest::form("/patients/search", &[("q", &typed.join(" "))])
            }
            5 => OrdinaryRequest::form(
                "/sign-in",
                &[
                    ("email", "ann@example.org"),
                    ("password", "1' or '1'='1 $(x) ../ 密码"),
                ],
            ),
            6 => OrdinaryRequest::form("/sign-out", &[]),
            _ => OrdinaryRequest::get(*self.random.pick(&[
                "/",
                "/sign-in",
                "/patients",
                "/people",
                "/audit",
                "/assets/style.0123456789abcdef.css",
                "/assets/favicon.fedcba9876543210.svg",
            ])),
        }
    }

    /// The next request, and its bytes.
    pub(super) fn next(&mut self) -> (OrdinaryRequest, Vec<u8>) {
        if self.random.below(2) == 0 {
            let request = self.client_request();
            let headers = self.random.pick(&CLIENTS);
            let bytes = request.bytes(
                headers,
                "Authorization: Bearer dGhpcyBpcyBub3QgYSB0b2tlbiBvZiBhbnlib2R5-_",
            );
            return (request, bytes);
        }
        let request = self.browser_request();
        let headers = self.random.pick(&BROWSERS);
        let cookies = "Cookie: _ga=GA1.1.1234567890.1700000000; prefs=%7B%22a%22%3A1%7D; __Host-session=c2Vzc2lvbi1vZi1ub2JvZHk_-";
        let bytes = request.bytes(headers, cookies);
        (request, bytes)
    }
}
