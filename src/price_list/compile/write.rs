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
    let (mut mantissa, mut power) = (amount, 0_u8);
    while mantissa > 0 && mantissa.is_multiple_of(10) && power < 15 {
        mantissa /= 10;
        power = power.saturating_add(1);
    }
    number(out, (mantissa << 4) | u64::from(power));
}
