//! The root keys of a local stack, which must stay the same as long as the data that they seal.

use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::bail;

use crate::environment;
use crate::home::Home;
use crate::home::invalid_json;
use crate::home::write_private;
use crate::settings::KeyService;
use crate::settings::Settings;

/// Refuses a key service that cannot open the existing data.
pub(crate) fn check_same(settings: &Settings, home: &Home) -> anyhow::Result<()> {
    let path = home.root().join("key-service.json");
    let now = settings.options.key_service;
    // Until there is data, nothing is sealed yet.
    let sealed = home.mysql().join("server.json").is_file();
    if let Some(bytes) = fs::read(&path).ok().filter(|_| sealed) {
        let before: KeyService =
            serde_json::from_slice(&bytes).with_context(|| invalid_json(&path))?;
        match (before, now) {
            (KeyService::Development, KeyService::Emulator) => bail!(
                "this stack's data is sealed under its development keyring: start it without \
                 `--key-service emulator`, or make a new stack with `cargo stack reset`"
            ),
            (KeyService::Emulator, _) => bail!(
                "this stack's data is sealed under keys of the emulator, which lost them when \
                 it stopped: make a new stack with `cargo stack reset`"
            ),
            (KeyService::Development, KeyService::Development) => {}
        }
    }
    let json = serde_json::to_vec(&now).context("the key service cannot be put in JSON")?;
    write_private(&path, &json)
}

/// Generates the development keyring at the first start.
pub(crate) async fn make(settings: &Settings, home: &Home, binaries: &Path) -> anyhow::Result<()> {
    let keyring = home.keyring();
    if settings.options.key_service != KeyService::Development || keyring.exists() {
        return Ok(());
    }
    let arguments = ["keyring".into(), "--out".into(), keyring.into_os_string()];
    let app = environment::app(settings, home, binaries, &arguments)?;
    app.run()
        .await
        .map(drop)
        .context("the development keyring cannot be made")
}
