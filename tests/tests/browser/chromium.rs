//! Chromium and its driver, with a home folder in which the public CA of the stack is trusted.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use fantoccini::Client;
use fantoccini::ClientBuilder;
use fantoccini::Locator;
use fantoccini::wd::WebDriverCompatibleCommand;
use http::Method;
use serde_json::Value;
use serde_json::json;
use stack::Status;
use tempfile::TempDir;
use url::ParseError;
use url::Url;

/// Window sizes in pixels, of a desktop and of a phone.
pub(super) const DESKTOP: (u32, u32) = (1280, 900);
pub(super) const PHONE: (u32, u32) = (390, 844);

/// The longest that a page may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A browser window; its driver is killed when it is dropped.
pub(super) struct Browser {
    client: Client,
    driver: Child,
    origin: String,
    _home: TempDir,
}

impl Browser {
    /// Opens a window in which the scripts of pages are not loaded. The driver needs scripts of its own.
    pub(super) async fn open_without_script(status: &Status) -> Self {
        let browser = Self::open(status, DESKTOP).await;
        browser.command("Network.enable", json!({})).await;
        let blocked = json!({"urls": ["*/assets/page.*", "*/assets/passkey.*"]});
        browser.command("Network.setBlockedURLs", blocked).await;
        browser
    }

    /// Adds an authenticator that keeps passkeys and verifies its person, like that of a phone. Returns its id.
    pub(super) async fn add_authenticator(&self) -> String {
        self.command("WebAuthn.enable", json!({})).await;
        let options = json!({"options": {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": true,
            "hasUserVerification": true,
            "isUserVerified": true,
            "automaticPresenceSimulation": true,
        }});
        let added = self.command("WebAuthn.addVirtualAuthenticator", options);
        added.await["authenticatorId"].as_str().unwrap().to_owned()
    }

    /// Has the authenticator verify its person from now on, or not.
    pub(super) async fn set_verified(&self, authenticator: &str, is_verified: bool) {
        let parameters = json!({"authenticatorId": authenticator, "isUserVerified": is_verified});
        self.command("WebAuthn.setUserVerified", parameters).await;
    }

    /// Sends a command of the `DevTools` protocol.
    async fn command(&self, command: &str, parameters: Value) -> Value {
        let command = DevTools(json!({"cmd": command, "params": parameters}));
        self.client.issue_cmd(command).await.unwrap()
    }

