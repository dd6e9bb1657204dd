//! The FHIR API of the running stack in the folder `STACK_HOME`, as its clients see it.

#[cfg(test)]
mod fhir {
    mod api;
    mod audit;
    mod bulk_export;
    mod bulk_export_access;
    mod bulk_export_scopes;
    mod bulk_export_tampering;
    mod bundle_conditions;
    mod bundles;
    mod conditional_races;
    mod contained;
    mod cursors;
    mod deletion;
    mod history;
    mod interactions;
    mod long_values;
    mod operations;
    mod patch;
    mod patient_search;
    mod request_budget;
    mod response_forms;
    mod roles;
    mod search;
    mod search_counts;
    mod search_included;
    mod search_pages;
    mod search_tampering;
}
