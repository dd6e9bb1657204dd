//! Chromium and its driver, with a home of their own in which our public CA is trusted.

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
use serde_json::json;
use stack::Status;
use tempfile::TempDir;

/// Sizes of windows: a desktop's, and a phone's.
pub(super) const DESKTOP: (u32, u32) = (1280, 900);
pub(super) const PHONE: (u32, u32) = (390, 844);

/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser window. Its driver is killed when this is dropped.
pub(super) struct Browser {
    client: Client,
    driver: Child,
    origin: String,
    _home: TempDir,
}

impl Browser {
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
        let deadline = Instant::now() + PATIENCE;
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

    /// Goes to an address of the stack, as if typed.
    pub(super) async fn go(&self, path: &str) {
        self.client
            .goto(&format!("{}{path}", self.origin))
            .await
            .unwrap();
    }

    /// Where the window is now, without the origin.
    pub(super) async fn path(&self) -> String {
        let url = self.client.current_url().await.unwrap().to_string();
        url.strip_prefix(&self.origin).unwrap_or(&url).to_owned()
    }

    /// Everything that can be read on the page.
    pub(super) async fn text(&self) -> String {
        self.client
            .find(Locator::Css("body"))
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    }

    /// Types into a field.
    pub(super) async fn fill(&self, css: &str, text: &str) {
        let field = self.element(css).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Presses something that leads to another page, and waits until that one is there.
    pub(super) async fn press(&self, css: &str) {
        let before = self.client.find(Locator::Css("html")).await.unwrap();
        self.element(css).await.click().await.unwrap();
        let deadline = Instant::now() + PATIENCE;
        // An element of a page that was left can no longer be asked.
        while before.attr("lang").await.is_ok() {
            assert!(Instant::now() < deadline, "{css} leads nowhere");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.element("body").await;
    }

    /// The texts of all that match.
    pub(super) async fn texts(&self, css: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for element in self.client.find_all(Locator::Css(css)).await.unwrap() {
            texts.push(element.text().await.unwrap());
        }
        texts
    }

    /// How many elements match.
    pub(super) async fn count(&self, css: &str) -> usize {
        self.client.find_all(Locator::Css(css)).await.unwrap().len()
    }

    /// Goes back, as the browser's own button does.
    pub(super) async fn back(&self) {
        self.client.back().await.unwrap();
    }

    /// Keeps a picture of the whole window in `target/screenshots`.
    pub(super) async fn picture(&self, name: &str) {
        let folder = screenshots();
        fs::create_dir_all(&folder).unwrap();
        let png = self.client.screenshot().await.unwrap();
        fs::write(folder.join(format!("{name}.png")), png).unwrap();
    }

    /// How much wider than the window the page is, and how many scripts it has.
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
        let wait = self.client.wait().at_most(PATIENCE);
        wait.for_element(Locator::Css(css)).await.unwrap()
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

/// Makes the browser of this home trust a CA, so that its checks stay on.
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
