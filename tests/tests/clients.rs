//! Clients of others, unmodified, and HL7's example resources: the two tables of `app/fhir/README.md`, bulk exports, and
//! sign-in.

#[cfg(test)]
mod clients {
    mod bulk_export;
    mod examples;
    mod operations;
    mod sign_in;
}
