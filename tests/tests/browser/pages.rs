use tests::Clinic;
use tests::Role;
use tests::Running;
use tests::fhir;

use super::chromium::Browser;
use super::chromium::DESKTOP;
use super::chromium::PHONE;

/// Signs in through the form.
async fn sign_in(browser: &Browser, running: &Running, role: Role) {
    let account = running.account(role, Clinic::Riverside).unwrap();
    browser.go("/").await;
    assert_eq!(browser.path().await, "/sign-in");
    browser.fill("#email", &account.email).await;
    browser.fill("#password", &account.password).await;
    browser.press("form.door-form button").await;
}

/// A patient of Riverside: family name, given names, record number, id.
struct Known {
    family: String,
    given: String,
    record_number: String,
    id: String,
}

fn known() -> Known {
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
    Known {
        family: text(&patient["name"][0]["family"]),
        given: text(&patient["name"][0]["given"][0]),
        record_number: text(&number["value"]),
        id: text(&patient["id"]),
    }
}

/// The family names of the list. Those with accents are left out: they are sorted as if they had none.
async fn family_names(browser: &Browser) -> Vec<String> {
    let names = browser.texts("tbody th.family").await;
    assert!(names.len() >= 10, "{names:?}");
    let families = names
        .iter()
        .map(|name| name.split(',').next().unwrap_or_default());
    let plain = families.filter(|name| name.bytes().all(|byte| byte.is_ascii_alphabetic()));
    plain.map(str::to_lowercase).collect()
}

/// The whole way of a clinician; what is on the screen is kept in pictures named after `size`.
async fn way_of_a_clinician(browser: &Browser, running: &Running, size: &str) {
    let known = known();
    browser.go("/sign-in").await;
    browser.picture(&format!("{size}-sign-in")).await;
    sign_in(browser, running, Role::Clinician).await;
    assert_eq!(browser.path().await, "/patients");
    browser.picture(&format!("{size}-patients")).await;
    let ascending = family_names(browser).await;
    assert!(ascending.is_sorted(), "{ascending:?}");
    browser.go("/patients?sort=family&order=desc").await;
    let descending = family_names(browser).await;
    assert!(descending.iter().rev().is_sorted(), "{descending:?}");

    browser
        .fill("#q", &known.family[..known.family.len().min(5)])
        .await;
    browser.press("form.search button").await;
    assert_eq!(browser.path().await, "/patients/search");
    assert!(browser.text().await.contains(&known.family));
    browser.picture(&format!("{size}-search")).await;
    browser.fill("#q", &known.record_number).await;
    browser.press("form.search button").await;
    assert_eq!(browser.count("tbody tr").await, 1);

    browser.press("tbody a.row-link").await;
    assert_eq!(browser.path().await, format!("/patients/{}", known.id));
    let chart = browser.text().await;
    assert!(
        chart.contains(&known.family) && chart.contains(&known.given),
        "{chart}"
    );
    browser.picture(&format!("{size}-chart")).await;
    browser
        .go(&format!("/patients/{}?kind=Observation", known.id))
        .await;
    assert!(browser.text().await.contains(&known.family));
    browser.picture(&format!("{size}-chart-observations")).await;
    // No wider than its window, and useful without any script.
    assert_eq!(browser.overflow_and_scripts().await, (0, 0));

    browser.press("form.bar-leave button").await;
    assert_eq!(browser.path().await, "/sign-in");
    browser.picture(&format!("{size}-signed-out")).await;
    for _ in 0..2 {
        browser.back().await;
        let shown = browser.text().await;
        assert!(
            !shown.contains(&known.family) && !shown.contains(&known.given),
            "{shown}"
        );
    }
    browser.picture(&format!("{size}-back")).await;
    browser.go(&format!("/patients/{}", known.id)).await;
    assert_eq!(browser.path().await, "/sign-in");
}

#[tokio::test]
async fn a_clinician_finds_a_chart_on_a_desktop_and_back_shows_nothing_after_signing_out() {
    let running = Running::shared().unwrap();
    let browser = Browser::open(&running.status, DESKTOP).await;
    way_of_a_clinician(&browser, &running, "desktop").await;
    browser.close().await;
}

#[tokio::test]
async fn a_clinician_finds_a_chart_on_a_phone_and_back_shows_nothing_after_signing_out() {
    let running = Running::shared().unwrap();
    let browser = Browser::open(&running.status, PHONE).await;
    way_of_a_clinician(&browser, &running, "phone").await;
    browser.close().await;
}

#[tokio::test]
async fn each_role_sees_its_own_pages_and_no_other() {
    let running = Running::shared().unwrap();
    let known = known();
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
        browser.picture(&format!("desktop-{role}")).await;
        for other in others {
            browser.go(other).await;
            assert!(
                !browser.text().await.contains(&known.record_number),
                "{role} at {other}"
            );
            assert_eq!(
                browser.count("main table.cards").await,
                0,
                "{role} at {other}"
            );
        }
        browser.picture(&format!("desktop-{role}-refused")).await;
        browser.close().await;
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_kindly_and_says_nothing_of_the_account() {
    let running = Running::shared().unwrap();
    let browser = Browser::open(&running.status, PHONE).await;
    browser.go("/sign-in").await;
    browser.fill("#email", "nobody@riverside.example").await;
    browser.fill("#password", "not the password").await;
    browser.press("form.door-form button").await;
    assert!(browser.count("#notice").await == 1);
    browser.picture("phone-wrong-password").await;
    browser.close().await;
}

#[tokio::test]
async fn a_long_list_is_turned_over_page_by_page() {
    let running = Running::shared().unwrap();
    let clinician = running.clinician(Clinic::Riverside).await.unwrap();
    let patients: Vec<_> = (0..60).map(|_| fhir::patient()).collect();
    let all: Vec<_> = patients.iter().collect();
    let bundle = fhir::transaction(&all);
    clinician
        .bundle(&bundle)
        .await
        .unwrap()
        .expecting(200)
        .unwrap();
    let browser = Browser::open(&running.status, DESKTOP).await;
    sign_in(&browser, &running, Role::Clinician).await;
    let first = browser.texts("tbody td.mrn").await;
    browser.press("a[rel=next]").await;
    let second = browser.texts("tbody td.mrn").await;
    assert!(!second.is_empty() && second.iter().all(|number| !first.contains(number)));
    browser.picture("desktop-second-page").await;
    browser.press("a[rel=prev]").await;
    assert_eq!(browser.texts("tbody td.mrn").await, first);
    browser.close().await;
}
