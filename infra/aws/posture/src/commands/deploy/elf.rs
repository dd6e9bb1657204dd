//! The processor architecture of a program.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Context;

/// The architecture of a Linux program, as the templates name it; none for any other file.
pub(super) fn architecture(program: &Path) -> anyhow::Result<Option<&'static str>> {
    let unreadable = || format!("{} cannot be read", program.display());
    let mut header = [0; 20];
    File::open(program)
        .and_then(|mut file| file.read_exact(&mut header))
        .with_context(unreadable)?;
    Ok(parse_header(&header))
}

/// The ELF header: magic, 64 bits, little-endian; the machine in bytes 18 and 19.
fn parse_header(header: &[u8; 20]) -> Option<&'static str> {
    match header {
        [0x7f, b'E', b'L', b'F', 2, 1, .., 0x3e, 0] => Some("amd64"),
        [0x7f, b'E', b'L', b'F', 2, 1, .., 0xb7, 0] => Some("arm64"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_architecture_of_this_program_is_detected() {
        let own = architecture(&std::env::current_exe().unwrap()).unwrap();
        let expected = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            _ => "arm64",
        };
        assert_eq!(own, Some(expected));
        assert_eq!(
            parse_header(b"#!/bin/sh\nexit 0 ..."[..20].try_into().unwrap()),
            None
        );
    }
}
