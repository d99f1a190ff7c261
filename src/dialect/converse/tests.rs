use super::{answer, fault, path, request, stream};
use crate::aws::eventstream::{Messages, tests as eventstream};
use crate::chat::{
    Answer, Cache, Citation, Effort, Event, Fault, Feature, Finish, Fold, Format, Media, Message, Part, Reasoning,
    Request, Role, Text, Thought, Tool, ToolCall, ToolChoice, ToolResult, Usage,
};
use crate::dialect::Stamp;
use crate::units::Tokens;
use serde_json::{Value, json};

mod extra;
mod law;

const STAMP: Stamp<'_> = Stamp { id: "r", created: 1, model: "m" };
const CLAUDE: &str = "us.anthropic.claude-opus-4-6-v1";
const CASES: [&str; 8] = ["text", "tools", "parallel", "image", "schema", "reasoning", "refusal", "length"];

fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/chat/converse/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The events of the stream that the fixture `name` tells, in chunks of `chunk` bytes.
fn events(name: &str, chunk: usize) -> Vec<Event> {
    let listed = fixture(name);
    let frames =
        listed.as_array().unwrap().iter().flat_map(|event| {
            eventstream::event(event["type"].as_str().unwrap(), event["payload"].to_string().as_bytes())
        });
    let (mut messages, mut reader, mut events) = (Messages::default(), stream::Reader::default(), Vec::new());
    for mut rest in frames.collect::<Vec<u8>>().chunks(chunk) {
        while let Some(message) = messages.next(&mut rest).unwrap() {
            reader.read(Some(message.name().as_bytes()), message.payload(), &mut events);
        }
    }
    assert!(messages.is_whole());
    reader.finish(&mut events);
    events
}

fn fold(events: Vec<Event>) -> Result<Option<Answer>, Fault> {
    let mut fold = Fold::default();
    events.into_iter().for_each(|event| fold.add(event));
    fold.finish()
}

/// The events that `listed` add up to; each is a name and a payload.
fn read(listed: &[(&str, Value)]) -> Vec<Event> {
    let (mut reader, mut events) = (stream::Reader::default(), Vec::new());
    for (name, payload) in listed {
        reader.read(Some(name.as_bytes()), payload.to_string().as_bytes(), &mut events);
    }
    reader.finish(&mut events);
    events
}

#[test]
fn every_request_is_written_as_it_is_read() {
    for case in CASES {
        let body = fixture(&format!("{case}.request"));
        let (mut read, used) = request::read(&body).unwrap();
        CLAUDE.clone_into(&mut read.model);
        assert_eq!(request::write(&read), body, "{case}");
        assert!(used.iter().all(|(feature, _)| !super::CANNOT.contains(&feature)), "{case}");
    }
}

#[test]
fn an_answer_is_the_same_whole_and_streamed_however_it_is_cut() {
    for case in CASES {
        let whole = answer::read(&fixture(&format!("{case}.answer"))).unwrap();
        let as_told = |mut answer: Answer| {
            // The arguments of a stream keep the spaces that the model put there.
            for part in answer.choices.iter_mut().flat_map(|choice| &mut choice.parts) {
                if let Part::ToolCall(call) = part {
                    call.arguments = serde_json::from_str::<Value>(&call.arguments).unwrap().to_string();
                }
            }
            answer
        };
        for chunk in [1, 7, 100_000] {
            let streamed = fold(events(&format!("{case}.events"), chunk)).unwrap().unwrap();
            assert_eq!(as_told(streamed), whole, "{case}");
        }
        assert_eq!(answer::read(&answer::write(&whole, &STAMP)), Some(whole), "{case}");
    }
}

