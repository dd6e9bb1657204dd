//! Automatic logoff in Chromium: a page that is left is cleared on time, without script and with it.

use std::time::Duration;
use std::time::Instant;

use tests::IsolatedStack;
use tests::Role;
use tests::RunningStack;

use super::chromium::Browser;
use super::chromium::DESKTOP;
use super::pages::sign_in;
use super::pages::submit_sign_in;

const IDLE_LIMIT: Duration = Duration::from_secs(20);
/// The longest time after the idle limit for which a page may be shown.
const MARGIN: Duration = Duration::from_secs(6);

async fn start() -> (IsolatedStack, RunningStack) {
    let isolated = IsolatedStack::start_with(|settings| {
        settings.options.session_idle_seconds = 20;
    });
    let isolated = isolated.await.unwrap();
    let running = isolated.running().unwrap();
    (isolated, running)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_left_is_cleared_on_time_without_script() {
    let (_isolated, running) = start().await;
    let browser = Browser::open_without_script(&running.status).await;
    sign_in(&browser, &running, Role::Clinician).await;
    let signed_in = Instant::now();
    assert_eq!(browser.path().await, "/patients");
    browser.wait_for_path("/signed-out?next=/patients").await;
    assert!(signed_in.elapsed() > IDLE_LIMIT.saturating_sub(MARGIN));
    assert!(signed_in.elapsed() < IDLE_LIMIT + MARGIN);
    let shown = browser.text().await;
    assert!(shown.contains("You are signed out"), "{shown}");
    browser.screenshot("desktop-signed-out-automatically").await;
    browser.back().await;
    assert!(!browser.text().await.contains("charts at"));
    browser.navigate("/signed-out?next=/patients").await;
    browser.click("main a.button").await;
    submit_sign_in(&browser, &running, Role::Clinician).await;
    assert_eq!(browser.path().await, "/patients");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_warned_stays_signed_in_and_keeps_what_was_typed() {
    let (_isolated, running) = start().await;
    let browser = Browser::open(&running.status, DESKTOP).await;
    sign_in(&browser, &running, Role::Clinician).await;
    let signed_in = Instant::now();
    browser.fill("#q", "Marquez").await;
    browser.wait_until_displayed("#logoff").await;
    assert!(signed_in.elapsed() < IDLE_LIMIT);
    browser.assert_accessible("the warning").await;
    browser.screenshot("desktop-warning").await;
    browser.press("#logoff .logoff-stay").await;
    tokio::time::sleep(IDLE_LIMIT / 2).await;
    // The time of the first `Refresh` has passed.
    assert!(signed_in.elapsed() > IDLE_LIMIT + Duration::from_secs(2));
    assert_eq!(browser.path().await, "/patients");
    assert_eq!(browser.value("#q").await, "Marquez");
    browser.fill("#q", "").await;
    browser.wait_for_path("/signed-out?next=/patients").await;
    browser.assert_accessible("the page after the logoff").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tabs_agree_on_the_end_of_the_session() {
    let (_isolated, running) = start().await;
    let browser = Browser::open(&running.status, DESKTOP).await;
    sign_in(&browser, &running, Role::Clinician).await;
    let signed_in = Instant::now();
    browser.fill("#q", "Marquez").await;
    browser.open_tab().await;
    while signed_in.elapsed() < IDLE_LIMIT + MARGIN {
        browser.navigate("/patients").await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    // The first tab was not loaded again.
    browser.switch_to_first_tab().await;
    assert_eq!(browser.path().await, "/patients");
    assert_eq!(browser.value("#q").await, "Marquez");
    // After signing out in one tab, the other is cleared at once.
    browser.open_tab().await;
    browser.navigate("/patients").await;
    browser.click("form.bar-leave button").await;
    browser.switch_to_first_tab().await;
    browser.wait_for_path("/signed-out?next=/patients").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_was_not_sent_is_kept_and_the_page_is_not_shown_again() {
    let (_isolated, running) = start().await;
    let browser = Browser::open(&running.status, DESKTOP).await;
    sign_in(&browser, &running, Role::Clinician).await;
    browser.fill("#q", "Marquez").await;
    browser.wait_for_path("/patients/search").await;
    let shown = browser.text().await;
    assert!(
        shown.contains("Your session has ended") && !shown.contains("Marquez"),
        "{shown}"
    );
    browser
        .assert_accessible("the page that keeps a form")
        .await;
    browser.back().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let shown = browser.text().await;
    assert!(!shown.contains("charts at"), "{shown}");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_form_is_sent_by_its_person_with_one_button() {
    let (_isolated, running) = start().await;
    let browser = Browser::open(&running.status, DESKTOP).await;
    sign_in(&browser, &running, Role::Clinician).await;
    browser.fill("#q", "Marquez").await;
    browser.wait_for_path("/patients/search").await;
    submit_sign_in(&browser, &running, Role::Clinician).await;
    assert!(browser.text().await.contains("Marquez"));
    browser.assert_accessible("the kept form").await;
    browser.screenshot("desktop-kept-form").await;
    browser.click("form[data-kept] button").await;
    assert_eq!(browser.path().await, "/patients/search");
    assert_eq!(browser.value("#q").await, "Marquez");
    browser.close().await;
}
