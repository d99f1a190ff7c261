//! Writes the parts that every table has: numbers, texts, blocks and rates.

/// Seven bits a byte, the lowest first.
pub(crate) fn number(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            return out.push(low & 0x7f);
        }
        out.push(low | 0x80);
    }
}

/// Bytes behind their number.
pub(crate) fn block(out: &mut Vec<u8>, bytes: &[u8]) {
    number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// An amount as a mantissa and a power of ten: most are round.
pub(crate) fn rate(out: &mut Vec<u8>, amount: u64) {
    let power = (0..=15_u32).rev().find(|&power| amount % 10_u64.pow(power) == 0).unwrap_or(0);
    number(out, ((amount / 10_u64.pow(power)) << 4) | u64::from(power));
}
