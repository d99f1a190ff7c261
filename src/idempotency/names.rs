//! The names of a tenant's calls: which are free, which are led, and whose answer is kept.

use super::{Followed, Following, Last, Name, NameChange, NamedRow, Publish, Published, SILENCE_MAX, repeated};
use crate::rows::CallKey;
use crate::units::Millis;
use std::collections::{BTreeMap, HashMap};

/// How long a name belongs to its call.
pub const KEPT_FOR: Millis = Millis::from_secs(24 * 3_600);
/// The largest answer that is kept, in bytes.
pub const ANSWER_BYTES_MAX: u64 = 8 * 1_024 * 1_024;
/// How many bytes of answers that still come an object holds in memory.
pub const COMING_BYTES_MAX: u64 = 32 * 1_024 * 1_024;
/// How many bytes of answers a tenant keeps: the oldest go first.
pub const KEPT_BYTES_MAX: u64 = 64 * 1_024 * 1_024;
/// How long a follower waits at most for one reply of the object.
const POLL_MAX: Millis = Millis::from_secs(4);
/// A leader that nobody asks for is forgotten after this: its row says all there is.
const FORGOTTEN: Millis = Millis::from_secs(300);
/// An answer counts at least this much, for the memory that its place takes.
const ANSWER_BYTES_LEAST: u64 = 1_024;
/// How many rows that are too old go with one change.
pub const SWEPT_AT_ONCE: usize = 64;

/// How a name stands for a call that is sent under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No call has it: this one can be its leader.
    Free,
    /// It is this very call's: it asks again because the reply was lost.
    Own,
    /// The call that is to be followed.
    Follow {
        /// Its place in the ledger.
        at: CallKey,
        /// The call.
        call: String,
    },
    /// It is another request's.
    Taken,
    /// It was answered and billed, and the answer could not be kept.
    NotKept,
}

/// A named call in memory.
#[derive(Clone, Debug)]
struct Known {
    row: NamedRow,
    /// How much of its answer has come.
    size: u64,
    /// Too much has come, or some was lost.
    full: bool,
    /// When it was last heard of, by this memory.
    heard: Millis,
}

impl Known {
    fn new(now: Millis, row: NamedRow) -> Self {
        Self { row, size: 0, full: false, heard: now }
    }

    fn runs(&self) -> bool {
        self.row.head.is_none()
    }
}

/// The names of a tenant's calls.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// What runs or changed in this turn; nothing: the row is gone.
    known: HashMap<Name, Option<Known>>,
    /// When memory began.
    since: Millis,
    /// Whether something is known that rows say as well once the turn is written.
    idle: bool,
    /// The answers that are kept, and how large each is.
    kept: BTreeMap<CallKey, u64>,
    kept_bytes: u64,
    /// No row is older.
    oldest: Option<CallKey>,
}

impl Names {
    /// The names whose first row is at `oldest`, with the answers that are `kept` and their bytes; memory begins now.
    pub fn restore(now: Millis, oldest: Option<CallKey>, kept: Vec<(CallKey, u64)>) -> Self {
        let mut names = Self { since: now, oldest, ..Self::default() };
        for (at, bytes) in kept {
            names.keep(at, bytes);
        }
        names
    }

    /// Whether the row of `name` must be read and [taken up](Names::take_up) before anything is asked about it.
    pub fn unread(&self, name: &Name) -> bool {
        !self.known.contains_key(name)
    }

    /// Takes up what was read of `name`: its row, or that there is none. When its leader was heard of before memory
    /// began nobody knows, so it gets all its time again.
    pub fn take_up(&mut self, name: &Name, row: Option<NamedRow>) {
        self.idle = true;
        let since = |row: &NamedRow| self.since.max(row.at.millis());
        self.known.insert(name.clone(), row.map(|row| Known::new(since(&row), row)));
    }

    fn find(&self, now: Millis, name: &Name) -> Option<&Known> {
        let known = self.known.get(name)?.as_ref()?;
        (known.row.at.millis().plus(KEPT_FOR) > now).then_some(known)
    }

