//! An action is not defined outside the crate.

use access::Action;
use access::DataClass;
use access::Operation;

struct ReadEverything;

impl Action for ReadEverything {
    const OPERATION: Operation = Operation::Read;

    fn audited(_: DataClass) -> audit::Action {
        audit::Action::Read
    }
}

fn main() {}
