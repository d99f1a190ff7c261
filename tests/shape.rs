//! What a request is made of: by example, against a slow reader of values, and against those who would be billed less than they use.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

use tollgate::bound::Shape;
use tollgate::dialect::Endpoint;
use tollgate::dialect::Envelope;

fn shape(body: &str) -> Shape {
    Envelope::read(Endpoint::Chat, body.as_bytes()).unwrap().shape
}

/// Checks what `members` beside a model are made of: what is said after the bytes of media.
#[track_caller]
fn check(members: &str, media: u64, expected: Shape) {
    let body = format!("{{\"model\":\"m\",{members}}}");
    let bytes = u64::try_from(body.len()).unwrap() - media;
    assert_eq!(shape(&body), Shape { bytes, ..expected }, "{body}");
}

#[track_caller]
fn check_part(part: &str, media: u64, expected: Shape) {
    check(
        &format!(r#""messages":[{{"role":"user","content":[{{"type":"text","text":"x"}},{part}]}}]"#),
        media,
        expected,
    );
}

fn unbounded() -> Shape {
    Shape { unbounded: true, ..Shape::default() }
}

/// One that asks for a service alone: where that has a price, the request has a bound.
fn asks(service: &str) -> Shape {
    Shape { service: serde_json::from_str(service).unwrap(), service_alone: true, ..unbounded() }
}

/// One whose model searches the web, at least once.
fn searches() -> Shape {
    Shape { service_alone: false, ..asks(r#"{"uses":[1,0,0,0,0]}"#) }
}

fn audio(bytes: u64) -> Shape {
    let mut shape = Shape { audio_bytes: bytes, ..Shape::default() };
    shape.kinds.audio_input = true;
    shape
}

#[test]
fn parts_are_what_they_say_they_are() {
    let (none, image, file) =
        (Shape::default(), Shape { images: 1, ..Shape::default() }, Shape { files: 1, ..Shape::default() });
    for (part, media, expected) in [
        (r#"{"type":"text","text":"a"}"#, 0, none),
        (r#"{"type":"refusal","refusal":"no"}"#, 0, none),
        (r#""bare text""#, 0, none),
        (r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"high"}}"#, 4, image),
        (r#"{"image_url":{"url":"data:image\/png;base64,A\/A="},"type":"image_url"}"#, 5, image),
        (r#"{"type":"image_url","image_url":{"url":"https://x.test/a.png"}}"#, 0, image),
        (r#"{"type":"image_url","image_url":"https:\/\/x.test"}"#, 0, image),
        (r#"{"t\u0079pe":"im\u0061ge_url","image\u005furl":{"\u0075rl":"data:image/png;base64,AAAA"}}"#, 4, image),
        (r#"{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}}"#, 8, audio(8)),
        (r#"{"type":"input_audio","input_audio":{"format":"mp3","data":"data:audio/mp3;base64,SUQz"}}"#, 4, audio(4)),
        (r#"{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0x"}}"#, 8, file),
        (r#"{"type":"file","file":{"file_data":"JVBERi0x"}}"#, 8, file),
        (r#"{"type":"file","file":{"file_data":"data:text/plain;base64,aGVsbG8=","file_id":null}}"#, 0, file),
    ] {
        check_part(part, media, expected);
    }
}

#[test]
fn what_is_not_understood_keeps_its_bytes_and_has_no_bound() {
    let image = Shape { images: 1, ..unbounded() };
    let file = Shape { files: 1, ..unbounded() };
    let sound = |bytes| Shape { unbounded: true, ..audio(bytes) };
    for (part, expected) in [
        (r#"{"type":"video_url","video_url":{"url":"data:video/mp4;base64,AAAA"}}"#, unbounded()),
        (r#"{"type":"document","source":{"type":"url","url":"https://x.test"}}"#, unbounded()),
        (r#"{"text":"no type"}"#, unbounded()),
        (r#"{"type":["text"],"text":"a"}"#, unbounded()),
        (r#"{"type":"Text","text":"a"}"#, unbounded()),
        ("[]", unbounded()),
        ("7", unbounded()),
        (r#"{"type":"image_url"}"#, unbounded()),
        (r#"{"type":"image_url","image_url":null}"#, unbounded()),
        (r#"{"type":"image_url","image_url":7}"#, image),
        (r#"{"type":"image_url","image_url":{"url":"gs://bucket/film.mp4"}}"#, image),
        (r#"{"type":"image_url","image_url":{"url":"\u0068ttps://x.test"}}"#, image),
        (r#"{"type":"image_url","image_url":{"url":"data:application/pdf;base64,JVBERi0x"}}"#, image),
        (r#"{"type":"image_url","image_url":{"url":"data:image/png,text;base64,AAAA"}}"#, image),
        (r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","url":"http://x.test"}}"#, image),
        (r#"{"type":"text","text":"a","image_url":{"url":"data:image/png;base64,AAAA"}}"#, image),
        (r#"{"type":"text","type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}"#, image),
        (r#"{"image_url":{"url":"data:image/png;base64,AAAA"}}"#, image),
        (r#"{"type":"text","IMAGE_URL":{"url":"http://x.test"}}"#, image),
        (
            r#"{"type":"image_url","image_url":{"url":"http://x.test"},"file":{"file_data":"JVBER"}}"#,
            Shape { images: 1, ..file },
        ),
        (r#"{"type":"image_url","image_url":"http://a","image_url":"http://b"}"#, Shape { images: 2, ..image }),
        (r#"{"type":"input_audio","input_audio":{"data":"UklG","format":"opus"}}"#, sound(4)),
        (r#"{"type":"input_audio","input_audio":{"data":"UklG"}}"#, sound(4)),
        (r#"{"type":"input_audio","input_audio":{"data":"https://x","format":"wav"}}"#, sound(9)),
        (r#"{"type":"input_audio","input_audio":"UklG"}"#, sound(0)),
        (r#"{"type":"file","file":{"file_id":"file-1"}}"#, file),
        (r#"{"type":"file","file":{"file_url":"https://x.test"}}"#, file),
        (r#"{"type":"file","file":{"file_data":"JVBERi0x","file_id":"file-1"}}"#, file),
        (r#"{"type":"file","file":{"file_data":"https://x.test/a.pdf"}}"#, file),
        (r#"{"type":"file","file":{}}"#, file),
        (r#"{"type":"file","file":"file-1"}"#, file),
    ] {
        check_part(part, 0, expected);
    }
}

#[test]
fn a_service_is_asked_for_by_its_word_and_by_two_nobody_knows_which() {
    for (members, expected) in [
        (r#""service_tier":"priority""#, asks(r#"{"tier":"priority"}"#)),
        (r#""service_tier":"f\u0061st""#, asks(r#"{"tier":"fast"}"#)),
        (r#""Service_Tier":"priority","service_tier":"priority""#, asks(r#"{"tier":"priority"}"#)),
        (r#""service_tier":"priority","service_tier":"default""#, asks(r#"{"tier":"priority"}"#)),
        (r#""service_tier":"priority","service_tier":"fast""#, asks(r#"{"tier":"?"}"#)),
        (r#""service_tier":{}"#, asks(r#"{"tier":"?"}"#)),
        (
            r#""service_tier":"priority","container":"c""#,
            Shape { service_alone: false, ..asks(r#"{"tier":"priority"}"#) },
        ),
    ] {
        check(members, 0, expected);
    }
}

#[test]
fn fields_tell_of_what_they_lead_to() {
    let tools = Shape { tools: true, ..Shape::default() };
    let hosted = Shape { tools: true, ..unbounded() };
    let mut speaks = Shape::default();
    speaks.kinds.audio_output = true;
    let mut kept = Shape::default();
    kept.kinds.cache_hour = true;
    for (members, expected) in [
        (r#""messages":[]"#, Shape::default()),
        (
            r#""messages":[{"role":"assistant","content":null,"tool_calls":[{"type":"function"}],"audio":null}]"#,
            Shape::default(),
        ),
        (r#""messages":[{"role":"assistant","audio":{"id":"audio_1"}}]"#, unbounded()),
        (r#""messages":"text""#, unbounded()),
        (r#""messages":["text"]"#, unbounded()),
        (r#""messages":[{"content":"x","images":["AAAA"]}]"#, unbounded()),
        (
            r#""messages":[{"content":{"type":"image_url","image_url":{"url":"http://x"}}}]"#,
            Shape { images: 1, ..Shape::default() },
        ),
        (r#""tools":[],"functions":null"#, Shape::default()),
        (r#""tools":[{"type":"function","function":{"name":"f"}},{"custom":{"name":"c"},"type":"custom"}]"#, tools),
        (r#""functions":[{"name":"f"}]"#, tools),
        (r#""tools":[{"type":"web_search"}]"#, hosted),
        (r#""tools":[{"function":{"name":"f"}}]"#, hosted),
        (r#""tools":[{"type":"function","type":"mcp"}]"#, hosted),
        (r#""tools":{}"#, unbounded()),
        (r#""web_search_options":{}"#, searches()),
        (r#""web\u005fsearch_options":{},"web_search_options":null"#, searches()),
        (r#""Web_Search_Options":{}"#, searches()),
        (r#""web_search_options":null,"enable_search":false"#, Shape::default()),
        (r#""modalities":["text"],"audio":null"#, Shape::default()),
        (r#""modalities":["text","audio"]"#, speaks),
        (r#""modalities":["\u0061udio"]"#, speaks),
        (r#""audio":{"voice":"alloy","format":"mp3"}"#, speaks),
        (r#""modalities":["image"]"#, unbounded()),
        (r#""service_tier":"flex""#, Shape::default()),
        (r#""service_tier":null"#, Shape::default()),
        (
            r#""messages":[{"content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"1h"}}]}]"#,
            kept,
        ),
        (r#""cache_control":{"type":"ephemeral","ttl":"\u0031h"}"#, kept),
        (r#""x":[{"y":{"t\u0074l":"1h"}}]"#, kept),
        (
            r#""messages":[{"content":[{"type":"text","text":"x","prompt_cache_breakpoint":{"mode":"explicit","ttl":"12h"}}]}]"#,
            kept,
        ),
        (r#""cache_control":{"type":"ephemeral","ttl":"5m"},"prompt_cache_options":{"ttl":"30m"}"#, Shape::default()),
        (r#""prompt_cache_retention":"24h","x":"ttl","y":["ttl","1h"],"ttl":null"#, Shape::default()),
        (r#""extra_body":{"google":{"cached_content":"cachedContents/1"}}"#, unbounded()),
        (r#""prediction":null"#, Shape::default()),
        (r#""prediction": {"type":"content","content":"abc"} "#, Shape { prediction_bytes: 34, ..Shape::default() }),
        (r#""prompt":["a"],"prompt_embeds":["AAAA"]"#, Shape { unbounded: true, ..Shape::default() }),
        (
            r#""response_format":{"type":"json_schema"},"logprobs":true,"store":true,"metadata":{"type":"image_url"}"#,
            Shape::default(),
        ),
    ] {
        check(members, 0, expected);
    }
}

#[test]
fn what_is_embedded_or_continued_is_text_or_tokens() {
    for (input, expected) in [
        (r#""text""#, false),
        (r#"["a","{"]"#, false),
        ("[1,22,333]", false),
        ("[[1,22],[333]]", false),
        (r#"[{"image":"https://x.test"}]"#, true),
        (r#"[["a",{"image":"https://x.test"}]]"#, true),
        (r#"{"image":"x"}"#, true),
    ] {
        let body = format!("{{\"input\":{input},\"model\":\"m\"}}");
        let shape = Envelope::read(Endpoint::Embeddings, body.as_bytes()).unwrap().shape;
        assert_eq!((shape.bytes, shape.unbounded), (u64::try_from(body.len()).unwrap(), expected), "{body}");
        let prompt = body.replace("\"input\"", "\"prompt\"");
        match Envelope::read(Endpoint::Completions, prompt.as_bytes()) {
            Ok(envelope) => assert_eq!((envelope.shape.bytes, envelope.shape.unbounded), (shape.bytes + 1, expected)),
            Err(refusal) => assert!(expected, "{refusal:?}"),
        }
    }
}

#[test]
fn no_depth_breaks_the_reader() {
    const DEEP: usize = 300_000;
    for (open, close) in [("[", "]"), (r#"{"content":["#, "]}"), (r#"{"a":"#, "}")] {
        let deep = format!("{}7{}", open.repeat(DEEP), close.repeat(DEEP));
        for field in ["messages", "tools", "x", "input", "prompt", "prediction", "modalities"] {
            assert!(shape(&format!("{{\"model\":\"m\",\"{field}\":[{deep}]}}")).bytes > 600_000);
        }
        assert!(shape(&format!(r#"{{"model":"m","messages":[{{"content":[{{"type":{deep}}}]}}]}}"#)).unbounded);
    }
}

#[path = "shape/against_values.rs"]
mod against_values;
