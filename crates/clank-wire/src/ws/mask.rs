/// Masks or unmasks `data` in place and returns the mask for the bytes that follow (RFC 6455, section 5.3).
pub(super) fn apply(data: &mut [u8], mask: [u8; 4]) -> [u8; 4] {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = data.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    let (halves, rest) = rest.as_chunks_mut::<4>();
    let half = u32::from_ne_bytes(mask);
    for word in halves {
        *word = (u32::from_ne_bytes(*word) ^ half).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask) {
        *byte ^= key;
    }
    u32::from_le_bytes(mask).rotate_right(8 * rest.len() as u32).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::apply;

    #[test]
    fn masking_in_pieces_equals_masking_byte_by_byte() {
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        let plain: Vec<u8> = (0..200).collect();
        let expected: Vec<u8> = plain.iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]).collect();
        for split in 0..plain.len() {
            let mut data = plain.clone();
            let (head, tail) = data.split_at_mut(split);
            let next = apply(head, mask);
            apply(tail, next);
            assert_eq!(data, expected, "split at {split}");
        }
    }
}
