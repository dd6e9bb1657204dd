//! A patient's chart: who they are, and what was recorded.

use access::DataClass;
use access::Operation;
use access::Read;
use askama::Template;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use phi::PatientId;
use serde::Deserialize;
use time::Date;
use utoipa::IntoParams;
use utoipa::openapi::schema::Object;

use super::dates::Day;
use super::dates::age;
use super::html::Html;
use super::layout::Area;
use super::layout::Frame;
use super::layout::Viewer;
use super::paging::page_number;
use super::paging::page_numbers;
use super::patient_table::sex;
use super::patient_table::words;
use super::timeline::Record;
use super::timeline::Timeline;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::Id;
use crate::http::openapi::Page;
use crate::http::openapi::one_of;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::limits::MAX_RESPONSE_BYTES;
use crate::services::records::chart_subject;
use crate::services::records::subject;
use fhir::Demographics;
use fhir::ResourceType;
use fhir::parse_id;

/// What a chart's address may say.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    #[param(schema_with = kinds)]
    kind: Option<String>,
    #[param(schema_with = page_numbers)]
    page: Option<String>,
}

fn kinds() -> Object {
    one_of(ResourceType::in_charts().map(ResourceType::name))
}

/// A patient's chart; for a role without clinical records, the patient's demographics.
///
/// # Errors
///
/// [`Problem::NotFound`] also for a patient of another organization; see [`Problem`].
#[utoipa::path(
    get,
    path = "/patients/{id}",
    params(Id, Asked),
    responses((status = "default", response = Page))
)]
pub(crate) async fn show(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Html<ChartPage>, Problem> {
    let id = parse_id(&id).map_err(|_issue| Problem::NotFound)?;
    let (patient, organization) = (PatientId::from_uuid(id), caller.organization());
    let disclosed = if caller.may(Operation::Read, DataClass::Clinical) {
        let subject = chart_subject(organization).patient(patient);
        let permitted = app.gate.permit(&caller, Read, subject).await?;
        let chart = app.records.chart(&permitted, patient).await?;
        let shown = asked.kind.as_deref().and_then(shown_type);
        let page = page_number(asked.page.as_deref());
        chart.map(|chart| {
            let records = chart.records.into_iter().map(Record::of);
            let timeline = Timeline::new(&id.to_string(), records.collect(), shown, page);
            let demographics = Demographics::of(&chart.patient.resource);
            (demographics, Some(timeline), chart.reserved)
        })
    } else {
        let subject = subject(organization, ResourceType::Patient)
            .id(id)
            .patient(patient);
        let permitted = app.gate.permit(&caller, Read, subject).await?;
        let stored = app
            .records
            .read(&permitted, ResourceType::Patient, id, MAX_RESPONSE_BYTES)
            .await?;
        stored.map(|stored| {
            let demographics = Demographics::of(&stored.resource);
            (demographics, None, stored.reserved)
        })
    };
    let viewer = Viewer::of(&app, &caller, Area::Patients).await?;
    let today = app.clock.now().date();
    Ok(Html::reserved(disclosed.map(
        |(demographics, clinical, reserved)| {
            let page = ChartPage {
                frame: Frame {
                    title: "Chart",
                    viewer: Some(viewer),
                },
                patient: PatientHeader::new(&demographics, today),
                clinical,
            };
            (page, reserved)
        },
    )))
}

/// The chart.
#[derive(Template)]
#[template(path = "chart.html")]
pub(crate) struct ChartPage {
    pub(crate) frame: Frame,
    pub(crate) patient: PatientHeader,
    /// The clinical record, for a role that may see it.
    pub(crate) clinical: Option<Timeline>,
}

/// Who the patient is. There is no field for a whole social security number.
#[derive(Clone)]
pub(crate) struct PatientHeader {
    family: String,
    given: String,
    born: Day,
    age: String,
    died: Option<Day>,
    sex: &'static str,
    mrn: String,
    ssn_last_four: Option<String>,
    phone: String,
    email: String,
    address: String,
}

impl PatientHeader {
    /// The patient as of `today`; who has died is as old as on that day.
    pub(crate) fn new(patient: &Demographics, today: Date) -> Self {
        let birth_date = words(patient.birth_date.as_ref());
        let died = patient.died.as_ref().map(|died| Day::new(died));
        let until = match &died {
            Some(died) => died.date(),
            None => (!patient.deceased).then_some(today),
        };
        Self {
            family: words(patient.family.as_ref()),
            given: words(patient.given.as_ref()),
            age: until
                .map(|until| age(&birth_date, until))
                .unwrap_or_default(),
            born: Day::new(&birth_date),
            died: died.or_else(|| patient.deceased.then(|| Day::new("date not known"))),
            sex: sex(patient.gender.as_ref()),
            mrn: words(patient.mrn.as_ref()),
            ssn_last_four: patient.ssn.as_ref().and_then(|ssn| last_four(ssn)),
            phone: words(patient.phone.as_ref()),
            email: words(patient.email.as_ref()),
            address: words(patient.address.as_ref()),
        }
    }
}

/// The type that `kind=` in a chart's address names, if a chart shows it.
fn shown_type(name: &str) -> Option<ResourceType> {
    ResourceType::in_charts().find(|it| it.name() == name)
}

/// The last four of nine digits; of anything else nothing is shown.
fn last_four(ssn: &str) -> Option<String> {
    let digits: String = ssn.chars().filter(char::is_ascii_digit).collect();
    digits
        .get(5..9)
        .filter(|_| digits.len() == 9)
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;
    use zeroize::Zeroizing;

    fn patient() -> Demographics {
        let text = |text: &str| Some(Zeroizing::new(text.to_owned()));
        Demographics {
            family: text("Cruz"),
            birth_date: text("1950-06-01"),
            ssn: text("999-26-4821"),
            ..Demographics::default()
        }
    }

    #[test]
    fn of_a_social_security_number_only_the_last_four_digits_are_shown() {
        let header = PatientHeader::new(&patient(), date!(2026 - 11 - 23));
        let frame = Frame {
            title: "Chart",
            viewer: None,
        };
        let page = ChartPage {
            frame,
            patient: header,
            clinical: None,
        }
        .render()
        .unwrap();
        assert!(page.contains("4821") && !page.contains("26-4821") && !page.contains("99926"));
        assert_eq!(last_four("123456"), None);
    }

    #[test]
    fn only_types_of_a_chart_are_filters() {
        assert_eq!(shown_type("CarePlan"), Some(ResourceType::CarePlan));
        assert_eq!(shown_type("Practitioner"), None);
        assert_eq!(shown_type("encounter"), None);
    }

    #[test]
    fn who_has_died_does_not_grow_older() {
        let mut patient = patient();
        patient.died = Some(Zeroizing::new("2019-02-03T10:00:00Z".to_owned()));
        let header = PatientHeader::new(&patient, date!(2026 - 11 - 23));
        assert_eq!(header.age, "68 y");
        assert_eq!(header.died.unwrap().text, "3 Feb 2019");
    }
}
