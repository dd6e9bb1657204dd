//! Searches inside a chart and in the directory, by each kind of parameter.

use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::fhir;
use uuid::Uuid;

use super::api::clinician;
use super::api::created;
use super::api::ids_of;
use super::api::matches;
use super::api::path;
use super::api::practitioner;
use super::api::put;
use super::api::search;
use super::api::searchset;
use super::api::store;
use super::api::unique_word;

/// A chart of labelled resources of one type.
struct Chart {
    patient: Value,
    labelled: Vec<(char, Value)>,
}

impl Chart {
    /// Stores the resources, labelled `a`, `b` and so on, which refer to a new patient by an element.
    async fn stored(client: &Client, element: &str, contents: Vec<Value>) -> anyhow::Result<Self> {
        let patient = fhir::patient();
        let labelled = ('a'..).zip(contents).map(|(label, mut resource)| {
            resource["id"] = json!(fhir::random_id());
            resource[element] = json!({"reference": fhir::reference(&patient)});
            (label, resource)
        });
        let labelled: Vec<_> = labelled.collect();
        let mut all = vec![&patient];
        all.extend(labelled.iter().map(|(_, resource)| resource));
        store(client, &all).await?;
        Ok(Self { patient, labelled })
    }

    /// The labels of ids, in their order.
    fn labels(&self, ids: &[Uuid]) -> String {
        let label = |id: &Uuid| {
            let mut all = self.labelled.iter();
            all.find(|(_, resource)| fhir::id(resource) == *id)
                .map_or('?', |(label, _)| *label)
        };
        ids.iter().map(label).collect()
    }

    /// The labels that a query finds, in the order of the result. The query is of the form `a=b&c=d`,
    /// without encoding.
    async fn found(&self, client: &Client, query: &str) -> anyhow::Result<String> {
        let kind = self.labelled[0].1["resourceType"]
            .as_str()
            .unwrap_or_default();
        let id = fhir::id(&self.patient).to_string();
        let mut fields = vec![("patient", &*id)];
        fields.extend(
            query
                .split('&')
                .map(|pair| pair.split_once('=').unwrap_or((pair, ""))),
        );
        let found = searchset(client, kind, &fields).await?;
        let ids = matches(&found);
        anyhow::ensure!(found["total"] == ids.len(), "{query}: {found}");
        Ok(self.labels(&ids))
    }

    /// Requires that each query finds the resources with these labels, in any order.
    async fn expect(&self, client: &Client, cases: &[(&str, &str)]) -> anyhow::Result<()> {
        let mut failures = Vec::new();
        for (query, expected) in cases {
            let found = match self.found(client, query).await {
                Ok(found) => found,
                Err(error) => format!("{error:#}"),
            };
            let mut letters: Vec<_> = found.chars().collect();
            letters.sort_unstable();
            if letters != expected.chars().collect::<Vec<_>>() {
                failures.push(format!("{query}: {found} instead of {expected}"));
            }
        }
        anyhow::ensure!(failures.is_empty(), "{}", failures.join("\n"));
        Ok(())
    }
}

const LOINC: &str = "http://loinc.org";
const CATEGORIES: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
const UNITS: &str = "http://unitsofmeasure.org";

/// Five observations of which each has something that no other has.
fn observations(performer: &Value) -> Vec<Value> {
    let coded = |system: &str, code: &str| json!({"coding": [{"system": system, "code": code}]});
    let category = |code: &str| json!([coded(CATEGORIES, code)]);
    vec![
        json!({
            "resourceType": "Observation", "status": "final", "code": coded(LOINC, "8867-4"),
            "category": category("vital-signs"), "effectiveDateTime": "2024-05-06T07:08:09Z",
            "valueQuantity": {"value": 72, "unit": "beats", "system": UNITS, "code": "/min"},
            "performer": [{"reference": fhir::reference(performer)}]
        }),
        json!({
            "resourceType": "Observation", "status": "preliminary", "code": coded(LOINC, "8310-5"),
            "category": category("vital-signs"), "effectiveDateTime": "2024-05-07",
            "valueQuantity": {"value": 37.25, "unit": "C", "system": UNITS, "code": "Cel"}
        }),
        json!({
            "resourceType": "Observation", "status": "amended",
            "code": {"coding": [{"system": "http://example.org/codes", "code": "a,b|c$d\\e"}]},
            "effectivePeriod": {"start": "2024-04-01", "end": "2024-06-01"},
            "valueString": "Étude des voies aériennes"
        }),
        json!({
            "resourceType": "Observation", "status": "cancelled", "code": {"text": "no code"},
            "category": category("laboratory"),
            "valueCodeableConcept": coded("http://snomed.info/sct", "260373001")
        }),
        json!({
            "resourceType": "Observation", "status": "final",
            "code": {"coding": [{"code": "8867-4"}]}, "effectiveDateTime": "2023",
            "valueQuantity": {"value": -5, "unit": "mmol/L"}
        }),
    ]
}

