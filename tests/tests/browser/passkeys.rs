//! Passkeys in Chromium, with its virtual authenticator.

use stack::Account;
use tests::Clinic;
use tests::Role;
use tests::RunningStack;

use super::chromium::Browser;
use super::chromium::DESKTOP;
use super::chromium::PHONE;

const SIGN_IN: &str = "form[action='/sign-in/passkey'] button";
const SET_UP: &str = "form[action='/second-factor/passkey'] button";
const STEP_UP: &str = "form[action='/step-up/passkey'] button";

async fn sign_in_by_password(browser: &Browser, account: &Account) {
    browser.navigate("/sign-in").await;
    browser.fill("#email", &account.email).await;
    browser.fill("#password", &account.password).await;
    browser.click("form[action='/sign-in'] button").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sets_up_a_passkey_signs_in_with_it_alone_and_steps_up() {
    let running = RunningStack::shared().unwrap();
    let account = running
        .provision(Role::Clinician, Clinic::Riverside)
        .unwrap();
    let browser = Browser::open(&running.status, DESKTOP).await;
    let authenticator = browser.add_authenticator().await;
    sign_in_by_password(&browser, &account).await;
    assert_eq!(browser.path().await, "/second-factor");
    browser.assert_accessible("the choice of a factor").await;
    browser.screenshot("desktop-second-factor").await;
    browser.click(SET_UP).await;
    let shown = browser.text().await;
    assert!(shown.contains("Your passkey is set up"), "{shown}");
    assert_eq!(browser.texts("ul.codes li").await.len(), 10);
    browser.assert_accessible("the new passkey").await;
    browser.screenshot("desktop-passkey-set-up").await;
    browser.click("main a.button").await;
    assert_eq!(browser.path().await, "/patients");
    // The same device makes no second one.
    browser.navigate("/second-factor").await;
    browser.press(SET_UP).await;
    let problem = "form[action='/second-factor/passkey'] .error";
    browser
        .wait_for_text(problem, "a passkey of your account already")
        .await;
    browser.navigate("/security").await;
    browser.assert_accessible("the devices").await;
    browser.screenshot("desktop-security").await;
    browser.navigate("/step-up?next=/security").await;
    browser.assert_accessible("the step-up").await;
    browser.screenshot("desktop-step-up").await;
    browser.click(STEP_UP).await;
    assert_eq!(browser.path().await, "/security");
    browser.navigate("/patients").await;
    browser.click("form.bar-leave button").await;
    browser.navigate("/sign-in?next=/security").await;
    browser.click(SIGN_IN).await;
    assert_eq!(browser.path().await, "/security");
    // An authenticator that does not verify its person signs no person in, and the page says so.
    browser.navigate("/patients").await;
    browser.click("form.bar-leave button").await;
    browser.set_verified(&authenticator, false).await;
    browser.navigate("/sign-in").await;
    browser.press(SIGN_IN).await;
    let problem = "form[action='/sign-in/passkey'] .error";
    browser.wait_for_text(problem, "No passkey was used").await;
    browser.assert_accessible("the refused passkey").await;
    browser.screenshot("desktop-sign-in-passkey").await;
    assert_eq!(browser.path().await, "/sign-in");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_script_the_password_is_offered_and_no_passkey() {
    let running = RunningStack::shared().unwrap();
    let browser = Browser::open_without_script(&running.status).await;
    browser.navigate("/sign-in").await;
    assert!(!browser.text().await.contains("passkey"));
    browser.close().await;
    let browser = Browser::open(&running.status, PHONE).await;
    browser.navigate("/sign-in").await;
    browser.wait_until_displayed(SIGN_IN).await;
    assert_eq!(browser.overflow_and_scripts().await, (0, 2));
    browser.assert_accessible("the sign-in on a phone").await;
    browser.screenshot("phone-sign-in-passkey").await;
    browser.close().await;
}
