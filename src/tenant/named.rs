//! Calls with an `Idempotency-Key`, as a tenant decides on them: who leads and who follows.

use super::Tenant;
use crate::idempotency::{
    Followed, Following, Idempotency, Name, NameChange, NamedRow, Publish, Published, SILENCE_MAX, Standing,
};
use crate::key::KeyId;
use crate::rows::{CallKey, Change};
use crate::units::Millis;
use crate::wire::{Ask, Denial, Reply, Settlement};

impl Tenant {
    /// Answers a call that asks: it is admitted, refused, or shown the call that it is to follow.
    ///
    /// Of a call that has a name the row must be [taken up](Tenant::take_up_name) before.
    pub fn ask(&mut self, now: Millis, ask: &Ask) -> Reply {
        let now = self.tick(now);
        if let Some(through) = &ask.through {
            return self.pass(now, ask, through);
        }
        let Some(Idempotency { key: name, body_hash }) = &ask.idempotency else {
            return self.admit(now, ask).map_or_else(Reply::Denied, Reply::Admitted);
        };
        if let Err(denial) = self.known(now, &ask.key, &ask.hash, ask.origin.as_deref()) {
            return Reply::Denied(denial);
        }
        let silence = self.silence(&ask.key);
        let name = Name { key: ask.key.clone(), name: name.clone() };
        let standing = self.names.standing(now, &name, &ask.call, body_hash, silence);
        match standing {
            Standing::Follow { at, call } => return Reply::Follow(Following { name, at, call }),
            Standing::Taken => return Reply::Denied(Denial::NameTaken),
            Standing::NotKept => return Reply::Denied(Denial::AnswerNotKept),
            Standing::Free | Standing::Own => {}
        }
        let admission = match self.admit(now, ask) {
            Ok(admission) => admission,
            Err(denial) => return Reply::Denied(denial),
        };
        if standing == Standing::Free {
            let (body_hash, call) = (body_hash.clone(), ask.call.clone());
            let row = NamedRow { at: admission.at, name, body_hash, call, head: None };
            let changes = self.names.begin(now, row);
            self.name_changes(changes);
        }
        Reply::Admitted(admission)
    }

    /// Whether the row of `name` must be read and taken up before anything is asked about it.
    pub fn name_unread(&self, name: &Name) -> bool {
        self.names.unread(name)
    }

    /// Takes up what was read of `name`: its row, or that there is none.
    pub fn take_up_name(&mut self, name: &Name, row: Option<NamedRow>) {
        self.names.take_up(name, row);
    }

    /// Hears of a leader, whose next `bytes` are here; the host holds those `held` that came before.
    pub fn publish(&mut self, now: Millis, said: &Publish, held: u64, bytes: u64) -> Published {
        let now = self.tick(now);
        let (published, changes) = self.names.publish(now, said, held, bytes);
        self.name_changes(changes);
        published
    }

    /// How a followed call stands.
    pub fn follow(&mut self, now: Millis, following: &Following) -> Followed {
        let now = self.tick(now);
        let silence = self.silence(&following.name.key);
        self.names.follow(now, following, silence)
    }

    /// Notes that an answer which was to be stored could not be.
    pub fn not_stored(&mut self, at: CallKey) {
        let changes = self.names.not_stored(at);
        self.name_changes(changes);
    }

    /// Lets a named call's end decide what comes of its name, if nothing else has.
    pub fn settle_name(&mut self, settlement: &Settlement) {
        if let Some(name) = &settlement.name {
            let changes = self.names.settled(name, &settlement.call, settlement.end.failed());
            self.name_changes(changes);
        }
    }

    /// Lets some names go that are too old.
    pub(super) fn sweep_names(&mut self, now: Millis) {
        let changes = self.names.sweep(now);
        self.name_changes(changes);
    }

    fn name_changes(&mut self, changes: Vec<NameChange>) {
        self.changes.extend(changes.into_iter().map(Change::Name));
    }

    /// How long the leader of a name of `key` may be silent.
    fn silence(&self, key: &KeyId) -> Millis {
        self.policy(key).lease.min(SILENCE_MAX)
    }
}