/// The chart of five observations, and their performer.
async fn chart(client: &Client) -> anyhow::Result<(Chart, Value)> {
    let performer = practitioner();
    put(client, &performer).await?.expect_status(201)?;
    let chart = Chart::stored(client, "subject", observations(&performer)).await?;
    Ok((chart, performer))
}

#[tokio::test]
async fn tokens_are_found_by_code_by_system_and_by_both() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let (chart, _performer) = chart(&client).await?;
    let cases = [
        ("code=8867-4", "ae"),
        ("code=http://loinc.org|8867-4", "a"),
        ("code=http://loinc.org|", "ab"),
        ("code=|8867-4", "e"),
        ("code=http://loinc.org|8310-4", ""),
        ("code=8867-4,8310-5", "abe"),
        ("code=8867-4&code=8310-5", ""),
        ("code=8867-4&status=final", "ae"),
        ("code=8867-4&status=preliminary", ""),
        (r"code=a\,b\|c\$d\\e", "c"),
        (r"code=http://example.org/codes|a\,b\|c\$d\\e", "c"),
        ("code=a,b", ""),
        ("code:not=8867-4", "bcd"),
        ("code:not=8867-4,8310-5", "cd"),
        ("code:missing=true", "d"),
        ("category:missing=true", "ce"),
        ("category:missing=false", "abd"),
        ("category=vital-signs", "ab"),
        ("category=vital-signs,laboratory", "abd"),
        ("category:not=vital-signs", "cde"),
        ("status=final", "ae"),
        ("status:not=final", "bcd"),
        ("status=final,amended", "ace"),
        ("value-concept=260373001", "d"),
        ("value-concept=http://snomed.info/sct|260373001", "d"),
        ("value-concept:missing=true", "abce"),
        ("combo-code=8867-4", "ae"),
        ("code=8867", ""),
    ];
    chart.expect(&client, &cases).await
}

#[tokio::test]
async fn dates_are_compared_by_their_prefixes() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let (chart, _performer) = chart(&client).await?;
    let cases = [
        ("date=2024-05-06", "a"),
        ("date=2024-05-06T07:08:09Z", "a"),
        ("date=2024-05-06T09:08:09%2B02:00", ""),
        ("date=2024-05-06T09:08:09+02:00", "a"),
        ("date=2024-05-06T07:08", "a"),
        ("date=2024-05", "ab"),
        ("date=2024", "abc"),
        ("date=2023", "e"),
        ("date=2024-05-06,2024-05-07", "ab"),
        ("date=ne2024", "e"),
        ("date=ne2024-05-06", "bce"),
        ("date=gt2024-05-06", "bc"),
        ("date=ge2024-05-06", "abc"),
        ("date=lt2024-05-06", "ce"),
        ("date=le2024-05-06", "ace"),
        ("date=sa2024-05-06", "b"),
        ("date=eb2024-05-06", "e"),
        ("date=eb2024-05-07", "ae"),
        ("date=ge2024-05-06&date=lt2024-05-07", "ac"),
        ("date:missing=true", "d"),
        ("date:missing=false", "abce"),
        ("_lastUpdated=ge2024", "abcde"),
        ("_lastUpdated=lt2024", ""),
    ];
    // The encoded plus sign of the form is not part of the text.
    let cases = cases.iter().filter(|(query, _)| !query.contains("%2B"));
    chart
        .expect(&client, &cases.copied().collect::<Vec<_>>())
        .await
}

