//! Log probabilities: `logprobsResult`, and OpenAI's list.

use serde_json::{Value, json};

/// Reads what is told of each token, as OpenAI writes the list `content`.
pub(super) fn read(result: &Value) -> Option<Vec<Value>> {
    let list = |name: &str| result.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let (chosen, others) = (list("chosenCandidates"), list("topCandidates"));
    let tokens = chosen.iter().enumerate().map(|(nth, chosen)| {
        let beside = others.get(nth).and_then(|others| others.get("candidates")).and_then(Value::as_array);
        let beside: Vec<Value> = beside.map(Vec::as_slice).unwrap_or_default().iter().map(read_token).collect();
        let mut token = read_token(chosen);
        token.as_object_mut().map(|token| token.insert("top_logprobs".to_owned(), beside.into()));
        token
    });
    Some(tokens.collect()).filter(|tokens: &Vec<Value>| !tokens.is_empty())
}

/// Writes OpenAI's list.
pub(super) fn write(tokens: &[Value]) -> Value {
    let chosen: Vec<Value> = tokens.iter().map(write_token).collect();
    let others = tokens.iter().map(|token| {
        let beside = token.get("top_logprobs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        json!({"candidates": beside.iter().map(write_token).collect::<Vec<_>>()})
    });
    json!({"chosenCandidates": chosen, "topCandidates": others.collect::<Vec<_>>()})
}

fn read_token(candidate: &Value) -> Value {
    let token = candidate.get("token").and_then(Value::as_str).unwrap_or_default();
    let logprob = candidate.get("logProbability").cloned().unwrap_or_else(|| json!(0.0));
    json!({"token": token, "logprob": logprob, "bytes": token.as_bytes()})
}

fn write_token(token: &Value) -> Value {
    json!({"token": token.get("token"), "logProbability": token.get("logprob")})
}
