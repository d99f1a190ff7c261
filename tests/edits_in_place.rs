//! A tenant that is edited in place is the one that its rows describe: any edits, at any moment, in any order.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test may fail loudly"
)]

mod support;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::World;
use tollgate::catalog::Catalog;
use tollgate::fields::Field;
use tollgate::key::KeyId;
use tollgate::policy::{Per, Policy};
use tollgate::rows::CallKey;
use tollgate::tenant::{Edit, KeyRecord, Tenant};
use tollgate::units::Millis;

const KEYS: [&str; 4] = ["a", "b", "c", "d"];
const MODELS: [&str; 2] = ["m", "big"];

/// A limit out of a few, so that many edits keep, rename or repeat one that was there.
#[derive(Clone, Copy, Debug)]
struct Drawn {
    name: usize,
    what: usize,
    window: usize,
    models: usize,
    each: bool,
    max: u64,
}

#[derive(Clone, Debug)]
enum Step {
    Ask { key: usize, model: usize, cap: u64 },
    Settle { which: usize, part: u64 },
    Wait(u64),
    Flush,
    Restart,
    Tenant { limits: Vec<Drawn>, enabled: bool },
    Key { key: usize, limits: Option<Vec<Drawn>>, revoked: bool },
    Catalog { price: u64 },
}

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let one = (0_usize..3, 0_usize..6, 0_usize..9, 0_usize..3, any::<bool>(), 1_u64..9);
    let one = one.prop_map(|(name, what, window, models, each, max)| Drawn { name, what, window, models, each, max });
    prop::collection::vec(one, 0..4)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let wait = prop_oneof![0_u64..50, 0_u64..30_000, 0_u64..4_000_000, Just(90_000_000)];
    let step = prop_oneof![
        8 => (0_usize..4, 0_usize..2, 1_u64..400).prop_map(|(key, model, cap)| Step::Ask { key, model, cap }),
        8 => (0_usize..9, 0_u64..=7).prop_map(|(which, part)| Step::Settle { which, part }),
        4 => wait.prop_map(Step::Wait),
        2 => Just(Step::Flush),
        1 => Just(Step::Restart),
        3 => (drawn(), prop::bool::weighted(0.8)).prop_map(|(limits, enabled)| Step::Tenant { limits, enabled }),
        3 => (0_usize..4, prop::option::of(drawn()), prop::bool::weighted(0.1))
            .prop_map(|(key, limits, revoked)| Step::Key { key, limits, revoked }),
        1 => (1_u64..9).prop_map(|price| Step::Catalog { price }),
    ];
    prop::collection::vec(step, 1..50)
}

fn policy(limits: &[Drawn], owner: Per) -> Policy {
    let whats = ["requests", "tokens", "input_tokens", "output_tokens", "cost", "concurrency"];
    let windows = ["1s", "60s", "5m", "1h", "hour", "day", "week", "month", "lifetime"];
    let mut document: Vec<Value> = Vec::new();
    for one in limits {
        let (what, name) = (whats[one.what], format!("limit-{}", one.name));
        let max = match what {
            "cost" => json!(format!("0.{:04}", one.max * 5)),
            "requests" | "concurrency" => json!(one.max * 3),
            _ => json!(one.max * 400),
        };
        let models = [json!(["*"]), json!(["m"]), json!(["b*", "x"])][one.models].clone();
        let per = if one.each || owner == Per::Key { "key" } else { "tenant" };
        let mut limit = json!({"name": name, "what": what, "per": per, "models": models, "max": max});
        if what != "concurrency" {
            limit["window"] = json!(windows[one.window]);
        }
        if document.iter().all(|other| other["name"] != limit["name"]) {
            document.push(limit);
        }
    }
    let document = json!({"limits": document, "lease": "30s", "fit_min": 1});
    Policy::read(&Field::root("policy", &document), owner).unwrap()
}

fn catalog(price: u64, version: u64) -> Catalog {
    let target = |model: &str| json!({"targets": [{"provider": "p", "model": model}], "max_output": 1000});
    let document = json!({
        "providers": {"p": {"dialect": "openai", "base_url": "http://p/v1"}},
        "models": {"m": target("m"), "big": target("big")},
        "prices": {"p/*": {"input": price.to_string(), "output": "2"}, "p/m": {"input": "1", "output": "2"}}
    });
    Catalog::read(&document, version).unwrap()
}

