//! The pages in Chromium, on a desktop and on a phone: sign-in, search, chart, back after sign-out.

use tests::Clinic;
use tests::Role;
use tests::RunningStack;
use tests::fhir;

use super::chromium::Browser;
use super::chromium::DESKTOP;
use super::chromium::PHONE;

/// Signs in through the form.
pub(super) async fn sign_in(browser: &Browser, running: &RunningStack, role: Role) {
    browser.navigate("/").await;
    assert_eq!(browser.path().await, "/sign-in");
    submit_sign_in(browser, running, role).await;
}

/// Fills in the form of the sign-in page, and sends it.
pub(super) async fn submit_sign_in(browser: &Browser, running: &RunningStack, role: Role) {
    let account = running.account(role, Clinic::Riverside).unwrap();
    browser.fill("#email", &account.email).await;
    browser.fill("#password", &account.password).await;
    let code = running.code(account).await.unwrap();
    browser.fill("#code", &code).await;
    browser.click("form.door-form button").await;
}

/// A seeded patient of Riverside.
struct SeededPatient {
    family: String,
    given: String,
    record_number: String,
    id: String,
}

fn seeded_patient() -> SeededPatient {
    let bundles = tests::bundles().unwrap();
    let bundle = bundles
        .iter()
        .find(|bundle| bundle.clinic == Clinic::Riverside)
        .unwrap();
    let patient = bundle.patient().unwrap();
    let numbers = patient["identifier"].as_array().unwrap();
    let number = numbers
        .iter()
        .find(|number| number["type"]["coding"][0]["code"] == "MR")
        .unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    SeededPatient {
        family: text(&patient["name"][0]["family"]),
        given: text(&patient["name"][0]["given"][0]),
        record_number: text(&number["value"]),
        id: text(&patient["id"]),
    }
}

/// The family names of the list in lower case, except those with accents, whose sort order ignores
/// the accents.
async fn family_names(browser: &Browser) -> Vec<String> {
    let names = browser.texts("tbody th.family").await;
    assert!(names.len() >= 10, "{names:?}");
    let families = names
        .iter()
        .map(|name| name.split(',').next().unwrap_or_default());
    let plain = families.filter(|name| name.bytes().all(|byte| byte.is_ascii_alphabetic()));
    plain.map(str::to_lowercase).collect()
}

/// The pages of a clinician from sign-in to sign-out; screenshots are named after `size`.
async fn visit_pages_as_clinician(browser: &Browser, running: &RunningStack, size: &str) {
    let seeded = seeded_patient();
    browser.navigate("/sign-in").await;
    browser.screenshot(&format!("{size}-sign-in")).await;
    sign_in(browser, running, Role::Clinician).await;
    assert_eq!(browser.path().await, "/patients");
    browser.screenshot(&format!("{size}-patients")).await;
    let ascending = family_names(browser).await;
    assert!(ascending.is_sorted(), "{ascending:?}");
    browser.navigate("/patients?sort=family&order=desc").await;
    let descending = family_names(browser).await;
    assert!(descending.iter().rev().is_sorted(), "{descending:?}");

    browser
        .fill("#q", &seeded.family[..seeded.family.len().min(5)])
        .await;
    browser.click("form.search button").await;
    assert_eq!(browser.path().await, "/patients/search");
    assert!(browser.text().await.contains(&seeded.family));
    browser.screenshot(&format!("{size}-search")).await;
    browser.fill("#q", &seeded.record_number).await;
    browser.click("form.search button").await;
    assert_eq!(browser.count("tbody tr").await, 1);

    browser.click("tbody a.row-link").await;
    assert_eq!(browser.path().await, format!("/patients/{}", seeded.id));
    let chart = browser.text().await;
    assert!(
        chart.contains(&seeded.family) && chart.contains(&seeded.given),
        "{chart}"
    );
    browser.screenshot(&format!("{size}-chart")).await;
    browser
        .navigate(&format!("/patients/{}?kind=Observation", seeded.id))
        .await;
    assert!(browser.text().await.contains(&seeded.family));
    browser
        .screenshot(&format!("{size}-chart-observations"))
        .await;
    // The page fits the window, and has the script of pages alone.
    assert_eq!(browser.overflow_and_scripts().await, (0, 1));

    browser.click("form.bar-leave button").await;
    assert_eq!(browser.path().await, "/sign-in");
    browser.screenshot(&format!("{size}-signed-out")).await;
    for _ in 0..2 {
        browser.back().await;
        let shown = browser.text().await;
        assert!(
            !shown.contains(&seeded.family) && !shown.contains(&seeded.given),
            "{shown}"
        );
    }
    browser.screenshot(&format!("{size}-back")).await;
    let chart = format!("/patients/{}", seeded.id);
    browser.navigate(&chart).await;
    assert_eq!(browser.path().await, format!("/sign-in?next={chart}"));
}

#[tokio::test]
async fn a_clinician_finds_a_chart_on_a_desktop_and_no_page_is_shown_after_sign_out() {
    let running = RunningStack::shared().unwrap();
    let browser = Browser::open(&running.status, DESKTOP).await;
    visit_pages_as_clinician(&browser, &running, "desktop").await;
    browser.close().await;
}

#[tokio::test]
async fn a_clinician_finds_a_chart_on_a_phone_and_no_page_is_shown_after_sign_out() {
    let running = RunningStack::shared().unwrap();
    let browser = Browser::open(&running.status, PHONE).await;
    visit_pages_as_clinician(&browser, &running, "phone").await;
    browser.close().await;
}

