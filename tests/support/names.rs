//! The rows of named calls, and the object's half that holds the bytes of their answers.

use super::World;
use std::collections::BTreeMap;
use tollgate::idempotency::{
    Followed, Following, Idempotency, Last, Name, NameChange, NamedRow, Publish, Published, SWEPT_AT_ONCE,
};
use tollgate::key::KeyId;
use tollgate::rows::{CallKey, End};
use tollgate::wire::{Ask, Reply};

/// The tables `names` and `answers`.
#[derive(Clone, Debug, Default)]
pub(crate) struct NameRows {
    pub(crate) names: BTreeMap<CallKey, NamedRow>,
    pub(crate) answers: BTreeMap<CallKey, u64>,
    /// The bytes of answers that still come: what the object has in memory.
    pub(crate) coming: BTreeMap<String, u64>,
}

impl NameRows {
    pub(crate) fn write(&mut self, change: NameChange) {
        match change {
            NameChange::Set(row) => {
                let same = |other: &NamedRow| other.name == row.name && other.at != row.at;
                assert!(!self.names.values().any(same), "a name has one row: {row:?} in {self:?}");
                self.names.insert(row.at, row);
            }
            NameChange::Gone(at) => drop(self.names.remove(&at)),
            NameChange::AnswerGone(at) => drop(self.answers.remove(&at)),
            NameChange::Expired(before) => {
                let old: Vec<CallKey> = self.names.range(..before).map(|(at, _)| *at).take(SWEPT_AT_ONCE).collect();
                old.iter().for_each(|at| drop(self.names.remove(at)));
            }
        }
    }
}

impl NameRows {
    /// Gives rows other places.
    pub(crate) fn move_to(&mut self, places: &BTreeMap<CallKey, CallKey>) {
        let place = |at: CallKey| places.get(&at).copied().unwrap_or(at);
        let names = std::mem::take(&mut self.names).into_values();
        self.names = names.map(|row| NamedRow { at: place(row.at), ..row }).map(|row| (row.at, row)).collect();
        self.answers = std::mem::take(&mut self.answers).into_iter().map(|(at, bytes)| (place(at), bytes)).collect();
    }
}

pub(crate) fn name(key: &str, name: &str) -> Name {
    Name { key: KeyId::parse(key).unwrap(), name: name.to_owned() }
}

impl World {
    pub(crate) fn named(&self, call: &str, key: &str, name: &str, body: &str) -> Ask {
        let idempotency = Some(Idempotency { key: name.to_owned(), body_hash: body.to_owned() });
        Ask { idempotency, ..self.ask(call, key, 40, Some(100)) }
    }

    /// Reads a name's row as the host does: only where memory asks for it.
    pub(crate) fn read_name(&mut self, name: &Name) {
        if self.tenant.name_unread(name) {
            let row = self.rows.names.names.values().find(|row| row.name == *name).cloned();
            self.tenant.take_up_name(name, row);
        }
    }

    pub(crate) fn ask_named(&mut self, ask: &Ask) -> Reply {
        self.expire();
        let idempotency = ask.idempotency.as_ref().unwrap();
        self.read_name(&Name { key: ask.key.clone(), name: idempotency.key.clone() });
        let reply = self.tenant.ask(self.now, ask);
        let written = self.write();
        assert!(matches!(reply, Reply::Admitted(_)) || written == 0, "only an admission writes: {reply:?}");
        reply
    }

    /// Settles `call` as one that its client was told `status` of, and that cost nothing.
    pub(crate) fn fail(&mut self, call: &str, status: u16) {
        self.end(call, None, End { status, ..End::default() });
    }

    /// Publishes `bytes` as `call`'s next.
    pub(crate) fn publish(&mut self, name: &Name, call: &str, bytes: u64, last: Option<Last>) -> Published {
        let held = self.rows.names.coming.get(call).copied().unwrap_or(0);
        let head = Some("200\ncontent-type\ntext/plain".to_owned());
        let said = Publish { name: name.clone(), call: call.to_owned(), from: held, head, last, lost: false };
        self.read_name(name);
        let published = self.tenant.publish(self.now, &said, held, bytes);
        if published.take {
            self.rows.names.coming.insert(call.to_owned(), held + bytes);
        }
        if published.full || (last.is_some() && published.take) {
            self.rows.names.coming.remove(call);
        }
        self.rows.names.answers.extend(published.store.map(|at| (at, held + bytes)));
        self.write();
        published
    }

    pub(crate) fn follow(&mut self, following: &Following) -> Followed {
        self.read_name(&following.name);
        self.tenant.follow(self.now, following)
    }
}
