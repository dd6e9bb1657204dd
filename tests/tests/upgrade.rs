//! A rolling upgrade: two builds of app, this release and the next, on one database at once. The next one is built with
//! the feature `next-release` and knows one column and one audit action more; `STACK_NEXT_BIN_DIR` names the folder of
//! its programs (`cargo stack test --only stack` builds them).
#[cfg(test)]
mod upgrade {
    mod finished;
    mod floor;
    mod rolling;
    mod scene;
}