#[tokio::test]
async fn each_role_sees_only_its_own_pages() {
    let running = RunningStack::shared().unwrap();
    let seeded = seeded_patient();
    for (role, own, others) in [
        (
            Role::FrontDesk,
            "/patients",
            ["/people", "/audit"].as_slice(),
        ),
        (Role::SecurityAdmin, "/people", &["/patients", "/audit"]),
        (Role::PrivacyOfficer, "/audit", &["/patients", "/people"]),
    ] {
        let browser = Browser::open(&running.status, DESKTOP).await;
        sign_in(&browser, &running, role).await;
        assert_eq!(browser.path().await, own, "{role}");
        browser.screenshot(&format!("desktop-{role}")).await;
        for other in others {
            browser.navigate(other).await;
            assert!(
                !browser.text().await.contains(&seeded.record_number),
                "{role} at {other}"
            );
            assert_eq!(
                browser.count("main table.cards").await,
                0,
                "{role} at {other}"
            );
        }
        browser.screenshot(&format!("desktop-{role}-refused")).await;
        browser.close().await;
    }
}

#[tokio::test]
async fn a_wrong_password_shows_a_notice() {
    let running = RunningStack::shared().unwrap();
    let browser = Browser::open(&running.status, PHONE).await;
    browser.navigate("/sign-in").await;
    browser.fill("#email", "nobody@riverside.example").await;
    browser.fill("#password", "not the password").await;
    browser.click("form.door-form button").await;
    assert!(browser.count("#notice").await == 1);
    browser.assert_accessible("a wrong password").await;
    browser.screenshot("phone-wrong-password").await;
    // After further attempts, the page counts down the time until the next one.
    let mut attempts = 0;
    while browser.count("[data-wait]").await == 0 {
        browser.fill("#password", "not the password").await;
        browser.click("form.door-form button").await;
        attempts += 1;
        assert!(attempts < 20, "no attempt is throttled");
    }
    assert_eq!(browser.value("#email").await, "nobody@riverside.example");
    browser.assert_accessible("too many attempts").await;
    let first = browser.texts("[data-wait]").await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_ne!(browser.texts("[data-wait]").await, first);
    browser.screenshot("phone-throttled").await;
    browser.close().await;
}

#[tokio::test]
async fn a_refused_form_says_what_to_do_beside_the_field_and_keeps_what_was_typed() {
    let running = RunningStack::shared().unwrap();
    let browser = Browser::open(&running.status, DESKTOP).await;
    sign_in(&browser, &running, Role::SecurityAdmin).await;
    browser.fill("#name", "Ada Lovelace").await;
    let taken = running.account(Role::FrontDesk, Clinic::Riverside).unwrap();
    browser.fill("#email", &taken.email).await;
    browser.type_text("#role", "Privacy officer").await;
    browser.click("form.invite-form button").await;
    assert_eq!(browser.path().await, "/people");
    assert_eq!(browser.value("#name").await, "Ada Lovelace");
    assert_eq!(browser.value("#email").await, taken.email);
    assert_eq!(browser.value("#role").await, "privacy_officer");
    assert_eq!(
        browser
            .count("#email[aria-invalid=true][aria-describedby=email-error]")
            .await,
        1
    );
    assert!(browser.texts("#email-error").await[0].contains("in use"));
    browser.assert_accessible("a refused invitation").await;
    browser.screenshot("desktop-refused-invitation").await;
    browser.navigate("/security").await;
    browser.fill("#password", "not the password").await;
    browser
        .fill("#new_password", "quartz lantern meadow violin 42")
        .await;
    browser.click("form.door-form button").await;
    assert_eq!(browser.count("#password[aria-invalid=true]").await, 1);
    assert_eq!(browser.value("#new_password").await, "");
    browser.assert_accessible("a refused password").await;
    browser.screenshot("desktop-refused-password").await;
    browser.close().await;
    let browser = Browser::open(&running.status, DESKTOP).await;
    sign_in(&browser, &running, Role::FrontDesk).await;
    browser.fill("#q", "1962-13-14").await;
    browser.click("form.search button").await;
    assert_eq!(browser.value("#q").await, "1962-13-14");
    assert_eq!(browser.count("#q[aria-invalid=true]").await, 1);
    browser.assert_accessible("a refused search").await;
    browser.screenshot("desktop-refused-search").await;
    browser.close().await;
}

#[tokio::test]
async fn a_long_list_of_patients_has_pages() {
    let running = RunningStack::shared().unwrap();
    let clinician = running.clinician(Clinic::Riverside).await.unwrap();
    let patients: Vec<_> = (0..60).map(|_| fhir::patient()).collect();
    let all: Vec<_> = patients.iter().collect();
    let bundle = fhir::transaction(&all);
    clinician
        .bundle(&bundle)
        .await
        .unwrap()
        .expect_status(200)
        .unwrap();
    let browser = Browser::open(&running.status, DESKTOP).await;
    sign_in(&browser, &running, Role::Clinician).await;
    let first = browser.texts("tbody td.mrn").await;
    browser.click("a[rel=next]").await;
    let second = browser.texts("tbody td.mrn").await;
    assert!(!second.is_empty() && second.iter().all(|number| !first.contains(number)));
    browser.screenshot("desktop-second-page").await;
    browser.click("a[rel=prev]").await;
    assert_eq!(browser.texts("tbody td.mrn").await, first);
    browser.close().await;
}
