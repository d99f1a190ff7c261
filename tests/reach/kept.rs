//! What a request names that a provider keeps: found in every dialect, and passed on for whose it is.

use super::{decided, named, reach};
use serde_json::json;
use tollgate::dialect::Endpoint;
use tollgate::reach::NAMED_MAX;

/// Requests that name something kept: the endpoint, the members, the field, the id.
const KEPT: &[(Endpoint, &str, &str, &str)] = &[
    (Endpoint::Responses, r#""previous_response_id":"X""#, "previous_response_id", "X"),
    (Endpoint::Responses, r#""Previous_Response_Id":"\u0058""#, "previous_response_id", "X"),
    (Endpoint::Responses, r#""extra_body":{"previous_response_id":"X"}"#, "previous_response_id", "X"),
    (Endpoint::Responses, r#""conversation":"X""#, "conversation", "X"),
    (Endpoint::Responses, r#""conversation":{"id":"X"}"#, "conversation", "X"),
    (Endpoint::Responses, r#""prompt":{"id":"X","version":"1"}"#, "prompt", "X"),
    (Endpoint::Responses, r#""input":[{"type":"item_reference","id":"X"}]"#, "id", "X"),
    (Endpoint::Responses, r#""input":[{"type":null,"id":"X"}]"#, "id", "X"),
    (
        Endpoint::Responses,
        r#""input":[{"type":"message","type":"item_reference","role":"user","content":"x","id":"X"}]"#,
        "id",
        "X",
    ),
    (Endpoint::Responses, r#""input":[{"type":"reasoning","id":"X","summary":[]}]"#, "id", "X"),
    (Endpoint::Responses, r#""input":[{"type":"image_generation_call","id":"X","status":"completed"}]"#, "id", "X"),
    (
        Endpoint::Responses,
        r#""input":[{"type":"code_interpreter_call","id":"ci","code":"x","container_id":"X"}]"#,
        "container_id",
        "X",
    ),
    (
        Endpoint::Responses,
        r#""input":[{"role":"user","content":[{"type":"input_file","file_id":"X"}]}]"#,
        "file_id",
        "X",
    ),
    (
        Endpoint::Responses,
        r#""input":[{"role":"user","content":[{"type":"input_image","file_id":"X"}]}]"#,
        "file_id",
        "X",
    ),
    (
        Endpoint::Responses,
        r#""input":[{"type":"function_call_output","call_id":"c","output":[{"type":"input_file","file_id":"X"}]}]"#,
        "file_id",
        "X",
    ),
    (Endpoint::Responses, r#""tools":[{"type":"file_search","vector_store_ids":["X"]}]"#, "vector_store_ids", "X"),
    (Endpoint::Responses, r#""tools":[{"type":"code_interpreter","container":"X"}]"#, "container", "X"),
    (
        Endpoint::Responses,
        r#""tools":[{"type":"code_interpreter","container":{"type":"auto","file_ids":["X"]}}]"#,
        "file_ids",
        "X",
    ),
    (
        Endpoint::Responses,
        r#""tools":[{"type":"shell","environment":{"skills":[{"type":"skill_reference","skill_id":"skill_X"}]}}]"#,
        "skill_id",
        "skill_X",
    ),
    (
        Endpoint::Chat,
        r#""messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"X"}}]}]"#,
        "file_id",
        "X",
    ),
    (
        Endpoint::Chat,
        r#""messages":[{"role":"user","content":[{"type":"file","file":{"file_data":"JVBERi0x","FILE_ID":"X"}}]}]"#,
        "file_id",
        "X",
    ),
    (Endpoint::Chat, r#""messages":[{"role":"user","content":[{"type":"input_file","file_id":"X"}]}]"#, "file_id", "X"),
    (
        Endpoint::Chat,
        r#""messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"file:///X"}}]}]"#,
        "url",
        "file:///X",
    ),
    (Endpoint::Chat, r#""messages":[{"role":"assistant","audio":{"id":"X"}}]"#, "audio", "X"),
    (Endpoint::Chat, r#""messages":[{"role":"user","content":"x","attachments":[{"file_id":"X"}]}]"#, "file_id", "X"),
    (Endpoint::Chat, r#""audio":{"format":"mp3","voice":{"id":"X"}}"#, "voice", "X"),
    (
        Endpoint::Chat,
        r#""extra_body":{"google":{"cached_content":"cachedContents/X"}}"#,
        "cached_content",
        "cachedContents/X",
    ),
    (Endpoint::Chat, r#""assistant_id":"X""#, "assistant_id", "X"),
    (Endpoint::Messages, r#""container":"X""#, "container", "X"),
    (
        Endpoint::Messages,
        r#""container":{"id":"X","skills":[{"type":"anthropic","skill_id":"pptx"}]}"#,
        "container",
        "X",
    ),
    (Endpoint::Messages, r#""container":{"skills":[{"type":"custom","skill_id":"skill_X"}]}"#, "skill_id", "skill_X"),
    (
        Endpoint::Messages,
        r#""messages":[{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"X"}}]}]"#,
        "file_id",
        "X",
    ),
    (
        Endpoint::Messages,
        r#""messages":[{"role":"user","content":[{"type":"container_upload","file_id":"X"}]}]"#,
        "file_id",
        "X",
    ),
    (
        Endpoint::Messages,
        r#""messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[
        {"type":"image","source":{"type":"file","file_id":"X"}}]}]}]"#,
        "file_id",
        "X",
    ),
    (
        Endpoint::Generate,
        r#""cachedContent":"projects/p/locations/l/cachedContents/X""#,
        "cachedcontent",
        "cachedContents/X",
    ),
    (
        Endpoint::Generate,
        r#""contents":[{"parts":[{"fileData":{"mimeType":"image/png","fileUri":
        "https://generativelanguage.googleapis.com/v1beta/files/X"}}]}]"#,
        "fileuri",
        "files/X",
    ),
    (
        Endpoint::Generate,
        r#""systemInstruction":{"parts":[{"file_data":{"file_uri":"files\/X"}}]}"#,
        "file_uri",
        "files/X",
    ),
    (
        Endpoint::Generate,
        r#""tools":[{"fileSearch":{"fileSearchStoreNames":["fileSearchStores/X"]}}]"#,
        "filesearchstorenames",
        "fileSearchStores/X",
    ),
    (
        Endpoint::Generate,
        r#""tools":[{"retrieval":{"vertexRagStore":{"ragResources":[{"ragCorpus":"projects/p/locations/l/ragCorpora/X"}]}}}]"#,
        "ragcorpus",
        "ragCorpora/X",
    ),
];

#[test]
fn what_is_kept_at_a_shared_account_is_only_for_whose_it_is() {
    for (endpoint, members, field, id) in KEPT.iter().copied() {
        let members = match endpoint {
            Endpoint::Generate => members.replace(r#""contents":["#, r#""safetySettings":[],"systemInstruction":["#),
            _ => members.to_owned(),
        };
        let expected = format!("Kept {field} {id}");
        let reach = reach(endpoint, &members);
        assert_eq!(named(&reach), [expected], "{members}");
        let refusal = decided(&json!({}), "m", endpoint, &members, &[]).unwrap_err();
        assert_eq!((refusal.status, refusal.param.as_deref()), (404, Some(field)), "{members}");
        assert!(refusal.message.contains(&format!("{id:?}")) && refusal.message.contains("\"shared\": false"));
        let elsewhere = decided(&json!({}), "m", endpoint, &members, &[(id, "q"), ("Y", "p")]);
        assert!(elsewhere.is_err(), "it is kept elsewhere: {members}");
        assert_eq!(decided(&json!({}), "m", endpoint, &members, &[(id, "p")]).unwrap(), ["p"], "{members}");
        assert_eq!(decided(&json!({}), "own", endpoint, &members, &[]).unwrap(), ["q"], "{members}");
    }
    let response = r#""previous_response_id":"X""#;
    let refusal = decided(&json!({}), "m", Endpoint::Responses, response, &[]).unwrap_err();
    assert_eq!(refusal.code, Some("previous_response_not_found"));
}

#[test]
fn all_that_is_named_must_be_the_tenants_own() {
    let two =
        r#""previous_response_id":"X","input":[{"type":"item_reference","id":"Y"},{"type":"item_reference","id":"Y"}]"#;
    assert_eq!(named(&reach(Endpoint::Responses, two)), ["Kept previous_response_id X", "Kept id Y"]);
    assert!(decided(&json!({}), "m", Endpoint::Responses, two, &[("X", "p")]).is_err());
    assert!(decided(&json!({}), "m", Endpoint::Responses, two, &[("X", "p"), ("Y", "p")]).is_ok());
    let many = |count: usize| {
        let one = |at| format!(r#"{{"type":"item_reference","id":"i{at}"}}"#);
        format!(r#""input":[{}]"#, (0..count).map(one).collect::<Vec<_>>().join(","))
    };
    assert!(!reach(Endpoint::Responses, &many(NAMED_MAX)).crowded);
    let refusal = decided(&json!({}), "own", Endpoint::Responses, &many(NAMED_MAX + 1), &[]).unwrap_err();
    assert_eq!(refusal.status, 400);
    let long = format!(r#""previous_response_id":"{}""#, "x".repeat(600));
    assert!(reach(Endpoint::Responses, &long).crowded);
}

#[test]
fn a_target_that_keeps_nothing_is_sent_what_its_dialect_can_say_and_a_file_only_to_whose_it_is() {
    // What it cannot say at all is refused by its path, or left out, where the request is translated.
    let response = r#""previous_response_id":"X""#;
    assert_eq!(decided(&json!({}), "chat", Endpoint::Responses, response, &[]).unwrap(), ["chat"]);
    assert_eq!(decided(&json!({}), "chat", Endpoint::Responses, r#""background":true"#, &[]).unwrap(), ["chat"]);
    assert_eq!(decided(&json!({}), "both", Endpoint::Responses, response, &[]).unwrap(), ["chat"]);
    assert_eq!(decided(&json!({}), "both", Endpoint::Responses, response, &[("X", "p")]).unwrap(), ["p", "chat"]);
    let file = r#""input":[{"role":"user","content":[{"type":"input_file","file_id":"X"}]}]"#;
    assert!(decided(&json!({}), "chat", Endpoint::Responses, file, &[]).is_err());
    assert!(decided(&json!({}), "chat", Endpoint::Responses, file, &[("X", "chat")]).is_ok());
    assert_eq!(decided(&json!({}), "both", Endpoint::Responses, file, &[("X", "p")]).unwrap(), ["p"]);
}
