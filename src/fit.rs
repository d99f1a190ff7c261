//! How much output a call may have: what it wishes, or what its limits have left.

use crate::bound::InputBound;
use crate::catalog::Model;
use crate::limits::{Caller, Limits};
use crate::policy::Shortfall;
use crate::price::Prices;
use crate::units::{Millis, Tokens};
use crate::wire::Ask;

/// The output that a call wishes for.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// For each answer; nothing where the endpoint has no output.
    each: Tokens,
    /// How many answers.
    choices: u64,
}

/// The output that a call may have.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// What it wished for, for each answer.
    pub wanted: Tokens,
    /// What is held, for each answer.
    pub each: Tokens,
    /// The cap that the request must carry; `None`: no limit asks for one.
    pub cap: Option<Tokens>,
    /// What is left for each answer, where that is too little.
    pub affordable: Option<Tokens>,
}

impl Wish {
    /// What `ask` wishes for: its own cap, or the most that the model answers.
    pub fn of(ask: &Ask, model: &Model) -> Self {
        let each = match ask.output_cap {
            _ if !ask.output => Tokens::ZERO,
            None => model.output_bound(),
            Some(cap) => model.max_output.map_or(cap, |max| cap.min(max)),
        };
        Self { each, choices: ask.choices }
    }

    /// What of it the limits allow. Where they have less left, the cap is lowered as far as the
    /// policy lets it; else what is held is what the call would need, for the limits to refuse.
    pub fn fit(
        self,
        limits: &mut Limits,
        now: Millis,
        caller: Caller<'_>,
        input: InputBound,
        prices: &Prices,
        (on_shortfall, fit_min): (Shortfall, Tokens),
    ) -> Output {
        let wanted = self.each;
        let unbound = Output { wanted, each: wanted, cap: None, affordable: None };
        if wanted == Tokens::ZERO || !limits.bound_output(caller) {
            return unbound;
        }
        let affordable = limits.affordable_output(now, caller, input, prices);
        let affordable = affordable.map(|all| Tokens::new(all.get().checked_div(self.choices).unwrap_or(0)));
        let Some(affordable) = affordable.filter(|affordable| *affordable < wanted) else {
            return Output { cap: Some(wanted), ..unbound };
        };
        let least = fit_min.min(wanted);
        match on_shortfall {
            Shortfall::Fit if affordable >= least => Output { each: affordable, cap: Some(affordable), ..unbound },
            Shortfall::Fit => Output { each: least, affordable: Some(affordable), ..unbound },
            Shortfall::Reject => Output { affordable: Some(affordable), ..unbound },
        }
    }
}
