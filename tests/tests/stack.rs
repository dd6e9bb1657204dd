//! The running stack in the folder `STACK_HOME`, as its clients, and attackers of its database, see
//! it.

#[cfg(test)]
mod stack {
    mod access_matrix;
    mod account_fixture;
    mod attack;
    mod audit_events;
    mod authentication;
    mod budgets;
    mod care_teams;
    mod changes;
    mod closed_clinic;
    mod concurrent_writes;
    mod conditional;
    mod damaged_records;
    mod database_accounts;
    mod emergency_access;
    mod enrolled_account;
    mod floods;
    mod logoff;
    mod machine_client_tokens;
    mod machine_clients;
    mod malformed;
    mod malformed_entries;
    mod malformed_parameters;
    mod memory;
    mod omission;
    mod organizations;
    mod owner_ids;
    mod passkeys;
    mod people;
    mod plaintext;
    mod replay;
    mod roles;
    mod round_trip;
    mod scrub;
    mod second_factor;
    mod sessions;
    mod sign_in;
    mod statement_logs;
    mod substituted_rows;
    mod substitution;
    mod tampering_accounts;
    mod tampering_audit;
    mod tampering_demographics;
    mod tampering_keys;
    mod tampering_records;
    mod tampering_sessions;
}
