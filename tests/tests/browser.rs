//! The pages in headless Chromium, which trusts the development CA and verifies as usual.

#[cfg(test)]
mod browser {
    mod chromium;
    mod pages;
}
