//! What an operator asks of a tenant's ledger: it is read backwards, a bounded part for each question.

use super::{Answer, TenantHost, millis, read_json};
use crate::operator::calls;
use crate::rows::{CallKey, CallRow};
use crate::shell::object::to_json;
use crate::store;
use crate::units::CEILING;
use crate::wire::{CallsAsk, CallsSeen, Credit, Credited};
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
impl TenantHost {
    /// Some calls of the ledger (`text`, a [`CallsAsk`]): a [`CallsSeen`].
    ///
    /// # Errors
    /// The message is not understood, or the rows cannot be read.
    pub fn calls(&mut self, now: f64, text: &str) -> Answer<String> {
        let now = millis(now);
        let ask: CallsAsk = read_json(text)?;
        let Some(mut tenant) = self.tenant(now)? else {
            return Ok(to_json(&CallsSeen { calls: Vec::new(), further: None }));
        };
        tenant.expire(now);
        self.write_changes(&mut tenant)?;
        self.tenant = Some(tenant);
        let before = ask.before.unwrap_or(CallKey::new(CEILING));
        let back = self.read_back(before, "")?;
        let truths: Vec<&str> = ask.truths.iter().map(|truth| truth.name()).collect();
        let binds = (before, back.first(), ask.limit.saturating_add(1), to_json(&truths));
        let rows: Vec<store::CallRead> = self.read(store::CALLS_LISTED_READ, &binds)?;
        let mut rows: Vec<CallRow> = rows.into_iter().map(CallRow::from).collect();
        let limit = usize::try_from(ask.limit).unwrap_or(usize::MAX);
        let is_full = rows.len() > limit;
        rows.truncate(limit);
        let further = if is_full { rows.last().map(|row| row.at) } else { back.further() };
        Ok(to_json(&CallsSeen { calls: rows.iter().map(calls::document).collect(), further }))
    }

    /// Gives a credit (`text`, a [`Credit`]), or says what would come of it: a [`Credited`], which may leave once
    /// [`TenantHost::commit`] has run.
    ///
    /// # Errors
    /// The message is not understood, or the rows cannot be read.
    pub fn credit(&mut self, now: f64, text: &str) -> Answer<String> {
        let now = millis(now);
        let mut credit: Credit = read_json(text)?;
        let Some(mut tenant) = self.tenant(now)? else {
            return Ok(to_json(&Credited::Unknown));
        };
        // A message whose answer was lost is said again.
        if let Some((_, credited)) = self.credited.as_ref().filter(|(id, _)| *id == credit.id && !credit.check) {
            self.tenant = Some(tenant);
            return Ok(to_json(credited));
        }
        credit.place = credit.place.or_else(|| tenant.place_of(&credit.call));
        self.write_changes(&mut tenant)?;
        if credit.place.is_none() {
            let back = self.read_back(credit.before.unwrap_or(CallKey::new(CEILING)), &credit.call)?;
            credit.place = back.found();
            if let Some(further) = back.further().filter(|_| credit.place.is_none()) {
                self.tenant = Some(tenant);
                return Ok(to_json(&Credited::Further(further)));
            }
        }
        let row = credit.place.map(|place| self.read_call(place)).transpose()?.flatten();
        let credited = tenant.credit(now, &credit, row);
        self.tenant = Some(tenant);
        if !credit.check {
            self.credited = Some((credit.id, credited.clone()));
        }
        Ok(to_json(&credited))
    }
}

impl TenantHost {
    /// What the calls before a place are, and where the one of this name is.
    fn read_back(&self, before: CallKey, call: &str) -> Answer<store::BackRead> {
        let rows: Vec<store::BackRead> = self.read(store::CALLS_BACK_READ, &(before, call))?;
        rows.into_iter().next().ok_or_else(|| super::failed("the ledger told nothing"))
    }
}