#[tokio::test]
async fn quantities_are_compared_in_the_precision_of_the_query() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let (chart, _performer) = chart(&client).await?;
    let cases = [
        ("value-quantity=72", "a"),
        ("value-quantity=72|http://unitsofmeasure.org|/min", "a"),
        ("value-quantity=72||/min", "a"),
        ("value-quantity=72||beats", "a"),
        ("value-quantity=72|http://unitsofmeasure.org|Cel", ""),
        ("value-quantity=37", "b"),
        ("value-quantity=37.2", ""),
        ("value-quantity=37.3", "b"),
        ("value-quantity=37.25", "b"),
        ("value-quantity=37.250", "b"),
        ("value-quantity=3.725e1", "b"),
        ("value-quantity=gt37.25", "a"),
        ("value-quantity=ge37.25", "ab"),
        ("value-quantity=lt37.25", "e"),
        ("value-quantity=le37.25", "be"),
        ("value-quantity=ne72", "be"),
        ("value-quantity=sa37.25", "a"),
        ("value-quantity=eb37.25", "e"),
        ("value-quantity=ap70", "a"),
        ("value-quantity=-5", "e"),
        ("value-quantity=lt0", "e"),
        ("value-quantity=gt37||/min", "a"),
        ("value-quantity=72,-5", "ae"),
        ("value-quantity:missing=true", "cd"),
    ];
    chart.expect(&client, &cases).await
}

#[tokio::test]
async fn references_and_strings_are_found() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let (chart, performer) = chart(&client).await?;
    let id = fhir::id(&performer);
    let address = &running.status.web.address;
    let other = fhir::random_id();
    let cases = [
        (format!("performer=Practitioner/{id}"), "a"),
        (format!("performer={id}"), "a"),
        (format!("performer:Practitioner={id}"), "a"),
        (format!("performer={address}/fhir/Practitioner/{id}"), "a"),
        (
            format!("performer=Practitioner/{other},Practitioner/{id}"),
            "a",
        ),
        (format!("performer=Organization/{id}"), ""),
        (format!("performer={other}"), ""),
        ("performer:missing=true".to_owned(), "bcde"),
        ("value-string=etude".to_owned(), "c"),
        ("value-string=Étude DES".to_owned(), "c"),
        ("value-string=voies".to_owned(), ""),
        ("value-string:contains=VOIES".to_owned(), "c"),
        (
            "value-string:exact=Étude des voies aériennes".to_owned(),
            "c",
        ),
        (
            "value-string:exact=etude des voies aeriennes".to_owned(),
            "",
        ),
        ("value-string:missing=false".to_owned(), "c"),
    ];
    let cases: Vec<_> = cases
        .iter()
        .map(|(query, labels)| (&**query, *labels))
        .collect();
    chart.expect(&client, &cases).await
}

#[tokio::test]
async fn uris_are_found() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let plan = |uri: Option<&str>| {
        let mut plan = json!({"resourceType": "CarePlan", "status": "active", "intent": "plan"});
        if let Some(uri) = uri {
            plan["instantiatesUri"] = json!([uri]);
        }
        plan
    };
    let contents = vec![
        plan(Some("http://example.org/plans/One")),
        plan(Some("http://example.org/plans/One/sub")),
        plan(None),
    ];
    let chart = Chart::stored(&client, "subject", contents).await?;
    let cases = [
        ("instantiates-uri=http://example.org/plans/One", "a"),
        ("instantiates-uri=http://example.org/plans/one", ""),
        ("instantiates-uri=http://example.org/plans/", ""),
        ("instantiates-uri:below=http://example.org/plans/One", "ab"),
        (
            "instantiates-uri:above=http://example.org/plans/One/sub",
            "ab",
        ),
        ("instantiates-uri:missing=true", "c"),
    ];
    chart.expect(&client, &cases).await
}

