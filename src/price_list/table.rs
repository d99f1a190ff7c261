//! Reads the compiled table: what [`mod@format`] says, from front to back.

use super::{Listed, format};
use crate::price::{Price, Tier};
use crate::service::Word;
use crate::tariff::{Change, Dated, Extras, Fees, Named, Tariff, Variant, When};
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
        let (dated, base, mask) = self.price(Named::default())?;
        let count = if mask & format::VARIANTS != 0 { self.number()? } else { 0 };
        let variants = (0..count).map(|_| self.variant(base)).collect::<Option<Vec<_>>>()?;
        Some(Dated { extras: Extras { variants, ..dated.extras }, ..dated })
    }

    /// A price without variants, what it names, and its mask; what it does not name of its rates is as in `base`.
    fn price(&mut self, base: Named) -> Option<(Dated, Named, u64)> {
        let when = match self.number()? {
            format::ALWAYS => When::Always,
            format::FROM => When::From(Millis::from_secs(self.number()?.checked_mul(86_400)?)),
            format::DAILY => When::Daily(self.number()?, self.number()?),
            _ => return None,
        };
        let mask = self.number()?;
        let named = self.named(mask)?.or(base);
        let says = |bit: u64| mask & bit != 0;
        let request = if says(format::REQUEST) { NanoUsd::new(self.number()?) } else { NanoUsd::ZERO };
        let mut fee = |bit: u64| if says(bit) { self.rate().map(Some) } else { Some(None) };
        let (search, file_search) = (fee(format::SEARCH)?, fee(format::FILE_SEARCH)?);
        let nano = |rate: Option<Rate>| rate.map(|rate| NanoUsd::new(rate.get()));
        let fees = Fees { search: nano(search), file_search: nano(file_search), ..Fees::default() };
        let count = if says(format::TIERS) { self.number()? } else { 0 };
        let tiers = (0..count).map(|_| self.tier(named)).collect::<Option<Vec<_>>>()?;
        let price = Price { rates: named.rates(), tiers, request };
        Some((Dated { when, price, extras: Extras { variants: Vec::new(), fees } }, named, mask))
    }

    fn variant(&mut self, base: Named) -> Option<Variant> {
        let name = Word::of(self.text()?);
        let (Dated { when, price, extras }, _, _) = self.price(base)?;
        Some(Variant { name, when, change: Change::Price(price), fees: extras.fees })
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
                *rate = Some(self.rate()?);
            }
        }
        Some(named)
    }

    fn rate(&mut self) -> Option<Rate> {
        let code = self.number()?;
        let (mantissa, power) = (code >> 4, u32::try_from(code & 15).ok()?);
        Some(Rate::new(mantissa.checked_mul(10_u64.checked_pow(power)?)?))
    }
}
