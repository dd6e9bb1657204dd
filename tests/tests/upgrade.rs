//! A rolling upgrade: two builds of app, this release and the next one, on one database at once.
//! The next one is built with the feature `next-release`, which adds one column and one audit
//! action; `STACK_NEXT_BIN_DIR` names the folder of its programs (`cargo stack test --only stack`
//! builds them).
#[cfg(test)]
mod upgrade {
    mod finished;
    mod fixture;
    mod floor;
    mod rolling;
}
