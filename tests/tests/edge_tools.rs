//! Web under third-party tools, slow clients, reloads and network faults.

#[cfg(test)]
mod edge_tools {
    mod faults;
    mod pages;
    mod reload;
    mod scanners;
    mod served;
    mod slow;
}
