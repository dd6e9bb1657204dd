//! A permit, a disclosure and a receipt are not cloned.

use access::AuditReceipt;
use access::Disclosed;
use access::Permitted;
use access::Read;

fn cloned<T: Clone>() {}

fn main() {
    cloned::<Permitted<'static, Read>>();
    cloned::<Disclosed<()>>();
    cloned::<AuditReceipt>();
}
