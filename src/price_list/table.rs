//! Reads the compiled table: what [`mod@format`] says, from front to back.

use super::{Listed, format};
use crate::price::{Price, Tier};
use crate::tariff::{Dated, Named, Tariff, When};
use crate::units::{Millis, NanoUsd, Rate, Tokens};

/// A part of the table that is still to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Table<'a>(pub(super) &'a [u8]);

impl<'a> Table<'a> {
    fn number(&mut self) -> Option<u64> {
        let (mut value, mut shift) = (0_u64, 0_u32);
        loop {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
            shift = shift.checked_add(7)?;
        }
    }

    /// Bytes behind their number.
    pub(super) fn block(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (block, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(block)
    }

    /// A text behind the number of its bytes.
    pub(super) fn text(&mut self) -> Option<&'a str> {
        str::from_utf8(self.block()?).ok()
    }

    /// The texts behind their count.
    pub(super) fn texts(mut self) -> impl Iterator<Item = &'a str> {
        let count = self.number().unwrap_or(0);
        (0..count).map_while(move |_| self.text())
    }

    /// Passes over texts and their count.
    pub(super) fn skip_texts(&mut self) -> Option<()> {
        let count = self.number()?;
        (0..count).try_for_each(|_| self.block().map(drop))
    }

    /// The next model's entry.
    pub(super) fn entry(&mut self) -> Option<Listed> {
        let mut entry = Table(self.block()?);
        let context = Some(entry.number()?).filter(|context| *context > 0).map(Tokens::new);
        let count = entry.number()?;
        let dated = (0..count).map(|_| entry.dated()).collect::<Option<Vec<_>>>()?;
        entry.0.is_empty().then_some(Listed { context, tariff: Tariff(dated) })
    }

    fn dated(&mut self) -> Option<Dated> {
        let when = match self.number()? {
            format::ALWAYS => When::Always,
            format::FROM => When::From(Millis::from_secs(self.number()?.checked_mul(86_400)?)),
            format::DAILY => When::Daily(self.number()?, self.number()?),
            _ => return None,
        };
        let mask = self.number()?;
        let base = self.named(mask)?;
        let says = |bit: u64| mask & bit != 0;
        let request = if says(format::REQUEST) { NanoUsd::new(self.number()?) } else { NanoUsd::ZERO };
        let count = if says(format::TIERS) { self.number()? } else { 0 };
        let tiers = (0..count).map(|_| self.tier(base)).collect::<Option<Vec<_>>>()?;
        Some(Dated { when, price: Price { rates: base.rates(), tiers, request } })
    }

    fn tier(&mut self, base: Named) -> Option<Tier> {
        let above = Tokens::new(self.number()?);
        let mask = self.number()?;
        Some(Tier { above, rates: self.named(mask)?.or(base).rates() })
    }

    fn named(&mut self, mask: u64) -> Option<Named> {
        let mut named = Named::default();
        for (bit, rate) in named.0.iter_mut().enumerate() {
            if (mask >> bit) & 1 == 1 {
                let (mantissa, power) = {
                    let code = self.number()?;
                    (code >> 4, u32::try_from(code & 15).ok()?)
                };
                *rate = Some(Rate::new(mantissa.checked_mul(10_u64.checked_pow(power)?)?));
            }
        }
        Some(named)
    }
}
