//! What only the edge has to show: the real `web` with origins behind it that record every byte. Needs
//! no stack: each test starts an edge of its own.

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
