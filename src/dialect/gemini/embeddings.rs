//! Vectors for texts, between OpenAI's `/embeddings` and Gemini's `embedContent` and `batchEmbedContents`.

use super::camel::camelled;
use super::content::elements;
use super::usage;
use crate::chat::{Usage, Used};
use crate::dialect::BadRequest;
use crate::dialect::members::{Members, Path};
use serde_json::{Map, Value, json};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What OpenAI's request `body` is as one of `batchEmbedContents` for `model`.
///
/// # Errors
/// [`BadRequest`] for what cannot be said: tokens instead of text.
pub fn request_from_openai(body: &Value, model: &str) -> Result<Value, BadRequest> {
    let mut members = Members::of(body, &Path::ROOT)?;
    let texts = |input: &Value| match input {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(all) => all.iter().map(|text| text.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    let right = "a text or a list of texts; this model takes no tokens";
    let input = members.typed("input", right, texts)?.ok_or_else(|| members.missing("input", "give the texts"))?;
    let dimensions = members.whole("dimensions")?;
    let name = model.strip_prefix("models/").unwrap_or(model);
    let requests = input.into_iter().map(|text| {
        let mut request = Map::from_iter([("model".to_owned(), format!("models/{name}").into())]);
        request.insert("content".to_owned(), json!({"parts": [{"text": text}]}));
        request.extend(dimensions.map(|count| ("outputDimensionality".to_owned(), count.into())));
        Value::Object(request)
    });
    Ok(json!({"requests": requests.collect::<Vec<_>>()}))
}

/// Whether OpenAI's request `body` wants its vectors in base64, as OpenAI's SDKs do unless they are told otherwise.
pub fn wants_base64(body: &Value) -> bool {
    body.get("encoding_format").is_some_and(|format| format == "base64")
}

/// What the request `body` of `embedContent` or `batchEmbedContents` is as OpenAI's for `model`.
///
/// # Errors
/// [`BadRequest`] for what cannot be said: what the vectors are for, media, vectors of different lengths.
pub fn request_to_openai(body: &Value, model: &str) -> Result<Value, BadRequest> {
    let body = camelled(body)?;
    let mut members = Members::of(&body, &Path::ROOT)?;
    let (mut input, mut lengths) = (Vec::new(), Vec::new());
    if members.take("requests").is_none() {
        let (text, length) = read_one(members)?;
        input.push(text);
        lengths.push(length);
    } else {
        let at = Path::ROOT.key("requests");
        for (index, one) in elements(&mut members, "requests")?.iter().enumerate() {
            let at = at.index(index);
            let (text, length) = read_one(Members::of(one, &at)?)?;
            if lengths.first().is_some_and(|first| *first != length) {
                return Err(at.key("outputDimensionality").bad("must be the same in all requests"));
            }
            input.push(text);
            lengths.push(length);
        }
    }
    let mut request = Map::from_iter([("model".to_owned(), model.into()), ("input".to_owned(), input.into())]);
    request.insert("encoding_format".to_owned(), "float".into());
    request.extend(lengths.first().copied().flatten().map(|length| ("dimensions".to_owned(), length.into())));
    Ok(request.into())
}

/// What Gemini's answer is as OpenAI's, of `model`; in base64 where the client wants that. `None`: it is no answer.
pub fn answer_to_openai(body: &Value, model: &str, base64: bool) -> Option<Value> {
    let one = body.get("embedding").map(std::slice::from_ref);
    let all = one.or_else(|| body.get("embeddings").and_then(Value::as_array).map(Vec::as_slice))?;
    let mut data = Vec::with_capacity(all.len());
    for (index, vector) in all.iter().enumerate() {
        let values = vector.get("values")?;
        let written = if base64 { packed(values.as_array()?)?.into() } else { values.clone() };
        data.push(json!({"object": "embedding", "index": index, "embedding": written}));
    }
    let mut answer = Map::from_iter([("object".to_owned(), "list".into()), ("data".to_owned(), data.into())]);
    answer.insert("model".to_owned(), model.into());
    answer.extend(read_usage(body).map(|usage| {
        let input = usage.input.get();
        ("usage".to_owned(), json!({"prompt_tokens": input, "total_tokens": input}))
    }));
    Some(answer.into())
}

/// What OpenAI's answer is as Gemini's, of a batch or of one text. `None`: it is no answer.
pub fn answer_from_openai(body: &Value, batch: bool) -> Option<Value> {
    let data = body.get("data")?.as_array()?;
    let mut vectors = Vec::with_capacity(data.len());
    for (nth, one) in (0_u64..).zip(data) {
        let values = one.get("embedding").filter(|values| values.is_array())?;
        vectors.push((one.get("index").and_then(Value::as_u64).unwrap_or(nth), json!({"values": values})));
    }
    vectors.sort_by_key(|(index, _)| *index);
    let mut vectors = vectors.into_iter().map(|(_, vector)| vector);
    Some(if batch { json!({"embeddings": vectors.collect::<Vec<_>>()}) } else { json!({"embedding": vectors.next()?}) })
}

/// What Gemini's answer says that it used: few of its models say so.
pub fn read_usage(body: &Value) -> Option<Usage> {
    body.get("usageMetadata").and_then(usage::read)
}

/// Reads one text, and how long its vector is to be.
fn read_one(mut members: Members<'_, '_>) -> Result<(String, Option<u64>), BadRequest> {
    members.text("model")?;
    let length = members.whole("outputDimensionality")?;
    let content = members.take("content").ok_or_else(|| members.missing("content", "give the text to embed"))?;
    let at = members.path().key("content");
    let mut used = Used::default();
    let mut content = Members::of(content, &at)?;
    content.text("role")?;
    let (mut text, parts_at) = (String::new(), at.key("parts"));
    for (index, part) in elements(&mut content, "parts")?.iter().enumerate() {
        let at = parts_at.index(index);
        let mut part = Members::of(part, &at)?;
        if index > 0 {
            text.push('\n');
        }
        text.push_str(part.text("text")?.unwrap_or_default());
        part.leave(&[], &mut used);
    }
    content.leave(&[], &mut used);
    members.leave(&[], &mut used);
    let Some((_, path)) = used.iter().next() else { return Ok((text, length)) };
    let message = format!("`{path}` is not known to this model's provider; leave it out.");
    Err(BadRequest { param: Some(path.to_owned()), message })
}

/// Numbers of 32 bits, the low byte first, in base64.
fn packed(values: &[Value]) -> Option<String> {
    let mut bytes = Vec::with_capacity(values.len().saturating_mul(4));
    for value in values {
        bytes.extend_from_slice(&value.as_number()?.to_string().parse::<f32>().ok()?.to_le_bytes());
    }
    Some(base64(&bytes))
}

fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (nth, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let index = usize::try_from(bits >> shift & 63).unwrap_or_default();
            let letter = ALPHABET.get(index).filter(|_| nth <= three.len()).copied();
            text.push(letter.map_or('=', char::from));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_the_same_in_both() {
        let openai = json!({"model": "m", "input": ["a", "b"], "encoding_format": "float", "dimensions": 3});
        let one = |text: &str| json!({"model": "models/g", "content": {"parts": [{"text": text}]}, "outputDimensionality": 3});
        let gemini = json!({"requests": [one("a"), one("b")]});
        assert_eq!(request_from_openai(&openai, "g"), Ok(gemini.clone()));
        assert_eq!(request_to_openai(&gemini, "m"), Ok(openai));
        let single = json!({"content": {"parts": {"text": "a"}}, "output_dimensionality": 3});
        let same = json!({"model": "m", "input": ["a"], "encoding_format": "float", "dimensions": 3});
        assert_eq!(request_to_openai(&single, "m"), Ok(same));
    }

    #[test]
    fn what_only_one_of_them_can_say_is_refused_by_name() {
        let param = |bad: Result<Value, BadRequest>| bad.unwrap_err().param.unwrap();
        assert_eq!(param(request_from_openai(&json!({"input": [[1, 2]]}), "g")), "input");
        assert_eq!(param(request_from_openai(&json!({}), "g")), "input");
        let content = json!({"parts": [{"text": "a"}]});
        let with = |name: &str| param(request_to_openai(&json!({"requests": [{"content": content, name: 1}]}), "m"));
        assert_eq!(with("taskType"), "requests[0].taskType");
        let media = json!({"content": {"parts": [{"inlineData": {}}]}});
        assert_eq!(param(request_to_openai(&media, "m")), "content.parts[0].inlineData");
        let lengths = json!({"requests": [{"content": content}, {"content": content, "outputDimensionality": 2}]});
        assert_eq!(param(request_to_openai(&lengths, "m")), "requests[1].outputDimensionality");
    }

    #[test]
    fn vectors_are_the_same_in_both() {
        let openai = json!({"object": "list", "data": [
            {"object": "embedding", "index": 1, "embedding": [0.5]},
            {"object": "embedding", "index": 0, "embedding": [1.0, -2.5]},
        ], "model": "m"});
        let gemini = json!({"embeddings": [{"values": [1.0, -2.5]}, {"values": [0.5]}]});
        assert_eq!(answer_from_openai(&openai, true), Some(gemini.clone()));
        let first = answer_from_openai(&openai, false).unwrap();
        assert_eq!(first, json!({"embedding": {"values": [1.0, -2.5]}}));
        let back = answer_to_openai(&gemini, "m", false).unwrap();
        assert_eq!(answer_from_openai(&back, true), Some(gemini));
        let packed = answer_to_openai(&first, "m", true).unwrap();
        assert_eq!(packed["data"], json!([{"object": "embedding", "index": 0, "embedding": "AACAPwAAIMA="}]));
        assert_eq!(answer_to_openai(&json!({"error": {}}), "m", true), None);
        let told = json!({"embedding": {"values": []}, "usageMetadata": {"promptTokenCount": 4}});
        assert_eq!(
            answer_to_openai(&told, "m", false).unwrap()["usage"],
            json!({"prompt_tokens": 4, "total_tokens": 4})
        );
    }

    #[test]
    fn base64_is_what_everyone_reads() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
