//! The pages in a real browser.

use super::Shared;
use super::step::StepResult;
use super::whole_stack;
use progress::Progress;
use tools::packages;

/// The browser, its driver, and the tool that adds the CA to its trust store.
const PROGRAMS: [&str; 3] = ["chromium", "chromedriver", "certutil"];

/// The packages that hold them.
const PACKAGES: [&str; 3] = ["chromium", "chromium-driver", "libnss3-tools"];

/// Runs the browser's tests, where a browser can be installed.
pub(super) async fn test(shared: &mut Shared) -> anyhow::Result<StepResult> {
    if !PROGRAMS
        .iter()
        .all(|program| packages::find(program).is_some())
        && let Err(error) = packages::install(&PACKAGES, Progress::shown())
    {
        return Ok(StepResult::Skipped(format!("no browser: {error:#}")));
    }
    whole_stack::run(shared, |name| name.starts_with("browser")).await
}
