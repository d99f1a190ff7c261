//! What requests are made of, by example.

use super::*;

/// Checks what a body of `members` is made of: what is said after the bytes of media.
#[track_caller]
fn check(members: &str, media: u64, expected: Shape) {
    let body = format!("{{{members}}}");
    let bytes = u64::try_from(body.len()).unwrap() - media;
    assert_eq!(read(body.as_bytes()).0, Shape { bytes, ..expected }, "{body}");
}

fn unbounded() -> Shape {
    Shape { unbounded: true, ..Shape::default() }
}

/// One that asks for a service alone: where that has a price, the request has a bound.
fn asks(service: &str) -> Shape {
    Shape { service: serde_json::from_str(service).unwrap(), service_alone: true, ..unbounded() }
}

fn sound(bytes: u64) -> Shape {
    let mut shape = Shape { audio_bytes: bytes, ..Shape::default() };
    shape.kinds.audio_input = true;
    shape
}

#[test]
fn parts_are_what_they_say_they_are() {
    let (none, image, file) =
        (Shape::default(), Shape { images: 1, ..Shape::default() }, Shape { files: 1, ..Shape::default() });
    for (part, media, expected) in [
        (r#"{"text":"a"}"#, 0, none),
        (r#"{"text":"a","thought":true,"thought_signature":"s"}"#, 0, none),
        (r#"{"functionCall":{"name":"f","args":{"inlineData":{"data":"AAAA"}}}}"#, 0, none),
        (r#"{"inlineData":{"mimeType":"image/png","data":"AAAA"}}"#, 4, image),
        (r#"{"inline_data":{"mime_type":"image\/png","data":"AAAA"}}"#, 4, image),
        (r#"{"INLINEDATA":{"MimeType":"image/png","d\u0061ta":"AAAA"}}"#, 4, image),
        (r#"{"inlineData":{"mimeType":"audio/wav","data":"UklGRg=="}}"#, 8, sound(8)),
        (r#"{"inlineData":{"mimeType":"audio/ogg","data":"AAAA"}}"#, 4, Shape { unbounded: true, ..sound(4) }),
        (r#"{"inlineData":{"mimeType":"application/pdf","data":"JVBERi0x"}}"#, 8, file),
        (r#"{"inlineData":{"mimeType":"application/pdf","data":"AAAA"}}"#, 0, unbounded()),
        (r#"{"inlineData":{"mimeType":"text/plain","data":"AAAA"}}"#, 0, file),
        (r#"{"inlineData":{"mimeType":"video/mp4","data":"AAAA"}}"#, 0, unbounded()),
        (r#"{"inlineData":{"data":"AAAA"}}"#, 0, unbounded()),
        (r#"{"inlineData":{"mimeType":"image/png","mime_type":"video/mp4","data":"AAAA"}}"#, 0, unbounded()),
        (r#"{"inlineData":{"mimeType":"image/png","data":"AAAA","Data":"AAAA"}}"#, 0, unbounded()),
        (r#"{"fileData":{"mimeType":"image/png","fileUri":"https://x.test/a"}}"#, 0, image),
        (r#"{"fileData":{"mimeType":"image/png","fileUri":"https://youtu.be/x"}}"#, 0, unbounded()),
        (r#"{"fileData":{"mimeType":"image/png","fileUri":"https://\u0079outu.be/x"}}"#, 0, unbounded()),
        (r#"{"fileData":{"mimeType":"image/png","fileUri":"gs://x"}}"#, 0, unbounded()),
        (r#"{"fileData":{"mimeType":"video/mp4","fileUri":"https://x.test/a"}}"#, 0, unbounded()),
        (r#"{"videoMetadata":{}}"#, 0, unbounded()),
        (r#"{"new":1}"#, 0, unbounded()),
        (r#"{"new":null}"#, 0, none),
        (r#"7"#, 0, unbounded()),
    ] {
        check(&format!(r#""contents":[{{"role":"user","parts":[{{"text":"x"}},{part}]}}]"#), media, expected);
        check(&format!(r#""contents":{{"parts":{part}}}"#), media, expected);
    }
    let two =
        r#"{"inlineData":{"mimeType":"image/png","data":"AAAA"},"inline_data":{"mimeType":"image/png","data":"AAAA"}}"#;
    check(&format!(r#""contents":[{{"parts":[{two}]}}]"#), 0, Shape { images: 2, unbounded: true, ..Shape::default() });
    let result =
        r#"{"functionResponse":{"response":{},"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}}"#;
    check(&format!(r#""contents":[{{"parts":[{result}]}}]"#), 4, image);
}

#[test]
fn bodies_are_bounded_where_they_are_known() {
    let tools = Shape { tools: true, ..Shape::default() };
    let mut spoken = Shape::default();
    spoken.kinds.audio_output = true;
    let image = Shape { images: 1, ..Shape::default() };
    let part = r#"{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}"#;
    for (members, media, expected) in [
        (r#""systemInstruction":"a","labels":{},"safetySettings":[],"toolConfig":{}"#.to_owned(), 0, Shape::default()),
        (r#""tools":[{"functionDeclarations":[{"name":"f"}]}]"#.to_owned(), 0, tools),
        (r#""tools":{"function_declarations":[]}"#.to_owned(), 0, tools),
        (r#""tools":[{"googleSearch":{}}]"#.to_owned(), 0, Shape { unbounded: true, ..tools }),
        (r#""tools":[{"googleSearch":null}]"#.to_owned(), 0, tools),
        (r#""cachedContent":"x""#.to_owned(), 0, unbounded()),
        (r#""cached_content":"x""#.to_owned(), 0, unbounded()),
        (r#""serviceTier":"priority""#.to_owned(), 0, asks(r#"{"tier":"priority"}"#)),
        (r#""serviceTier":"flex""#.to_owned(), 0, Shape::default()),
        (r#""generationConfig":{"topK":1,"thinkingConfig":{}}"#.to_owned(), 0, Shape::default()),
        (r#""generationConfig":{"responseModalities":["TEXT"]}"#.to_owned(), 0, Shape::default()),
        (r#""generation_config":{"response_modalities":["AUDIO"]}"#.to_owned(), 0, spoken),
        (r#""generationConfig":{"speechConfig":{}}"#.to_owned(), 0, spoken),
        (r#""generationConfig":{"responseModalities":["IMAGE"]}"#.to_owned(), 0, unbounded()),
        (r#""generationConfig":{"mediaResolution":"MEDIA_RESOLUTION_HIGH"}"#.to_owned(), 0, Shape::default()),
        (r#""generationConfig":{"mediaResolution":"MEDIA_RESOLUTION_ULTRA"}"#.to_owned(), 0, unbounded()),
        (r#""generationConfig":{"routingConfig":{}}"#.to_owned(), 0, unbounded()),
        (format!(r#""requests":[{{"model":"m","content":{part}}}]"#), 4, image),
        (format!(r#""generateContentRequest":{{"contents":[{part}]}}"#), 4, image),
        (format!(r#""systemInstruction":{part}"#), 4, image),
        (r#""contents":7"#.to_owned(), 0, unbounded()),
    ] {
        check(&members, media, expected);
    }
}
