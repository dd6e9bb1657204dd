/// Castagnoli's polynomial, its bits reversed (RFC 4960, appendix B).
const POLYNOMIAL: u32 = 0x82F6_3B78;

/// CRC-32C of some bytes. Bit by bit: a header is short, and few have a checksum.
pub(super) fn of<'b>(parts: impl IntoIterator<Item = &'b [u8]>) -> u32 {
    let bytes = parts.into_iter().flatten();
    !bytes.fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _bit| {
            (crc >> 1) ^ (POLYNOMIAL * (crc & 1))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_3720_come_out() {
        // Appendix B.4, the bytes there in transmission order.
        let ascending: Vec<u8> = (0..32).collect();
        let descending: Vec<u8> = (0..32).rev().collect();
        for (bytes, crc) in [
            (&[0; 32][..], 0x8A91_36AA),
            (&[0xFF; 32], 0x62A8_AB43),
            (&ascending, 0x46DD_794E),
            (&descending, 0x113F_DB5C),
            (b"123456789", 0xE306_9283),
            (b"", 0),
        ] {
            assert_eq!(of([bytes]), crc, "{bytes:?}");
            let (left, right) = bytes.split_at(bytes.len() / 2);
            assert_eq!(of([left, right]), crc);
        }
    }
}
