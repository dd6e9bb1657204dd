//! Third-party authenticator libraries sign in.

use tests::Clinic;
use tests::Role;
use tests::RunningStack;
use tests::sign_in_with_each;

#[tokio::test]
async fn an_app_of_pyotp_and_passkeys_of_fido2_sign_in() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let account = running.provision(Role::Clinician, Clinic::Riverside)?;
    let origin = running.status.web.address.clone();
    let authority = running.status.certificates.join("public/ca.pem");
    // Without blocking the other tests.
    let signed_in =
        tokio::task::spawn_blocking(move || sign_in_with_each(&origin, &authority, &account));
    assert_eq!(signed_in.await??, "an app and 3 passkeys");
    Ok(())
}
