//! What bounds a request's price.

use super::read;
use crate::bound::Shape;
use crate::dialect::responses::samples::{CASES, fixture};
use proptest::prelude::*;

fn shape(members: &str) -> Shape {
    read(format!("{{\"model\":\"m\",{members}}}").as_bytes()).0
}

fn part(part: &str) -> Shape {
    shape(&format!(r#""input":[{{"role":"user","content":[{part}]}}]"#))
}

#[test]
fn the_scenarios_are_bounded() {
    for case in CASES {
        let body = fixture(case, "request.json");
        let (shape, reach) = read(body.as_bytes());
        assert!(reach.is_empty(), "{case}: {reach:?}");
        assert!(!shape.unbounded, "{case}");
        assert_eq!(
            (shape.images, shape.tools),
            (if case == "image" { 2 } else { 0 }, body.contains("\"tools\"")),
            "{case}"
        );
    }
}

#[test]
fn media_is_not_text_where_all_read_it_as_media() {
    let data = "A".repeat(1_000);
    for (text, images, files, bounded) in [
        (format!(r#"{{"type":"input_image","detail":"auto","image_url":"data:image/png;base64,{data}"}}"#), 1, 0, true),
        (format!(r#"{{"image_url":"data:image/png;base64,{data}","type":"input_image"}}"#), 1, 0, true),
        (
            format!(
                r#"{{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,JVBER{data}"}}"#
            ),
            0,
            1,
            true,
        ),
        (format!(r#"{{"type":"input_file","file_data":"JVBER{data}"}}"#), 0, 1, true),
        (
            format!(r#"{{"type":"input_image","detail":"original","image_url":"data:image/png;base64,{data}"}}"#),
            1,
            0,
            false,
        ),
        (format!(r#"{{"type":"input_text","text":"a","image_url":"data:image/png;base64,{data}"}}"#), 0, 0, false),
        (
            format!(r#"{{"type":"input_image","type":"input_text","image_url":"data:image/png;base64,{data}"}}"#),
            0,
            0,
            false,
        ),
        (
            format!(r#"{{"type":"input_image","Image_URL":"https://x","image_url":"data:image/png;base64,{data}"}}"#),
            1,
            0,
            false,
        ),
        (format!(r#"{{"type":"input_image","image_url":{{"url":"data:image/png;base64,{data}"}}}}"#), 1, 0, false),
        (format!(r#"{{"type":"input_audio","input_audio":{{"data":"{data}"}}}}"#), 0, 0, false),
    ] {
        let read = part(&text);
        assert_eq!((read.images, read.files, read.unbounded), (images, files, !bounded), "{text}");
        assert_eq!(read.bytes < 1_000, bounded, "{text}");
    }
    let plain = part(&format!(r#"{{"type":"input_file","file_data":"data:text/plain;base64,{data}"}}"#));
    assert_eq!((plain.files, plain.unbounded, plain.bytes > 1_000), (1, false, true), "a text is billed as one");
    let result = format!(
        r#""input":[{{"type":"function_call_output","call_id":"1","output":[
        {{"type":"input_image","image_url":"data:image/png;base64,{data}"}}]}}]"#
    );
    assert_eq!((shape(&result).images, shape(&result).bytes < 1_000), (1, true));
    let unknown = result.replace("function_call_output", "computer_call_output");
    assert_eq!((shape(&unknown).unbounded, shape(&unknown).bytes > 1_000), (true, true));
}

#[test]
fn what_is_kept_elsewhere_or_not_known_has_no_bound() {
    for (members, bounded) in [
        (r#""input":"Hi","instructions":"Be brief.","text":{"format":{"type":"text"}},"store":true"#, true),
        (
            r#""input":[{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a"}],"encrypted_content":"s"}]"#,
            true,
        ),
        (
            r#""input":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a","annotations":[]}]}]"#,
            true,
        ),
        (r#""input":[{"type":"custom_tool_call_output","call_id":"1","output":"a"}]"#, true),
        (r#""input":[{"type":null,"role":"user","content":"a"}]"#, true),
        (
            r#""reasoning":{"effort":"high","mode":"standard"},"service_tier":"flex","background":false,"prompt":null"#,
            true,
        ),
        (r#""input":[{"type":"item_reference","id":"msg_1"}]"#, false),
        (r#""input":[{"id":"msg_1"}]"#, false),
        (r#""input":[{"type":"message","id":"msg_1","role":"assistant"}]"#, false),
        (r#""input":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":null}]"#, false),
        (r#""input":[{"type":"message","type":"item_reference","role":"user","content":"a"}]"#, false),
        (r#""input":[{"type":"web_search_call","id":"ws_1"}]"#, false),
        (r#""input":[{"type":"compaction","encrypted_content":"s"}]"#, false),
        (r#""input":{"role":"user"}"#, false),
        (r#""input":["a"]"#, false),
        (r#""input":[{"role":"user","content":[{"type":"input_file","file_id":"f"}]}]"#, false),
        (r#""input":[{"role":"user","content":[{"type":"input_file","file_url":"https://x/a.pdf"}]}]"#, false),
        (r#""input":[{"role":"user","content":[{"type":"input_image","file_id":"f"}]}]"#, false),
        (r#""input":[{"role":"user","content":{"type":"input_text","text":"a"}}]"#, false),
        (r#""tools":[{"type":"function","name":"f"},{"type":"custom","name":"c"}]"#, true),
        (r#""tools":[{"type":"web_search"}]"#, false),
        (r#""tools":[{"type":"function","type":"mcp"}]"#, false),
        (r#""tools":[{"name":"f"}]"#, false),
        (r#""previous_response_id":"resp_1""#, false),
        (r#""Previous_Response_ID":"resp_1""#, false),
        (r#""conversation":"conv_1""#, false),
        (r#""prompt":{"id":"pmpt_1"}"#, false),
        (r#""background":true"#, false),
        (r#""context_management":[{"type":"compaction"}]"#, false),
        (r#""service_tier":"priority""#, false),
        (r#""reasoning":{"mode":"pro"}"#, false),
        (r#""n":5"#, false),
        (r#""messages":[]"#, false),
        (r#""instructions":[{"role":"user"}]"#, false),
    ] {
        assert_eq!(shape(members).unbounded, !bounded, "{members}");
    }
}

#[test]
fn what_is_kept_longer_than_minutes_is_told() {
    for (ttl, hour) in [("30m", false), ("12h", true)] {
        let options = shape(&format!(r#""prompt_cache_options":{{"ttl":"{ttl}"}}"#));
        let text = part(&format!(r#"{{"type":"input_text","text":"a","prompt_cache_breakpoint":{{"ttl":"{ttl}"}}}}"#));
        assert_eq!([options.kinds.cache_hour, text.kinds.cache_hour], [hour; 2], "{ttl}");
    }
}

proptest! {
    #[test]
    fn no_bytes_break_the_walk(text in "[\\[\\]{}\",:\\\\ainputcontextype_url]{0,60}") {
        let _ = read(text.as_bytes());
        let shape = shape(&format!("\"input\":[{text}]"));
        prop_assert!(shape.bytes <= u64::try_from(text.len()).unwrap() + 40);
    }
}
