//! The parts of a file, each of which is sealed by itself: what is sealed with a part's lines says which part it is.
//!
//! A store of files does not authenticate, so that parts could be left out, repeated, exchanged or cut off. A reader
//! therefore accepts the parts of one file of one export in their order only, to the one that is marked as the last.

use uuid::Uuid;
use zeroize::Zeroizing;

/// The length of what precedes the lines of a part, in bytes: `export[16] | file[4] | part[4] | last[1]`.
const HEADER_BYTES: usize = 25;

/// The file that parts belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    /// The export.
    pub export: Uuid,
    /// The number of the file in the export, from 0.
    pub file: u32,
}

/// The next part of a file, to be written or to be read.
#[derive(Debug)]
pub struct PartSequence {
    file: FileId,
    next: u32,
    is_complete: bool,
}

/// A part is not the next one of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a part of an exported file is not the next one")]
pub struct WrongPart;

impl PartSequence {
    /// The sequence before the first part.
    #[must_use]
    pub const fn new(file: FileId) -> Self {
        Self {
            file,
            next: 0,
            is_complete: false,
        }
    }

    /// The plaintext of the next part.
    ///
    /// # Errors
    ///
    /// The last part was written.
    pub fn write(&mut self, lines: &[u8], is_last: bool) -> Result<Zeroizing<Vec<u8>>, WrongPart> {
        let header = self.advance(is_last)?;
        let length = HEADER_BYTES.saturating_add(lines.len());
        let mut part = Zeroizing::new(Vec::with_capacity(length));
        part.extend_from_slice(&header);
        part.extend_from_slice(lines);
        Ok(part)
    }

    /// The lines of the next part.
    ///
    /// # Errors
    ///
    /// The plaintext is not that of the next part of this file.
    pub fn read<'p>(&mut self, part: &'p [u8]) -> Result<&'p [u8], WrongPart> {
        let (header, lines) = part.split_first_chunk::<HEADER_BYTES>().ok_or(WrongPart)?;
        let is_last = match header.last() {
            Some(0) => false,
            Some(1) => true,
            Some(_) | None => return Err(WrongPart),
        };
        if self.advance(is_last)? == *header {
            Ok(lines)
        } else {
            Err(WrongPart)
        }
    }

    /// Whether the last part was written or read: a file without it was cut off.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// The header of the next part.
    fn advance(&mut self, is_last: bool) -> Result<[u8; HEADER_BYTES], WrongPart> {
        if self.is_complete {
            return Err(WrongPart);
        }
        let (file, part) = (self.file.file.to_be_bytes(), self.next.to_be_bytes());
        let parts: [&[u8]; 4] = [self.file.export.as_bytes(), &file, &part, &[is_last.into()]];
        let header = parts.concat().try_into();
        self.next = self.next.checked_add(1).ok_or(WrongPart)?;
        self.is_complete = is_last;
        header.map_err(|_length| WrongPart)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILE: FileId = FileId {
        export: Uuid::from_u128(7),
        file: 3,
    };

    fn written(file: FileId, lines: &[&[u8]]) -> Vec<Zeroizing<Vec<u8>>> {
        let mut sequence = PartSequence::new(file);
        let last = lines.len() - 1;
        let parts = lines.iter().enumerate();
        let parts = parts.map(|(nth, lines)| sequence.write(lines, nth == last).unwrap());
        parts.collect()
    }

    #[test]
    fn parts_are_read_in_their_order_to_the_last() {
        let parts = written(FILE, &[b"one\n", b"", b"three\n"]);
        let mut sequence = PartSequence::new(FILE);
        for (part, lines) in parts.iter().zip([&b"one\n"[..], b"", b"three\n"]) {
            assert!(!sequence.is_complete());
            assert_eq!(sequence.read(part), Ok(lines));
        }
        assert!(sequence.is_complete());
        assert_eq!(sequence.read(&parts[2]), Err(WrongPart));
        assert_eq!(sequence.write(b"", true), Err(WrongPart));
    }

    #[test]
    fn a_part_of_another_file_or_export_is_refused() {
        let others = [
            FileId { file: 2, ..FILE },
            FileId {
                export: Uuid::from_u128(8),
                ..FILE
            },
        ];
        for other in others {
            let parts = written(other, &[b"one\n"]);
            assert_eq!(PartSequence::new(FILE).read(&parts[0]), Err(WrongPart));
        }
        for malformed in [&b""[..], &[0; 24]] {
            assert_eq!(PartSequence::new(FILE).read(malformed), Err(WrongPart));
        }
        let mut unknown = written(FILE, &[b"one\n"]);
        unknown[0][24] = 2;
        assert_eq!(PartSequence::new(FILE).read(&unknown[0]), Err(WrongPart));
    }

    proptest! {
        #[test]
        fn only_the_written_order_is_read_as_a_whole(
            order in proptest::collection::vec(0_usize..5, 0..8),
        ) {
            let parts = written(FILE, &[b"0", b"1", b"2", b"3", b"4"]);
            let mut sequence = PartSequence::new(FILE);
            let all_read = order.iter().all(|nth| sequence.read(&parts[*nth]).is_ok());
            prop_assert_eq!(all_read && sequence.is_complete(), order == [0, 1, 2, 3, 4]);
        }
    }
}
