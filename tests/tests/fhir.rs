//! The FHIR API of the running stack in the folder `STACK_HOME`, as its clients see it.

#[cfg(test)]
mod fhir {
    mod api;
    mod audit;
    mod bundle_conditions;
    mod bundles;
    mod cursors;
    mod deletion;
    mod history;
    mod interactions;
    mod long_values;
    mod operations;
    mod patch;
    mod patient_search;
    mod response_forms;
    mod roles;
    mod search;
    mod search_pages;
    mod search_tampering;
}
