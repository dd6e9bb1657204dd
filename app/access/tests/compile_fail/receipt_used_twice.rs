//! A receipt is for one disclosure.

use access::AuditReceipt;
use access::Disclosed;

fn twice(receipt: AuditReceipt) -> [Disclosed<&'static str>; 2] {
    [receipt.disclose("written"), receipt.disclose("more")]
}

fn main() {}
