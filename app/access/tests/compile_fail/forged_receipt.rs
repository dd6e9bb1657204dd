//! A receipt has a private field.

use access::AuditReceipt;

fn forge() -> AuditReceipt {
    AuditReceipt(())
}

fn main() {}