#[test]
fn answers_are_read_for_what_they_say() {
    let call = |id: &str, city: &str| {
        Part::ToolCall(ToolCall {
            id: id.to_owned(),
            name: "get_weather".to_owned(),
            arguments: format!(r#"{{"city":"{city}"}}"#),
            free: false,
        })
    };
    let thought = Thought { text: "Add again.".to_owned(), signature: Some("sig2".to_owned()), sealed: false };
    for (case, parts, finish) in [
        ("text", vec![Part::text("Hello there.")], Finish::Stop),
        ("tools", vec![Part::text("Let me look."), call("tooluse_1", "Paris")], Finish::ToolCalls),
        ("parallel", vec![call("tooluse_3", "Bergen"), call("tooluse_4", "Lyon")], Finish::ToolCalls),
        ("reasoning", vec![Part::Thought(thought), Part::text("6")], Finish::Stop),
        ("refusal", vec![Part::text("Sorry, the model cannot answer this question.")], Finish::Filter),
        ("length", vec![Part::text("One two")], Finish::Length),
    ] {
        let read = answer::read(&fixture(&format!("{case}.answer"))).unwrap();
        assert_eq!((&read.choices[0].parts, &read.choices[0].finish), (&parts, &Some(finish)), "{case}");
    }
    let usage = answer::read(&fixture("parallel.answer")).unwrap().usage.unwrap();
    let [input, cached_input, cache_write, cache_write_hour, output] = [642, 100, 10, 20, 88].map(Tokens::new);
    assert_eq!(usage, Usage { input, cached_input, cache_write, cache_write_hour, output, ..Usage::default() });
    assert_eq!(answer::read(&json!({"message": "no"})), None);
}

#[test]
fn faults_are_told_by_name() {
    let fault = |kind: Option<&str>, message: &str| Fault {
        message: message.to_owned(),
        kind: kind.map(str::to_owned),
        ..Fault::default()
    };
    let body = fixture("error.answer");
    let message = body["message"].as_str().unwrap();
    for (body, kind, read) in [
        (
            body.clone(),
            Some("ThrottlingException:http://internal.amazon.com/coral/"),
            fault(Some("ThrottlingException"), message),
        ),
        (body.clone(), None, fault(None, message)),
        (
            json!({"__type": "com.amazon#AccessDeniedException", "Message": "no"}),
            None,
            fault(Some("AccessDeniedException"), "no"),
        ),
        (
            json!({"originalMessage": "Overloaded"}),
            Some("modelStreamErrorException"),
            fault(Some("ModelStreamErrorException"), "Overloaded"),
        ),
        (json!("Bad gateway"), Some(""), fault(None, "Bad gateway")),
        (json!([]), Some("#:"), fault(None, "")),
    ] {
        assert_eq!(fault::read(&body, kind), read, "{body} {kind:?}");
    }
    let events = events("error.events", 5);
    let text = Event::Text { choice: 0, text: "Hel".to_owned() };
    assert_eq!(events[1], text);
    let message = "The system encountered an unexpected error during processing. Try your request again.";
    assert_eq!(events[2..], [Event::Fault(fault(Some("ModelStreamErrorException"), message))]);
    let error = json!({"__type": "InternalError", "message": "m"});
    assert_eq!(read(&[("error", error)]), [Event::Fault(fault(Some("InternalError"), "m"))]);
}

#[test]
fn a_stream_is_whole_with_its_usage_or_its_close_and_not_before_its_stop() {
    let stop = (
        "messageStop",
        json!({"stopReason": "stop_sequence", "additionalModelResponseFields": {"stop_sequence": "END"}}),
    );
    let usage = ("metadata", json!({"usage": {"inputTokens": 1, "outputTokens": 2}}));
    let finish = Event::Finish { choice: 0, finish: Finish::StopSequence("END".to_owned()) };
    let used = Event::Usage(Usage { input: Tokens::new(1), output: Tokens::new(2), ..Usage::default() });
    assert_eq!(read(&[stop.clone(), usage.clone()]), [finish.clone(), used.clone(), Event::End]);
    assert_eq!(read(std::slice::from_ref(&stop)), [finish.clone(), Event::End]);
    assert_eq!(read(&[usage.clone(), stop]), [used.clone(), finish, Event::End]);
    assert_eq!(read(&[usage]), [used]);
    assert_eq!(read(&[("news", json!({})), ("contentBlockDelta", json!(7)), ("", json!({}))]), []);
}

#[test]
fn what_a_text_is_from_is_told_with_its_stretch() {
    let cited =
        json!({"title": "Page", "location": {"web": {"url": "https://a.example"}}, "sourceContent": [{"text": "q"}]});
    let document = json!({"title": "Doc", "source": "doc-1", "location": {"documentChar": {"documentIndex": 0}}});
    let whole = answer::read(&json!({"output": {"message": {"content": [
        {"text": "S\u{e9}: "},
        {"citationsContent": {"content": [{"text": "it "}, {"text": "is"}], "citations": [cited, document]}},
        {"text": "."},
    ]}}}))
    .unwrap();
    let citation = |url: &str, title: &str, quote: Option<&str>| Citation {
        url: url.to_owned(),
        title: title.to_owned(),
        quote: quote.map(str::to_owned),
        start: 4,
        end: 9,
    };
    let citations = vec![citation("https://a.example", "Page", Some("q")), citation("doc-1", "Doc", None)];
    let text = Part::Text(Text { text: "S\u{e9}: it is.".to_owned(), citations, cache: None });
    assert_eq!(whole.choices[0].parts, [text]);
    let delta = |index: u64, delta: Value| ("contentBlockDelta", json!({"contentBlockIndex": index, "delta": delta}));
    let stop = |index: u64| ("contentBlockStop", json!({"contentBlockIndex": index}));
    let streamed = read(&[
        delta(0, json!({"text": "S\u{e9}: "})),
        stop(0),
        delta(1, json!({"citation": cited})),
        delta(1, json!({"text": "it is"})),
        delta(1, json!({"citation": document})),
        stop(1),
        delta(2, json!({"text": "."})),
        stop(2),
        ("messageStop", json!({"stopReason": "end_turn"})),
    ]);
    assert_eq!(fold(streamed).unwrap().unwrap().choices[0].parts, whole.choices[0].parts);
}

#[test]
fn what_the_provider_runs_itself_is_not_the_clients_call() {
    let hosted = json!({"toolUseId": "s", "name": "web", "input": {}, "type": "server_tool_use"});
    let whole = answer::read(&json!({"output": {"message": {"content": [{"toolUse": hosted}, {"guardContent": {}}]}}}));
    assert_eq!(whole.unwrap().choices[0].parts, []);
    let streamed = read(&[
        ("contentBlockStart", json!({"contentBlockIndex": 0, "start": {"toolUse": hosted}})),
        ("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": {"toolUse": {"input": "{}"}}})),
        ("contentBlockStop", json!({"contentBlockIndex": 0})),
    ]);
    assert_eq!(streamed, []);
}

