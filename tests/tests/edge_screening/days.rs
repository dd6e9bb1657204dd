//! What people do in a clinic, drawn with a seed: nothing in it is anybody's.

use std::fmt::Write as _;

use bytes::Bytes;
use serde_json::Value;
use serde_json::json;
use tests::Bundle;
use url::form_urlencoded::Serializer;

use super::programs::BROWSERS;
use super::programs::CLIENTS;
use super::programs::Program;

const FORM: &str = "application/x-www-form-urlencoded";

/// `SplitMix64`: enough to choose with, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        usize::try_from(z % u64::try_from(sides).unwrap()).unwrap()
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.roll(of.len())]
    }
}

/// A request, but for what every request has.
pub(super) struct Asked {
    pub(super) method: &'static str,
    pub(super) target: String,
    kind: &'static str,
    pub(super) body: Bytes,
}

impl Asked {
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

    fn bytes(&self, program: &Program, credentials: &str) -> Vec<u8> {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: clinic.example\r\n",
            self.method, self.target
        );
        for line in program.0.lines().chain(credentials.lines()) {
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

/// What is known of patients, and what is drawn of it.
pub(super) struct Days {
    dice: Dice,
    bundles: Vec<Bundle>,
}

impl Days {
    /// The same days for the same seed.
    pub(super) fn of_seed(seed: u64) -> anyhow::Result<Self> {
        Ok(Self {
            dice: Dice(seed),
            bundles: tests::bundles()?,
        })
    }

    fn resource(&mut self) -> Value {
        let bundle = self.dice.roll(self.bundles.len());
        let resources = &self.bundles[bundle].resources;
        resources[self.dice.roll(resources.len())].clone()
    }

    fn patient(&mut self) -> Value {
        let bundle = self.dice.roll(self.bundles.len());
        self.bundles[bundle].patient().unwrap().clone()
    }

    /// What a person would search this patient by.
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
        let identifier = identifiers.get(self.dice.roll(identifiers.len().max(1)));
        let number = |name: &str| {
            identifier
                .and_then(|it| it[name].as_str())
                .unwrap_or("999-26-4821")
                .to_owned()
        };
        match self.dice.roll(6) {
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
            // A name, an apostrophe, and what else stands in clinical text.
            _ => vec![
                ("family", "D'Angelo-Select; O\"Drop & Sons".to_owned()),
                ("birthdate", format!("ge{}", text("/birthDate"))),
            ],
        }
    }

    /// A request of a FHIR client or of a program of the workflow.
    fn of_client(&mut self) -> Asked {
        match self.dice.roll(10) {
            0..=4 => self.read(),
            5 | 6 => self.search(),
            7 => self.bundle(),
            8 => {
                let body = json!({"email": "ann.o'hara+test@example.org", "password": "' OR 1=1; -- <script>"});
                Asked::with(
                    "POST",
                    "/api/v1/tokens",
                    "application/json",
                    body.to_string(),
                )
            }
            _ => {
                let path = *self.dice.pick(&[
                    "/fhir/metadata",
                    "/api/v1/session",
                    "/api/v1/people",
                    "/api/v1/audit/events",
                    "/api/v1/openapi.json",
                ]);
                match self.dice.roll(8) {
                    0 => Asked::with("DELETE", "/api/v1/tokens/current", "", Bytes::new()),
                    1 => Asked::with("HEAD", path, "", Bytes::new()),
                    _ => Asked::get(path),
                }
            }
        }
    }

    /// A resource is read.
    fn read(&mut self) -> Asked {
        let resource = self.resource();
        let (kind, id) = (&resource["resourceType"], &resource["id"]);
        let path = format!("/fhir/{}/{}", kind.as_str().unwrap(), id.as_str().unwrap());
        let query = self.dice.pick(&[
            "",
            "?_format=json",
            "?_format=application%2Ffhir%2Bjson",
            "?_pretty=true&_summary=false",
        ]);
        Asked::get(format!("{path}{query}"))
    }

    /// A patient is searched for.
    fn search(&mut self) -> Asked {
        let fields = |words: &[(&'static str, String)]| {
            Serializer::new(String::new()).extend_pairs(words).finish()
        };
        let patient = self.patient();
        let words = self.words(&patient);
        let query = *self.dice.pick(&["", "?_count=50", "?_format=json"]);
        let kind = *self
            .dice
            .pick(&[FORM, "application/x-www-form-urlencoded; charset=UTF-8"]);
        Asked::with(
            "POST",
            format!("/fhir/Patient/_search{query}"),
            kind,
            fields(&words),
        )
    }

    /// Some resources are sent together.
    fn bundle(&mut self) -> Asked {
        let entries: Vec<Value> = (0..=self.dice.roll(20))
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
        let kind = *self.dice.pick(&[
            "application/fhir+json",
            "application/fhir+json; charset=utf-8",
            "application/fhir+json;fhirVersion=4.0",
            "application/json",
        ]);
        Asked::with("POST", "/fhir", kind, bundle.to_string())
    }

    /// A request of a browser.
    fn of_browser(&mut self) -> Asked {
        let page = self.dice.roll(400) + 1;
        match self.dice.roll(8) {
            0 | 1 => {
                let sort = self.dice.pick(&["family", "birth_date"]);
                let order = self.dice.pick(&["asc", "desc"]);
                Asked::get(format!("/patients?sort={sort}&order={order}&page={page}"))
            }
            2 | 3 => {
                let patient = self.patient();
                let kind = self
                    .dice
                    .pick(&["Observation", "Condition", "CarePlan", "Encounter"]);
                let id = patient["id"].as_str().unwrap();
                let queries = [
                    String::new(),
                    format!("?kind={kind}&page={page}"),
                    format!("?page={page}"),
                ];
                let query = self.dice.pick(&queries);
                Asked::get(format!("/patients/{id}{query}"))
            }
            4 => {
                let patient = self.patient();
                let typed: Vec<String> = self
                    .words(&patient)
                    .into_iter()
                    .map(|(_, word)| word)
                    .collect();
                Asked::form("/patients/search", &[("q", &typed.join(" "))])
            }
            5 => Asked::form(
                "/sign-in",
                &[
                    ("email", "ann@example.org"),
                    ("password", "1' or '1'='1 $(x) ../ 密码"),
                ],
            ),
            6 => Asked::form("/sign-out", &[]),
            _ => Asked::get(*self.dice.pick(&[
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
    pub(super) fn next(&mut self) -> (Asked, Vec<u8>) {
        if self.dice.roll(2) == 0 {
            let asked = self.of_client();
            let program = self.dice.pick(&CLIENTS);
            let bytes = asked.bytes(
                program,
                "Authorization: Bearer dGhpcyBpcyBub3QgYSB0b2tlbiBvZiBhbnlib2R5-_",
            );
            return (asked, bytes);
        }
        let asked = self.of_browser();
        let program = self.dice.pick(&BROWSERS);
        let cookies = "Cookie: _ga=GA1.1.1234567890.1700000000; prefs=%7B%22a%22%3A1%7D; __Host-session=c2Vzc2lvbi1vZi1ub2JvZHk_-";
        let bytes = asked.bytes(program, cookies);
        (asked, bytes)
    }
}
