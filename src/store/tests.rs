//! What is written for a turn, and how rows are read back.

use super::*;

#[test]
fn a_row_is_read_as_its_columns_stand() {
    let open = r#"["c", "k", "m", "open", 5, 7, 8, 9, 4, null, null, null, null, null, null, null, null, null,
        "chat", 40, null, null, null, null, 0, null]"#;
    let ended = r#"["c", "k", "m", "expired", 5, 7, 8, 9, 4, 10, 3, 1, 2, 9007199254740991, "ceiling", "p/q", 200,
        2, "chat", 40, 5, 6, "catalog:4", "[0,0,0,1,0]", 1, 30]"#;
    let rows = [open, ended].map(|row| row.replacen('[', "[1763985590000123, ", 1)).join(",");
    let rows: Vec<CallRow> = read::<CallRead>(&format!("[{rows}]")).unwrap().into_iter().map(CallRow::from).collect();
    assert_eq!(rows[0].at, CallKey::new(1_763_985_590_000_123));
    assert_eq!((rows[0].state, &rows[0].end), (State::Open, &None));
    let (output, cost) = (Tokens::new(8), NanoUsd::new(9));
    assert_eq!(rows[0].held, Load::used(Tokens::new(7), output, cost));
    let likely = (rows[1].held.likely_input, rows[1].held.likely_output, rows[1].special, rows[1].stop_at);
    assert_eq!(likely, (Tokens::new(5), Tokens::new(6), true, Some(Tokens::new(30))));
    let bill = Bill { cached_input: Tokens::new(1), ..Bill::of(Tokens::new(3), Tokens::new(2)) };
    let bill = Bill { reasoning: Tokens::new(1), ..bill };
    assert_eq!(parts(&bill).as_deref(), Some("[0,0,0,1,0]"));
    let (at, cost) = (Millis::new(10), NanoUsd::new(crate::units::CEILING));
    let (priced_by, target) = ("catalog:4".to_owned(), "p/q".to_owned());
    let end = End { at, bill, cost, truth: Truth::Ceiling, priced_by, target, status: 200, attempts: 2 };
    assert_eq!((rows[1].state, rows[1].end.as_ref()), (State::Expired, Some(&end)));
}

#[test]
fn a_debt_that_shrinks_is_dropped_where_nothing_is_left_of_it() {
    let debt = |limit: &str| DebtKey { limit: limit.to_owned(), key: String::new(), start: Millis::new(7) };
    let written = write(&[Change::Debt(debt("more"), 5), Change::Debt(debt("less"), -3)]);
    let both = (DEBTS_WRITE, r#"[["more","",7,5],["less","",7,-3]]"#.to_owned());
    assert_eq!(written, [both, (DEBTS_GONE, r#"[["less","",7,-3]]"#.to_owned())]);
    assert_eq!(write(&[Change::Debt(debt("more"), 5)]).len(), 1);
}

#[test]
fn a_turn_is_a_few_statements_however_many_calls_it_holds() {
    let row = |at| CallRow {
        at: CallKey::new(at),
        call: String::new(),
        key: KeyId::parse("k").unwrap(),
        model: String::new(),
        endpoint: String::new(),
        bytes: 0,
        state: State::Open,
        lease_ends: Millis::ZERO,
        held: Load::default(),
        special: false,
        stop_at: None,
        catalog: 0,
        end: None,
    };
    let changes: Vec<_> =
        (0..1_500).map(|at| Change::Opened(row(at))).chain([Change::Flushed(CallKey::new(3))]).collect();
    assert_eq!(write(&changes).len(), 3);
}

#[test]
fn the_ledger_is_read_backwards_in_parts_until_its_beginning() {
    let back = |row: &str| read::<BackRead>(&format!("[{row}]")).unwrap().remove(0);
    for (row, first, further, found) in [
        ("[20000, 7, null]", 7, Some(7), None),
        ("[19999, 7, 8]", 7, None, Some(8)),
        ("[0, null, null]", 0, None, None),
    ] {
        let back = back(row);
        let places = (back.first(), back.further(), back.found());
        assert_eq!(places, (CallKey::new(first), further.map(CallKey::new), found.map(CallKey::new)), "{row}");
    }
    assert!(CALLS_BACK_READ.ends_with(&format!("LIMIT {CALLS_BACK_PAGE})")));
}
