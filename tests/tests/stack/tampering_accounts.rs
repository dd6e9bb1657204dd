//! An attacker with write access to the database gains no access to the API by the rows of accounts
//! and credentials.

use tests::Role;
use tests::fhir;

use super::account_fixture::AccountFixture;

#[tokio::test]
async fn a_role_that_is_raised_in_the_database_grants_no_access() -> anyhow::Result<()> {
    let mut fixture = AccountFixture::new().await?;
    let (desk, person) = fixture.sign_in(Role::FrontDesk).await?;
    let (organization, person) = (fixture.organization, person);
    let sql = "UPDATE people SET role = ? WHERE organization = ? AND id = ?";
    let key = |role: &'static str| {
        [
            role.as_bytes().to_vec(),
            organization.as_bytes().to_vec(),
            person.as_bytes().to_vec(),
        ]
    };
    let raised = key("clinician");
    let before = key("front_desk");
    let raised: Vec<&[u8]> = raised.iter().map(Vec::as_slice).collect();
    let before: Vec<&[u8]> = before.iter().map(Vec::as_slice).collect();
    fixture.change_and_await_expiry(sql, &raised).await?;
    let with_token = desk.get("/api/v1/session").await?;
    let search = desk.search(&[("family", "Testperson")]).await?;
    let fresh = fixture.attempt(Role::FrontDesk, Role::FrontDesk).await?;
    fixture.change(sql, &before).await?;
    for response in [with_token, search, fresh] {
        fixture
            .expect_unauthenticated(&response, "people", "a raised role")
            .await?;
    }
    desk.get("/api/v1/session").await?.expect_status(200)?;
    Ok(())
}

#[tokio::test]
async fn every_other_column_of_an_account_is_bound_as_well() -> anyhow::Result<()> {
    let mut fixture = AccountFixture::new().await?;
    let (desk, person) = fixture.sign_in(Role::FrontDesk).await?;
    for (change, back) in [
        ("active = 1 - active", "active = 1 - active"),
        (
            "created_at = created_at + INTERVAL 1 DAY",
            "created_at = created_at - INTERVAL 1 DAY",
        ),
        (
            "email_token = REVERSE(email_token)",
            "email_token = REVERSE(email_token)",
        ),
        ("name = REVERSE(name)", "name = REVERSE(name)"),
        ("row_id = REVERSE(row_id)", "row_id = REVERSE(row_id)"),
        ("mac_key = REVERSE(mac_key)", "mac_key = REVERSE(mac_key)"),
        ("mac = REVERSE(mac)", "mac = REVERSE(mac)"),
    ] {
        let sql = |change| format!("UPDATE people SET {change} WHERE id = ?");
        fixture
            .change_and_await_expiry(&sql(change), &[person.as_bytes()])
            .await?;
        let response = desk.get("/api/v1/session").await?;
        fixture.change(&sql(back), &[person.as_bytes()]).await?;
        fixture
            .expect_unauthenticated(&response, "people", change)
            .await?;
    }
    desk.get("/api/v1/session").await?.expect_status(200)?;
    Ok(())
}

#[tokio::test]
async fn a_password_hash_that_is_swapped_between_accounts_opens_neither() -> anyhow::Result<()> {
    let mut fixture = AccountFixture::new().await?;
    let (_, desk) = fixture.sign_in(Role::FrontDesk).await?;
    let (_, admin) = fixture.sign_in(Role::SecurityAdmin).await?;
    let own = fixture.credentials(admin).await?;
    let stolen = fixture.credentials(desk).await?;
    // Row ids are unique, so the copied row gives up its own.
    let mut replaced = stolen.clone();
    replaced[3] = fhir::random_id().as_bytes().to_vec();
    fixture.overwrite(desk, &replaced).await?;
    fixture.overwrite(admin, &stolen[..1]).await?;
    let part = fixture
        .attempt(Role::SecurityAdmin, Role::FrontDesk)
        .await?;
    let neither = fixture
        .attempt(Role::SecurityAdmin, Role::SecurityAdmin)
        .await?;
    fixture.overwrite(admin, &stolen).await?;
    let whole = fixture
        .attempt(Role::SecurityAdmin, Role::FrontDesk)
        .await?;
    let replaced = fixture.attempt(Role::FrontDesk, Role::FrontDesk).await?;
    fixture.overwrite(admin, &own).await?;
    fixture.overwrite(desk, &stolen).await?;
    for response in [part, neither, whole, replaced] {
        fixture
            .expect_unauthenticated(&response, "credentials", "a swapped password")
            .await?;
    }
    for role in [Role::SecurityAdmin, Role::FrontDesk] {
        fixture.attempt(role, role).await?.expect_status(201)?;
    }
    Ok(())
}
