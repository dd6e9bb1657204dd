//! The evidence types cannot be made, copied or kept outside the crate: none of these programs
//! compiles, each for the reason beside it.

#[test]
fn no_evidence_is_made_outside_the_crate() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
