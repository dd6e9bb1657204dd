//! The pages in headless Chromium, which trusts the development CA and verifies certificates as
//! usual.

#[cfg(test)]
mod browser {
    mod chromium;
    mod logoff;
    mod pages;
    mod passkeys;
}