    /// Opens a window of a size.
    pub(super) async fn open(status: &Status, (width, height): (u32, u32)) -> Self {
        let home = tempfile::tempdir().unwrap();
        trust(home.path(), &status.certificates.join("public/ca.pem"));
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .env("HOME", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed by `cargo stack test --only browser`");
        let deadline = Instant::now() + TIMEOUT;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "chromedriver does not start");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let profile = home.path().join("profile");
        let capabilities = json!({
            "acceptInsecureCerts": false,
            "goog:chromeOptions": {
                "args": [
                    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                    "--disable-background-networking", "--disable-component-update", "--disable-sync",
                    "--disable-dev-shm-usage", "--hide-scrollbars",
                    format!("--window-size={width},{height}"),
                    format!("--user-data-dir={}", profile.display()),
                ],
                "mobileEmulation": {"deviceMetrics": {"width": width, "height": height, "pixelRatio": 1.0, "mobile": width < 600}}
            }
        });
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities.as_object().unwrap().clone())
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        Self {
            client,
            driver,
            origin: status.web.address.clone(),
            _home: home,
        }
    }

    /// Navigates to a path of the stack.
    pub(super) async fn navigate(&self, path: &str) {
        self.client
            .goto(&format!("{}{path}", self.origin))
            .await
            .unwrap();
    }

    /// The path of the current page.
    pub(super) async fn path(&self) -> String {
        let url = self.client.current_url().await.unwrap().to_string();
        url.strip_prefix(&self.origin).unwrap_or(&url).to_owned()
    }

    /// The visible text of the page.
    pub(super) async fn text(&self) -> String {
        self.client
            .find(Locator::Css("body"))
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    }

    /// Replaces the text of a field.
    pub(super) async fn fill(&self, css: &str, text: &str) {
        let field = self.element(css).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Clicks an element that navigates, and waits for the new page.
    pub(super) async fn click(&self, css: &str) {
        let before = self.client.find(Locator::Css("html")).await.unwrap();
        self.element(css).await.click().await.unwrap();
        let deadline = Instant::now() + TIMEOUT;
        // Requests for an element fail once its page has been left.
        while before.attr("lang").await.is_ok() {
            assert!(Instant::now() < deadline, "{css} does not navigate");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.element("body").await;
    }

    /// The texts of all matching elements.
    pub(super) async fn texts(&self, css: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for element in self.client.find_all(Locator::Css(css)).await.unwrap() {
            texts.push(element.text().await.unwrap());
        }
        texts
    }

    /// The number of matching elements.
    pub(super) async fn count(&self, css: &str) -> usize {
        self.client.find_all(Locator::Css(css)).await.unwrap().len()
    }

    /// Opens another tab of the window, and continues in it.
    pub(super) async fn open_tab(&self) {
        let tab = self.client.new_window(true).await.unwrap();
        self.client.switch_to_window(tab.handle).await.unwrap();
    }

    /// Continues in the first tab.
    pub(super) async fn switch_to_first_tab(&self) {
        let tabs = self.client.windows().await.unwrap();
        self.client.switch_to_window(tabs[0].clone()).await.unwrap();
    }

    /// Presses a button that does not navigate.
    pub(super) async fn press(&self, css: &str) {
        self.element(css).await.click().await.unwrap();
    }

    /// Types text into a field.
    pub(super) async fn type_text(&self, css: &str, text: &str) {
        self.element(css).await.send_keys(text).await.unwrap();
    }

    /// The value of a field.
    pub(super) async fn value(&self, css: &str) -> String {
        let value = self.element(css).await.prop("value").await.unwrap();
        value.unwrap_or_default()
    }

    /// Waits until an element is displayed.
    pub(super) async fn wait_until_displayed(&self, css: &str) {
        let deadline = Instant::now() + TIMEOUT;
        while !self
            .element(css)
            .await
            .is_displayed()
            .await
            .unwrap_or_default()
        {
            assert!(Instant::now() < deadline, "{css} is not displayed");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until an element contains a text.
    pub(super) async fn wait_for_text(&self, css: &str, text: &str) {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let shown = self.element(css).await.text().await.unwrap_or_default();
            if shown.contains(text) {
                return;
            }
            assert!(Instant::now() < deadline, "{css}: {shown:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the page has a path.
    pub(super) async fn wait_for_path(&self, path: &str) {
        let deadline = Instant::now() + TIMEOUT;
        while self.path().await != path {
            assert!(
                Instant::now() < deadline,
                "{} and not {path}",
                self.path().await
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asserts that axe-core finds nothing in the page.
    pub(super) async fn assert_accessible(&self, what: &str) {
        let script = format!(
            "{}; const done = arguments[arguments.length - 1]; axe.run().then(found => done(found.violations.map(\
             it => it.id + ': ' + it.nodes.map(node => node.html).join(' '))), error => done([String(error)]))",
            tests::scanners::axe().unwrap()
        );
        let found = self
            .client
            .execute_async(&script, Vec::new())
            .await
            .unwrap();
        assert_eq!(found, json!([]), "{what}");
    }

    /// Navigates back in the history.
    pub(super) async fn back(&self) {
        self.client.back().await.unwrap();
    }

    /// Saves a screenshot of the window in `target/screenshots`.
    pub(super) async fn screenshot(&self, name: &str) {
        let folder = screenshots();
        fs::create_dir_all(&folder).unwrap();
        let png = self.client.screenshot().await.unwrap();
        fs::write(folder.join(format!("{name}.png")), png).unwrap();
    }

    /// The horizontal overflow of the page in pixels, and its number of scripts.
    pub(super) async fn overflow_and_scripts(&self) -> (i64, i64) {
        let script = "const page = document.documentElement; \
                      return [page.scrollWidth - page.clientWidth, document.scripts.length]";
        let numbers = self.client.execute(script, Vec::new()).await.unwrap();
        (numbers[0].as_i64().unwrap(), numbers[1].as_i64().unwrap())
    }

    /// Closes the window.
    pub(super) async fn close(self) {
        self.client.clone().close().await.unwrap();
    }

    async fn element(&self, css: &str) -> fantoccini::elements::Element {
        let wait = self.client.wait().at_most(TIMEOUT);
        wait.for_element(Locator::Css(css)).await.unwrap()
    }
}

/// A command of the `DevTools` protocol.
#[derive(Debug)]
struct DevTools(Value);

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!(
            "session/{}/goog/cdp/execute",
            session.unwrap_or_default()
        ))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.0.to_string()))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn screenshots() -> PathBuf {
    tools::workspace::root().unwrap().join("target/screenshots")
}

/// Adds a CA to the NSS database of this home folder, so that certificate checks stay enabled.
fn trust(home: &Path, authority: &Path) {
    let store = home.join(".pki/nssdb");
    fs::create_dir_all(&store).unwrap();
    let store = format!("sql:{}", store.display());
    let made = Command::new("certutil")
        .args(["-N", "--empty-password", "-d", &store])
        .status();
    assert!(
        made.expect("certutil is installed by `cargo stack test --only browser`")
            .success()
    );
    let added = Command::new("certutil")
        .args(["-A", "-d", &store, "-t", "C,,", "-n", "stack", "-i"])
        .arg(authority)
        .status();
    assert!(added.unwrap().success());
}
