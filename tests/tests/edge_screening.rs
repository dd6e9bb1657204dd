//! What web screens out and what it forwards: the attacks of the OWASP Core Rule Set's tests, and
//! ten thousand ordinary requests of a clinic.

#[cfg(test)]
mod edge_screening {
    mod cases;
    mod client;
    mod client_headers;
    mod corpus;
    mod ordinary;
    mod traffic;
}
