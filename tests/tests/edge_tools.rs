//! The edge as other people's tools find it, and as it takes slowness, reloads and faults.

#[cfg(test)]
mod edge_tools {
    mod faults;
    mod pages;
    mod reload;
    mod scanners;
    mod served;
    mod slow;
}
