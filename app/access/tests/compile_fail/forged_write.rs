//! A write record has private fields, so that no receipt is made without permits.

use access::Caller;
use access::WriteRecord;

fn forge(caller: &Caller) -> WriteRecord<'_> {
    WriteRecord {
        caller,
        at: time::OffsetDateTime::UNIX_EPOCH,
        action: audit::Action::Write,
        records: Vec::new(),
    }
}

fn main() {}