#[test]
fn a_sealed_thought_is_the_text_that_its_vendor_has_for_it() {
    for (signature, bytes) in [("EqMB", "RXFNQg=="), ("bytes:/w==", "/w==")] {
        let thought = Thought { text: String::new(), signature: Some(signature.to_owned()), sealed: true };
        let block = json!({"reasoningContent": {"redactedContent": bytes}});
        assert_eq!(super::block::write_thought(&thought), block);
        assert_eq!(super::block::read_thought(&block["reasoningContent"]), Some(thought.clone()));
        let delta = json!({"contentBlockIndex": 0, "delta": block});
        let streamed = read(&[("contentBlockDelta", delta), ("contentBlockStop", json!({"contentBlockIndex": 0}))]);
        assert_eq!(streamed, [Event::Signature { choice: 0, signature: signature.to_owned(), sealed: true }]);
    }
}

#[test]
fn the_model_stands_in_the_path() {
    assert_eq!(path("amazon.nova-lite-v1:0", false), "/model/amazon.nova-lite-v1%3A0/converse");
    assert_eq!(path("arn:aws:x/y \u{e9}", true), "/model/arn%3Aaws%3Ax%2Fy%20%C3%A9/converse-stream");
}

fn said(role: Role, parts: Vec<Part>) -> Message {
    Message::new(role, parts)
}

#[test]
fn two_of_one_role_in_a_row_are_one_message_and_nothing_empty_is_sent() {
    let call = ToolCall { id: "c".to_owned(), name: "f".to_owned(), arguments: "free text".to_owned(), free: true };
    let result = ToolResult {
        call: "c".to_owned(),
        parts: vec![Part::text("r")],
        cache: Some(Cache::Hour),
        ..ToolResult::default()
    };
    let messages = vec![
        said(Role::System, vec![Part::text("a")]),
        said(Role::User, vec![Part::text("b")]),
        said(Role::Assistant, vec![Part::text("")]),
        said(Role::User, vec![Part::text("c")]),
        said(Role::System, vec![Part::text("d")]),
        said(Role::Assistant, vec![Part::Refusal("e".to_owned()), Part::ToolCall(call)]),
        said(Role::Tool, vec![Part::ToolResult(result)]),
        said(
            Role::User,
            vec![Part::Text(Text { text: "f".to_owned(), cache: Some(Cache::Minutes), ..Text::default() })],
        ),
    ];
    let body = request::write(&Request { messages, ..Request::default() });
    let expected = json!({
        "system": [{"text": "a"}, {"text": "d"}],
        "messages": [
            {"role": "user", "content": [{"text": "b"}, {"text": "c"}]},
            {"role": "assistant", "content": [{"text": "e"}, {"toolUse": {"toolUseId": "c", "name": "f", "input": {"input": "free text"}}}]},
            {"role": "user", "content": [
                {"toolResult": {"toolUseId": "c", "content": [{"text": "r"}]}}, {"cachePoint": {"type": "default", "ttl": "1h"}},
                {"text": "f"}, {"cachePoint": {"type": "default"}},
            ]},
        ],
        "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object", "properties": {}}}}}]},
    });
    assert_eq!(body, expected);
}