/// All that a client or an operator could see of a tenant.
fn seen(world: &World, tenant: &Tenant) -> Vec<String> {
    let mut tenant = tenant.clone();
    let mut seen = vec![format!("{} keys, catalog {}", tenant.config().keys.len(), tenant.config().catalog.version)];
    for key in KEYS {
        let id = KeyId::parse(key).unwrap();
        seen.push(tenant.usage(world.now, &id).to_string());
        for standing in tenant.standings(world.now, &id) {
            seen.push(format!("{key} {standing:?}"));
        }
        for model in MODELS {
            let mut ask = world.ask("probe", key, 40, Some(300));
            ask.model = model.to_owned();
            // A refusal shows all that was counted, an admission what was held for it; the place is the clock's.
            seen.push(format!(
                "{key} {model} {:?}",
                tenant.clone().admit(world.now, &ask).map(|one| (one.output_cap, one.gauges))
            ));
        }
    }
    seen
}

struct History {
    world: World,
    calls: Vec<(String, CallKey, u64)>,
    template: KeyRecord,
}

impl History {
    fn new() -> Self {
        let world = World::new(&json!({}), None);
        let template = world.tenant.config().keys.values().next().unwrap().clone();
        Self { world, calls: Vec::new(), template }
    }

    fn step(&mut self, number: usize, step: &Step) {
        let world = &mut self.world;
        match step {
            Step::Wait(ms) => world.now = world.now.plus(Millis::new(*ms)),
            Step::Restart => world.restart(),
            Step::Flush => {
                world.tenant.flush(world.now, true);
                world.write();
            }
            Step::Ask { key, model, cap } => {
                let call = format!("c{number}");
                let mut ask = world.ask(&call, KEYS[*key], 40, Some(*cap));
                MODELS[*model].clone_into(&mut ask.model);
                if let Ok(admission) = world.admit(&ask) {
                    self.calls.push((call, admission.at, *cap));
                }
            }
            Step::Settle { which, part } => {
                if !self.calls.is_empty() {
                    let (call, at, output) = self.calls.remove(which % self.calls.len());
                    world.settle(&call, Some(at), 10, output * part / 4);
                }
            }
            Step::Tenant { limits, enabled } => {
                world.change(Edit { tenant: Some((*enabled, policy(limits, Per::Tenant))), ..Edit::default() });
            }
            Step::Key { key, limits, revoked } => {
                let policy = limits.as_ref().map(|limits| policy(limits, Per::Key));
                let revoked_at = revoked.then_some(world.now);
                let record = KeyRecord { policy, revoked_at, ..self.template.clone() };
                world.change(Edit { keys: vec![(KeyId::parse(KEYS[*key]).unwrap(), record)], ..Edit::default() });
            }
            Step::Catalog { price } => {
                let version = world.tenant.config().catalog.version + 1;
                world.change(Edit { catalog: Some(catalog(*price, version)), ..Edit::default() });
            }
        }
    }

    /// The tenant as its rows describe it.
    fn rebuilt(&self) -> Tenant {
        let config = self.world.tenant.config().clone();
        let stored = self.world.rows.read(&config, self.world.now);
        Tenant::restore(self.world.now, config, stored)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn a_tenant_edited_in_place_is_the_one_that_its_rows_describe(steps in steps()) {
        let mut history = History::new();
        for (number, step) in steps.iter().enumerate() {
            history.step(number, step);
            let (kept, rebuilt) = (seen(&history.world, &history.world.tenant), seen(&history.world, &history.rebuilt()));
            prop_assert_eq!(kept, rebuilt, "after step {}", number);
        }
    }

    #[test]
    fn edits_before_and_after_a_restart_at_each_step_come_to_the_same(steps in steps()) {
        let (mut kept, mut restarted) = (History::new(), History::new());
        for (number, step) in steps.iter().enumerate() {
            kept.step(number, step);
            restarted.step(number, step);
            restarted.world.restart();
        }
        prop_assert_eq!(seen(&kept.world, &kept.world.tenant), seen(&restarted.world, &restarted.world.tenant));
    }
}