    fn leader(&mut self, name: &Name, call: &str) -> Option<&mut Known> {
        self.known.get_mut(name)?.as_mut().filter(|known| known.row.call == call)
    }

    /// How `name` stands for `call` with this body; a leader may be silent for `silence`.
    pub fn standing(&self, now: Millis, name: &Name, call: &str, body_hash: &str, silence: Millis) -> Standing {
        let Some(known) = self.find(now, name) else {
            return Standing::Free;
        };
        let Known { row, full, heard, .. } = known;
        let kept = if known.runs() { !full } else { self.kept.contains_key(&row.at) };
        match () {
            () if row.call == call => Standing::Own,
            () if known.runs() && heard.plus(silence) <= now => Standing::Free,
            () if row.body_hash != body_hash => Standing::Taken,
            () if kept => Standing::Follow { at: row.at, call: row.call.clone() },
            () => Standing::NotKept,
        }
    }

    /// Makes an admitted call the leader of its name.
    pub fn begin(&mut self, now: Millis, row: NamedRow) -> Vec<NameChange> {
        let mut changes = self.sweep(now);
        if let Some(Some(old)) = self.known.get(&row.name) {
            let at = old.row.at;
            changes.push(NameChange::Gone(at));
            changes.extend(self.forget_answer(at));
        }
        self.oldest.get_or_insert(row.at);
        self.known.insert(row.name.clone(), Some(Known::new(now, row.clone())));
        changes.push(NameChange::Set(row));
        changes
    }

    /// Hears of a leader, whose next `bytes` are here; the host holds those `held` that came before.
    pub fn publish(&mut self, now: Millis, said: &Publish, held: u64, bytes: u64) -> (Published, Vec<NameChange>) {
        let others = |known: &&Known| known.row.call != said.call && known.heard.plus(SILENCE_MAX) > now;
        let others: u64 = self.known.values().flatten().filter(others).map(|known| known.size).sum();
        let leads = |known: &&mut Known| known.runs() && known.row.at.millis().plus(KEPT_FOR) > now;
        let Some(known) = self.leader(&said.name, &said.call).filter(leads) else {
            return (Published { stop: true, ..Published::default() }, Vec::new());
        };
        known.heard = now;
        known.size = held;
        let whole = held.saturating_add(bytes);
        let no_room = whole > ANSWER_BYTES_MAX || others.saturating_add(whole) > COMING_BYTES_MAX;
        if known.full || said.lost || (said.from == held && no_room) {
            (known.full, known.size) = (true, 0);
        } else if said.from == held {
            known.size = whole;
        } else {
            return (Published { have: held, ..Published::default() }, Vec::new());
        }
        let (full, have, at) = (known.full, known.size, known.row.at);
        let mut published = Published { take: !full, have, full, ..Published::default() };
        let changes = match said.last {
            None => Vec::new(),
            Some(Last::Failed) => self.release(&said.name, &said.call),
            Some(Last::Kept) => {
                published.store = (!full).then_some(at);
                self.end(said, published.store.map(|_| have))
            }
        };
        (published, changes)
    }

    /// Ends a leader whose answer was billed; `kept`: how many bytes of it are stored.
    fn end(&mut self, said: &Publish, kept: Option<u64>) -> Vec<NameChange> {
        self.idle = true;
        let Some(known) = self.leader(&said.name, &said.call) else {
            return Vec::new();
        };
        known.size = 0;
        known.row.head = Some(said.head.as_deref().map(repeated).unwrap_or_default());
        let row = known.row.clone();
        let mut changes = Vec::new();
        if let Some(bytes) = kept {
            self.keep(row.at, bytes);
            changes.extend(self.make_room(row.at));
        }
        changes.push(NameChange::Set(row));
        changes
    }

    /// Notes that an answer which was to be stored could not be.
    pub fn not_stored(&mut self, at: CallKey) -> Vec<NameChange> {
        self.forget_answer(at).into_iter().collect()
    }