#[test]
fn arguments_are_an_object_whatever_the_model_wrote() {
    for (arguments, input) in [
        (r#"{"b":1,"a":2}"#, json!({"b": 1, "a": 2})),
        ("", json!({})),
        (" ", json!({})),
        ("[1]", json!({"input": "[1]"})),
        ("{\"cut\":", json!({"input": "{\"cut\":"})),
    ] {
        let call = ToolCall { arguments: arguments.to_owned(), ..ToolCall::default() };
        let written = super::block::write_call(&call);
        assert_eq!(written["toolUse"]["input"].to_string(), input.to_string(), "{arguments}");
    }
}

#[test]
fn documents_have_names_that_bedrock_takes_and_no_two_the_same() {
    let file = |name: Option<&str>, kind: &str| {
        let media = Media::Inline { kind: kind.to_owned(), data: "aGk=".to_owned() };
        Part::File { media, name: name.map(str::to_owned), cache: None }
    };
    let parts = vec![
        file(Some("a  b_c.pdf"), "application/pdf"),
        file(Some("a b-c-pdf"), "text/x-python; charset=utf-8"),
        file(None, "application/json"),
        file(None, "application/zip"),
    ];
    let body = request::write(&Request { messages: vec![said(Role::User, parts)], ..Request::default() });
    let named: Vec<(&str, &str)> = body["messages"][0]["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| (block["document"]["name"].as_str().unwrap(), block["document"]["format"].as_str().unwrap()))
        .collect();
    assert_eq!(named, [("a b-c-pdf", "pdf"), ("a b-c-pdf (2)", "txt"), ("document", "txt"), ("document (2)", "zip")]);
}

#[test]
fn what_nobody_else_can_say_is_noted_by_its_path() {
    let (_, used) = request::read(&json!({
        "messages": [{"role": "user", "content": [
            {"cachePoint": {"type": "default"}}, {"video": {"format": "mp4"}}, {"guardContent": {"text": {"text": "x"}}},
            {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://b/k"}}}},
        ]}],
        "toolConfig": {"tools": [{"systemTool": {"name": "nova_grounding"}}]},
        "guardrailConfig": {"guardrailIdentifier": "g"}, "requestMetadata": {"a": "b"},
        "additionalModelRequestFields": {"seed": 7},
    }))
    .unwrap();
    let noted: Vec<(Feature, &str)> = used.iter().collect();
    let expected = [
        (Feature::Foreign, "guardrailConfig"),
        (Feature::Hint, "messages[0].content[0].cachePoint"),
        (Feature::Foreign, "messages[0].content[1].video"),
        (Feature::Foreign, "messages[0].content[2].guardContent"),
        (Feature::StoredMedia, "messages[0].content[3].image"),
        (Feature::Foreign, "toolConfig.tools[0]"),
        (Feature::Foreign, "additionalModelRequestFields.seed"),
        (Feature::Hint, "requestMetadata"),
    ];
    assert_eq!(noted, expected);
}

#[test]
fn a_field_of_the_wrong_type_is_named() {
    for (body, param) in [
        (json!([]), None),
        (json!({"messages": {}}), Some("messages")),
        (json!({"messages": [{"role": "tool", "content": []}]}), Some("messages[0].role")),
        (json!({"messages": [{"role": "user", "content": [{"text": 7}]}]}), Some("messages[0].content[0].text")),
        (json!({"messages": [{"role": "user", "content": [7]}]}), Some("messages[0].content[0]")),
        (json!({"inferenceConfig": {"maxTokens": "7"}}), Some("inferenceConfig.maxTokens")),
        (json!({"toolConfig": {"tools": [], "toolChoice": {"none": {}}}}), Some("toolConfig.toolChoice")),
        (json!({"outputConfig": {"textFormat": {}}}), Some("outputConfig.textFormat")),
        (json!({"additionalModelRequestFields": {"top_k": "7"}}), Some("additionalModelRequestFields.top_k")),
    ] {
        assert_eq!(request::read(&body).unwrap_err().param.as_deref(), param, "{body}");
    }
}
