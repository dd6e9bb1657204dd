//! The real `web` with recording origins in the place of app. No stack is needed: each test starts
//! a standalone edge.

#[cfg(test)]
mod edge {
    mod differential;
    mod floods;
    mod forged;
    mod front;
    mod http1;
    mod http2;
    mod limits;
    mod trust;
}
