//! An action is not defined outside the crate.

use access::{Action, DataClass, Operation};

struct ReadEverything;

impl Action for ReadEverything {
    const OPERATION: Operation = Operation::Read;

    fn audited(_: DataClass) -> audit::Action {
        audit::Action::Read
    }
}

fn main() {}
