//! The tests of `tests/tests`, against a stack that is started for them.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::Context;

use super::Shared;
use super::cargo;
use super::step::StepResult;
use crate::home::Home;
use crate::settings::Settings;
use crate::stack::Stack;
use progress::Progress;
use tools::binaries;

/// Runs all test files but those of other steps.
pub(super) async fn test(shared: &mut Shared) -> anyhow::Result<StepResult> {
    let elsewhere = ["browser", "edge", "machine"];
    let wanted = |name: &str| !elsewhere.iter().any(|step| name.starts_with(step));
    run(shared, wanted).await
}

/// Runs the test files whose name is wanted.
pub(super) async fn run(
    shared: &mut Shared,
    wanted: impl Fn(&str) -> bool,
) -> anyhow::Result<StepResult> {
    let names: Vec<String> = cargo::test_files(&shared.root.join("tests/tests"))?
        .into_iter()
        .filter(|name| wanted(name))
        .collect();
    if names.is_empty() {
        return Ok(StepResult::Skipped(
            "tests/tests has no such test".to_owned(),
        ));
    }
    let has_upgrade = names.iter().any(|name| name == "upgrade");
    let next_release = has_upgrade
        .then(binaries::obtain_next_release)
        .transpose()?;
    let binaries = shared.binaries()?;
    let home = bring_up(shared, &binaries).await?;
    let mut variables = vec![
        ("STACK_HOME", OsString::from(home.root())),
        ("STACK_BIN_DIR", binaries.into_os_string()),
    ];
    if let Some(folder) = next_release {
        variables.push(("STACK_NEXT_BIN_DIR", folder.into_os_string()));
    }
    cargo::test(&shared.root, &cargo::only(&names), &variables).await
}

/// The stack under test, started when the first test needs it.
async fn bring_up(shared: &mut Shared, binaries: &Path) -> anyhow::Result<Home> {
    if let Some(stack) = &shared.stack {
        return Ok(stack.home().clone());
    }
    let folder = shared.root.join("target/stack-test");
    let mut settings = Settings::isolated(&folder)?;
    settings.options.patients = true;
    crate::up::stop_if_running(&Home::at(&folder)?).await?;
    let _ = fs::remove_dir_all(&folder);
    let stack =
        Stack::prepare_with(settings, Progress::shown(), Some(binaries.to_path_buf())).await?;
    shared
        .stack
        .insert(stack)
        .start_all()
        .await
        .context("the stack does not come up")?;
    Home::at(&folder)
}
