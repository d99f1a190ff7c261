//! What a request is made of, by example.

use super::*;

fn unbounded() -> Shape {
    Shape { unbounded: true, ..Shape::default() }
}

/// One that asks for a service alone: where that has a price, the request has a bound.
fn asks(service: &str) -> Shape {
    Shape { service: serde_json::from_str(service).unwrap(), service_alone: true, ..unbounded() }
}

fn images(images: u64) -> Shape {
    Shape { images, ..Shape::default() }
}

fn files(files: u64) -> Shape {
    Shape { files, ..Shape::default() }
}

/// Checks what `members` beside a model are made of: what is said after the bytes of media.
#[track_caller]
fn check(members: &str, media: u64, expected: Shape) {
    let body = format!("{{\"model\":\"m\",\"max_tokens\":9,{members}}}");
    let bytes = count(body.len()) - media;
    assert_eq!(read(body.as_bytes()).0, Shape { bytes, ..expected }, "{body}");
}

#[track_caller]
fn check_block(block: &str, media: u64, expected: Shape) {
    check(
        &format!(r#""messages":[{{"role":"user","content":[{{"type":"text","text":"x"}},{block}]}}]"#),
        media,
        expected,
    );
    // In the result of a tool too.
    let result = format!(r#"{{"type":"tool_result","tool_use_id":"i","content":[{block}]}}"#);
    check(&format!(r#""messages":[{{"role":"user","content":[{result}]}}]"#), media, expected);
}

#[test]
fn blocks_are_what_they_say_they_are() {
    let none = Shape::default();
    for (block, media, expected) in [
        (r#"{"type":"text","text":"a","citations":null}"#, 0, none),
        (r#"{"type":"thinking","thinking":"a","signature":"b"}"#, 0, none),
        (r#"{"type":"redacted_thinking","data":"b"}"#, 0, none),
        (r#"{"type":"tool_use","id":"i","name":"f","input":{"type":"image","source":{"type":"url"}}}"#, 0, none),
        (r#"{"type":"tool_result","tool_use_id":"i"}"#, 0, none),
        (
            r#"{"type":"search_result","source":"https://x","title":"t","content":[{"type":"text","text":"a"}]}"#,
            0,
            none,
        ),
        (r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}"#, 4, images(1)),
        (r#"{"source":{"data":"A\/A=","type":"base64","media_type":"x"},"typ\u0065":"im\u0061ge"}"#, 5, images(1)),
        (r#"{"type":"image","source":{"type":"url","url":"https://x.test/a.png"}}"#, 0, images(1)),
        (
            r#"{"type":"document","title":"t","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0x"}}"#,
            8,
            files(1),
        ),
        (r#"{"type":"document","source":{"type":"text","media_type":"text/plain","data":"JVBER: a"}}"#, 0, none),
        (
            r#"{"type":"document","source":{"type":"content","content":[{"type":"image","source":{"type":"base64","data":"AA=="}}]}}"#,
            4,
            images(1),
        ),
    ] {
        check_block(block, media, expected);
    }
}

#[test]
fn what_is_not_understood_keeps_its_bytes_and_has_no_bound() {
    let image = Shape { unbounded: true, ..images(1) };
    let file = Shape { unbounded: true, ..files(1) };
    for (block, expected) in [
        (r#"{"type":"video","source":{"type":"base64","data":"AAAA"}}"#, unbounded()),
        (r#"{"type":"server_tool_use","id":"i","name":"web_search","input":{}}"#, unbounded()),
        (r#"{"type":"container_upload","file_id":"f"}"#, unbounded()),
        (r#"{"text":"no type"}"#, unbounded()),
        (r#"{"type":"text","type":"text","text":"two"}"#, unbounded()),
        (r#"{"type":"text","text":"a","source":{"type":"base64","data":"AAAA"}}"#, unbounded()),
        ("7", unbounded()),
        (r#"{"type":"image"}"#, image),
        (r#"{"type":"image","source":{"type":"file","file_id":"f"}}"#, image),
        (r#"{"type":"image","source":{"type":"base64","data":"AAAA","data":"BBBB"}}"#, image),
        (r#"{"type":"image","source":{"type":"base64","data":"https://x"}}"#, image),
        (
            r#"{"type":"image","source":{"type":"base64","data":"AAAA"},"source":{"type":"base64","data":"AAAA"}}"#,
            image,
        ),
        (r#"{"type":"image","source":{"type":"base64","data":"AAAA","url":"https://x"}}"#, image),
        (r#"{"type":"image","source":{"type":"s3","uri":"s3://x"}}"#, image),
        (r#"{"type":"document","source":{"type":"url","url":"https://x"}}"#, file),
        (r#"{"type":"document","source":{"type":"file","file_id":"f"}}"#, file),
    ] {
        check_block(block, 0, expected);
    }
    check_block(r#"{"type":"document","source":{"type":"base64","data":"AAAA"}}"#, 0, files(1));
}

#[test]
fn what_costs_beside_what_is_said_is_seen_wherever_it_stands() {
    let tools = Shape { tools: true, ..Shape::default() };
    let mut hour = Shape::default();
    hour.kinds.cache_hour = true;
    for (members, expected) in [
        (r#""system":"s","messages":[],"metadata":{"user_id":"u"},"thinking":{"type":"adaptive"}"#, Shape::default()),
        (r#""tools":[{"name":"f","input_schema":{}},{"type":"custom","name":"g"},{"type":null}]"#, tools),
        (r#""tools":[{"type":"web_search_20250305","name":"web_search"}]"#, Shape { tools: true, ..unbounded() }),
        (r#""tools":[{"type":"bash_20250124","name":"bash"}]"#, Shape { tools: true, ..unbounded() }),
        (r#""tools":[{"type":"custom","type":"web_search_20250305"}]"#, Shape { tools: true, ..unbounded() }),
        (r#""output_config":{"effort":"low"}"#, tools),
        (r#""cache_control":{"type":"ephemeral","ttl":"5m"}"#, Shape::default()),
        (r#""cache_control":{"type":"ephemeral","ttl":"1h"}"#, hour),
        (r#""system":[{"type":"text","text":"a","cache_control":{"\u0074tl":"1h"}}]"#, hour),
        (r#""tools":[{"name":"f","cache_control":{"ttl":"1h"}}]"#, Shape { tools: true, ..hour }),
        (r#""service_tier":"auto","speed":"standard","inference_geo":"global""#, Shape::default()),
        (r#""speed":"fast""#, asks(r#"{"speed":"fast"}"#)),
        (r#""inference_geo":"us""#, asks(r#"{"region":"us"}"#)),
        (r#""service_tier":"priority""#, asks(r#"{"tier":"priority"}"#)),
        (
            r#""tools":[{"type":"web_search_20250305","name":"web_search","max_uses":5}]"#,
            Shape { tools: true, uses_max: 5, ..unbounded() },
        ),
        (r#""container":null,"mcp_servers":null"#, Shape::default()),
        (r#""container":"c""#, unbounded()),
        (r#""mcp_servers":[]"#, unbounded()),
        (r#""fallbacks":[{"model":"dear"}]"#, unbounded()),
        (r#""unheard_of":1"#, unbounded()),
        (r#""messages":[{"role":"user","content":"a","unheard_of":1}]"#, unbounded()),
        (r#""messages":{"0":{}}"#, unbounded()),
        (r#""context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]}"#, Shape::default()),
        (r#""context_management":{"edits":[{"type":"compact_20260112"}]}"#, unbounded()),
        (r#""context_management":{"edits":[{"keep":"all"}]}"#, unbounded()),
    ] {
        check(members, 0, expected);
    }
}

#[test]
fn the_scenario_is_bounded() {
    for case in crate::dialect::anthropic::samples::CASES {
        let body = crate::dialect::anthropic::samples::fixture(case, "request.json");
        let (shape, _) = read(body.as_bytes());
        let expected = if case == "image" { 2 } else { 0 };
        assert_eq!((shape.images, shape.files, shape.unbounded), (expected, 0, false), "{case}");
    }
}
