//! The running stack in the folder `STACK_HOME`, as its clients, and attackers of its database, see
//! it.

#[cfg(test)]
mod stack {
    mod account_fixture;
    mod attack;
    mod audit_events;
    mod authentication;
    mod budgets;
    mod changes;
    mod concurrent_writes;
    mod conditional;
    mod damaged_records;
    mod database_accounts;
    mod floods;
    mod malformed;
    mod malformed_entries;
    mod malformed_parameters;
    mod memory;
    mod omission;
    mod organizations;
    mod owner_ids;
    mod plaintext;
    mod replay;
    mod roles;
    mod round_trip;
    mod scrub;
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
