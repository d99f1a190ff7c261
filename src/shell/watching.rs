//! What watches for secrets, made once for those of a provider.

use crate::secret::Secret;
use crate::secret::watch::Watch;
use std::cell::RefCell;
use std::rc::Rc;

/// As many are kept; a catalog mostly has fewer providers with secrets.
const KEPT_MAX: usize = 32;

thread_local! {
    static KEPT: RefCell<Vec<(Vec<Secret>, Rc<Watch>)>> = const { RefCell::new(Vec::new()) };
}

/// What watches for all of `secrets`.
pub(super) fn watch(secrets: &[Secret]) -> Rc<Watch> {
    KEPT.with_borrow_mut(|kept| {
        if let Some((_, watch)) = kept.iter().find(|(known, _)| known == secrets) {
            return Rc::clone(watch);
        }
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        let watch = Rc::new(Watch::new(secrets));
        kept.push((secrets.to_vec(), Rc::clone(&watch)));
        watch
    })
}
