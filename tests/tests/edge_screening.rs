//! What the edge lets through and what not: the attacks that the OWASP Core Rule Set is tested with,
//! and ten thousand requests of ordinary days in a clinic.

#[cfg(test)]
mod edge_screening {
    mod asker;
    mod cases;
    mod clinical;
    mod corpus;
    mod days;
    mod programs;
}
