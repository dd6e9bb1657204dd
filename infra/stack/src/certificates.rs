//! The certificates of a local stack. Leaves are issued at each start, so that they may be short-lived; roots are kept,
//! so that a browser that trusts them need not import them again.

use anyhow::Context;
use time::OffsetDateTime;

use crate::home::Home;

/// Issues what is missing and renews what will run out.
///
/// # Errors
/// When a file cannot be written or an existing root cannot be read.
pub fn issue(home: &Home) -> anyhow::Result<()> {
    let settings = dev_ca::Settings::new(home.certificates(), now());
    dev_ca::development(&settings).with_context(|| {
        format!(
            "the certificates in {} cannot be issued; removing that folder makes new ones",
            home.certificates().display()
        )
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place of this crate that reads the clock"
)]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