#[tokio::test]
async fn results_are_in_the_requested_order() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let (chart, _performer) = chart(&client).await?;
    for (query, expected) in [
        ("date:missing=false&_sort=date", "ecab"),
        ("date:missing=false&_sort=-date", "cbae"),
        ("value-quantity:missing=false&_sort=value-quantity", "eba"),
        ("value-quantity:missing=false&_sort=-value-quantity", "abe"),
    ] {
        let found = chart.found(&client, query).await?;
        assert_eq!(found, expected, "{query}");
    }
    let sorted = chart.found(&client, "_sort=_id").await?;
    let mut ids: Vec<_> = chart.labelled.iter().map(|(_, it)| fhir::id(it)).collect();
    ids.sort_unstable();
    assert_eq!(sorted, chart.labels(&ids));
    ids.reverse();
    assert_eq!(
        chart.found(&client, "_sort=-_id").await?,
        chart.labels(&ids)
    );
    // Without a value: last, in either direction.
    for query in ["_sort=date", "_sort=-date"] {
        let found = chart.found(&client, query).await?;
        assert!(found.ends_with('d'), "{query}: {found}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_supported_is_refused_without_a_value() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let patient = created(&client, &fhir::patient()).await?;
    let id = fhir::id(&patient).to_string();
    for (name, value) in [
        ("CANARYVALUE", "x"),
        ("code:text", "CANARYVALUE"),
        ("code:in", "CANARYVALUE"),
        ("code:CANARYVALUE", "x"),
        ("_has:Provenance:target:agent", "CANARYVALUE"),
        ("subject.name", "CANARYVALUE"),
        ("code-value-quantity", "CANARYVALUE"),
        ("_text", "CANARYVALUE"),
        ("_content", "CANARYVALUE"),
        ("_filter", "CANARYVALUE"),
        ("date", "CANARYVALUE"),
        ("date", "ap2024"),
        ("value-quantity", "CANARYVALUE"),
        ("code", "a,,CANARYVALUE"),
        ("code", "CANARYVALUE\\"),
        ("code", r"CANARY\VALUE"),
        ("_sort", "CANARYVALUE"),
        ("_sort", "code"),
        ("_count", "CANARYVALUE"),
        ("_total", "CANARYVALUE"),
        ("_include", "CANARYVALUE"),
        ("_lastUpdated", "CANARYVALUE"),
        ("category:missing", "CANARYVALUE"),
    ] {
        let fields = [("patient", &*id), (name, value)];
        let refused = search(&client, "Observation", &fields).await?;
        let text = refused.text();
        assert_eq!(refused.status, 400, "{name}={value}: {text}");
        refused.issues()?;
        assert!(!text.contains("CANARY"), "{name}={value}: {text}");
    }
    let nobody = search(&client, "Observation", &[("code", "8867-4")]).await?;
    let words = nobody.expect_status(400)?.issues()?[0]["diagnostics"].to_string();
    assert!(words.contains("patient"), "{words}");
    let many = vec![("code", "8867-4"); 40];
    let many: Vec<_> = std::iter::once(("patient", &*id)).chain(many).collect();
    let refused = search(&client, "Observation", &many).await?;
    assert!(
        matches!(refused.status.as_u16(), 400 | 413),
        "{}",
        refused.text()
    );
    let other = fhir::random_id().to_string();
    let two = [("patient", &*id), ("patient", &*other)];
    search(&client, "Observation", &two)
        .await?
        .expect_status(400)?
        .issues()?;
    Ok(())
}

/// A stored Provenance of the second resource of a chart. Its second target is the patient if one is necessary.
async fn stored_provenance(
    client: &Client,
    chart: &Chart,
    performer: &Value,
) -> anyhow::Result<Value> {
    let provenance = json!({
        "resourceType": "Provenance", "id": fhir::random_id(),
        "target": [{"reference": fhir::reference(&chart.labelled[1].1)}],
        "recorded": "2024-05-07T00:00:00Z",
        "agent": [{"who": {"reference": fhir::reference(performer)}}]
    });
    let stored = put(client, &provenance).await?;
    let stored = if stored.status == 422 {
        let mut provenance = provenance.clone();
        let patient = json!({"reference": fhir::reference(&chart.patient)});
        provenance["target"] = json!([provenance["target"][0], patient]);
        put(client, &provenance).await?
    } else {
        stored
    };
    stored.expect_status(201)?;
    Ok(provenance)
}

#[tokio::test]
async fn included_resources_are_those_of_the_chart_and_the_directory() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let (chart, performer) = chart(&client).await?;
    let provenance = stored_provenance(&client, &chart, &performer).await?;
    let id = fhir::id(&chart.patient).to_string();
    let include = async |includes: &[(&str, &str)]| {
        let mut fields = vec![
            ("patient", &*id),
            ("_sort", "_id"),
            ("code", "8867-4,8310-5"),
        ];
        fields.extend(includes);
        let found = searchset(&client, "Observation", &fields).await?;
        anyhow::ensure!(found["total"] == 3, "{found}");
        let mut ids = ids_of(&found, "include");
        ids.sort_unstable();
        anyhow::Ok(ids)
    };
    let sorted = |all: &[&Value]| {
        let mut ids: Vec<_> = all.iter().map(|it| fhir::id(it)).collect();
        ids.sort_unstable();
        ids
    };
    let (to_subject, to_performer) = ("Observation:subject", "Observation:performer");
    for (includes, expected) in [
        (vec![], sorted(&[])),
        (vec![("_include", to_subject)], sorted(&[&chart.patient])),
        (
            vec![("_include", "Observation:subject:Patient")],
            sorted(&[&chart.patient]),
        ),
        (vec![("_include", "Observation:subject:Group")], sorted(&[])),
        (vec![("_include", to_performer)], sorted(&[&performer])),
        (
            vec![("_include", to_subject), ("_include", to_performer)],
            sorted(&[&chart.patient, &performer]),
        ),
        (
            vec![("_revinclude", "Provenance:target")],
            sorted(&[&provenance]),
        ),
        (
            vec![
                ("_include", to_performer),
                ("_revinclude", "Provenance:target"),
            ],
            sorted(&[&performer, &provenance]),
        ),
        (vec![("_revinclude", "Condition:subject")], sorted(&[])),
    ] {
        assert_eq!(include(&includes).await?, expected, "{includes:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_directory_is_searched_by_name_identifier_and_address() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let word = unique_word();
    let identifier = unique_word();
    let hospital = json!({
        "resourceType": "Organization", "id": fhir::random_id(), "name": format!("{word} Hospital"),
        "identifier": [{"system": "http://example.org/sites", "value": identifier}],
        "address": [{"city": format!("{word}ville"), "postalCode": "02139"}]
    });
    let practice = json!({
        "resourceType": "Organization", "id": fhir::random_id(), "name": format!("Practice {word}"),
        "alias": [format!("{word} Practice")],
        "partOf": {"reference": fhir::reference(&hospital)}
    });
    store(&client, &[&hospital, &practice]).await?;
    let (hospital, practice) = (fhir::id(&hospital), fhir::id(&practice));
    let lower = word.to_lowercase();
    let part_of = format!("Organization/{hospital}");
    let elsewhere = running.clinician(tests::Clinic::Lakeside).await?;
    for (name, value, expected) in [
        ("name", &*lower, vec![hospital, practice]),
        ("name:exact", &format!("{word} Hospital"), vec![hospital]),
        ("name:contains", &lower[2..], vec![hospital, practice]),
        ("identifier", &identifier, vec![hospital]),
        (
            "identifier",
            &format!("http://example.org/sites|{identifier}"),
            vec![hospital],
        ),
        (
            "identifier",
            &format!("http://example.org/other|{identifier}"),
            vec![],
        ),
        ("address", &format!("{lower}v"), vec![hospital]),
        ("address-city", &format!("{word}ville"), vec![hospital]),
        ("partof", &part_of, vec![practice]),
        ("_id", &hospital.to_string(), vec![hospital]),
    ] {
        let found = searchset(&client, "Organization", &[(name, value)]).await?;
        let mut ids = matches(&found);
        let mut expected = expected;
        ids.sort_unstable();
        expected.sort_unstable();
        assert_eq!(ids, expected, "{name}={value}");
        let found = searchset(&elsewhere, "Organization", &[(name, value)]).await?;
        assert_eq!(found["total"], 0, "{name}={value} of another organization");
    }
    Ok(())
}

#[tokio::test]
async fn values_that_do_not_fit_into_a_summary_are_found_all_the_same() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let patient = created(&client, &fhir::patient()).await?;
    let mut large = fhir::observation(&patient);
    let coding = |number: usize| json!({"system": LOINC, "code": format!("many-{number}")});
    large["code"]["coding"] = (0..300).map(coding).collect();
    let mut other = fhir::observation(&patient);
    other["code"]["coding"] = json!([coding(299), coding(300)]);
    store(&client, &[&large, &other]).await?;
    let id = fhir::id(&patient).to_string();
    for (query, expected) in [
        (("code", "many-0"), vec![&large]),
        (("code", "many-150"), vec![&large]),
        (("code", "http://loinc.org|many-298"), vec![&large]),
        (("code", "many-299"), vec![&large, &other]),
        (("code", "many-300"), vec![&other]),
        (("code", "many-301"), vec![]),
        (("code:not", "many-300"), vec![&large]),
        (("code:not", "many-150"), vec![&other]),
        (("status", "final"), vec![&large, &other]),
        (("date", "2024-05-06"), vec![&large, &other]),
    ] {
        let found = searchset(&client, "Observation", &[("patient", &id), query]).await?;
        let mut ids = matches(&found);
        let mut expected: Vec<_> = expected.into_iter().map(fhir::id).collect();
        ids.sort_unstable();
        expected.sort_unstable();
        assert_eq!(ids, expected, "{query:?}");
    }
    large["code"]["coding"] = json!([coding(0)]);
    put(&client, &large).await?.expect_status(200)?;
    let fields = [("patient", &*id), ("code", "many-150")];
    assert_eq!(
        searchset(&client, "Observation", &fields).await?["total"],
        0
    );
    client.get(&path(&large)).await?.expect_status(200)?;
    Ok(())
}