    /// Frees the name of a call for which nobody was billed.
    pub fn release(&mut self, name: &Name, call: &str) -> Vec<NameChange> {
        self.idle = true;
        let Some(known) = self.leader(name, call) else {
            return Vec::new();
        };
        let at = known.row.at;
        self.known.insert(name.clone(), None);
        [NameChange::Gone(at)].into_iter().chain(self.forget_answer(at)).collect()
    }

    /// Hears that a call was settled: if that is all there is to hear of it, its name is free, or its answer not kept.
    pub fn settled(&mut self, name: &Name, call: &str, failed: bool) -> Vec<NameChange> {
        let Some(known) = self.leader(name, call).filter(|known| known.runs()) else {
            return Vec::new();
        };
        if failed {
            return self.release(name, call);
        }
        known.row.head = Some(String::new());
        known.size = 0;
        let row = known.row.clone();
        self.idle = true;
        vec![NameChange::Set(row)]
    }

    /// How a followed call stands; its leader may be silent for `silence`.
    pub fn follow(&self, now: Millis, following: &Following, silence: Millis) -> Followed {
        let Some(known) = self.find(now, &following.name).filter(|known| known.row.call == following.call) else {
            return Followed::Gone;
        };
        let ends = known.heard.plus(silence);
        match &known.row.head {
            None if known.full => Followed::NotKept,
            None if ends <= now => Followed::Gone,
            None => Followed::Wait(ends.minus(now).min(POLL_MAX)),
            Some(head) if self.kept.contains_key(&known.row.at) => Followed::Stored(head.clone()),
            Some(_) => Followed::NotKept,
        }
    }

    /// What is too old, a few at a time: rows and answers.
    pub fn sweep(&mut self, now: Millis) -> Vec<NameChange> {
        let old = CallKey::at(now.minus(KEPT_FOR));
        let mut changes = Vec::new();
        if self.oldest.is_none_or(|oldest| oldest >= old) {
            return changes;
        }
        let answers: Vec<CallKey> = self.kept.range(..old).map(|(at, _)| *at).take(SWEPT_AT_ONCE).collect();
        changes.extend(answers.into_iter().filter_map(|at| self.forget_answer(at)));
        changes.push(NameChange::Expired(old));
        changes
    }

    /// When [`Names::sweep`] has an answer to let go of; `None`: none is kept.
    pub fn first_too_old(&self) -> Option<Millis> {
        let (at, _) = self.kept.first_key_value()?;
        Some(at.millis().plus(KEPT_FOR).plus(Millis::new(1)))
    }

    /// All changes so far are written: forgets what the rows can tell.
    pub fn written(&mut self, now: Millis) {
        if std::mem::take(&mut self.idle) {
            let running = |known: &Known| known.runs() && known.heard.plus(FORGOTTEN) > now;
            self.known.retain(|_, known| known.as_ref().is_some_and(running));
        }
    }

    fn keep(&mut self, at: CallKey, bytes: u64) {
        let bytes = bytes.max(ANSWER_BYTES_LEAST);
        let before = self.kept.insert(at, bytes).unwrap_or(0);
        self.kept_bytes = self.kept_bytes.saturating_sub(before).saturating_add(bytes);
    }

    fn forget_answer(&mut self, at: CallKey) -> Option<NameChange> {
        let bytes = self.kept.remove(&at)?;
        self.kept_bytes = self.kept_bytes.saturating_sub(bytes);
        Some(NameChange::AnswerGone(at))
    }

    /// Lets the oldest answers go until what is left fits; never the one at `newest`.
    fn make_room(&mut self, newest: CallKey) -> Vec<NameChange> {
        let mut changes = Vec::new();
        while self.kept_bytes > KEPT_BYTES_MAX {
            let Some(&oldest) = self.kept.keys().find(|at| **at != newest) else { break };
            changes.extend(self.forget_answer(oldest));
        }
        changes
    }
}
