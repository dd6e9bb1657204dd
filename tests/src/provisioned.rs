//! Accounts that a test adds to a running stack with `app provision`.

use std::io::Write as _;
use std::process::Stdio;

use anyhow::Context;
use anyhow::ensure;
use serde_json::json;
use stack::Account;
use stack::Home;

use crate::fhir;
use crate::running_stack::Clinic;
use crate::running_stack::Role;
use crate::running_stack::RunningStack;

impl RunningStack {
    /// A new account with a password and no second factor.
    ///
    /// # Errors
    /// When `app provision` fails.
    pub fn provision(&self, role: Role, clinic: Clinic) -> anyhow::Result<Account> {
        let known = self.account(Role::Clinician, clinic)?;
        self.provision_in(role, &known.organization)
    }

    /// A new account with a password and no second factor, of an organization that may be new.
    ///
    /// # Errors
    /// When `app provision` fails.
    pub fn provision_in(&self, role: Role, organization: &str) -> anyhow::Result<Account> {
        let known = self.account(Role::Clinician, Clinic::Riverside)?;
        let [local_part, password] = [(); 2].map(|()| fhir::random_id().simple().to_string());
        let account = Account {
            name: "Test Person".to_owned(),
            email: format!("{local_part}@provisioned.example"),
            password,
            role: role.name().to_owned(),
            organization: organization.to_owned(),
            totp: None,
            ..known.clone()
        };
        let person = json!({
            "name": account.name,
            "email": account.email,
            "password": account.password,
            "role": account.role,
        });
        let organization = json!({"name": account.organization, "people": [person]});
        let input = json!({"organizations": [organization]}).to_string();
        let home = Home::at(&self.status.home)?;
        let mut command = stack::command(&home, "app", &["provision".into()])?;
        let command = command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().context("app cannot be started")?;
        let mut stdin = child.stdin.take().context("the standard input of app")?;
        stdin.write_all(input.as_bytes())?;
        drop(stdin);
        ensure!(child.wait()?.success(), "`app provision` failed");
        Ok(account)
    }
}
