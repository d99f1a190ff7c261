//! What a native call does with what a provider keeps, by its method and path.
//!
//! One account at a provider is all tenants': what it keeps is told apart by ids alone. So a path that names a thing is for whose
//! thing it is, and one that lists things, or governs the account, is for nobody who shares it.

use super::is_version;

/// What such a call does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touch {
    /// It looks at something, changes its name or ends it: what its answer tells of a usage is not its own.
    pub looks: bool,
    /// The provider works on behind the answer.
    pub later: bool,
    /// It lists what is kept for all, or governs the account.
    pub all: bool,
    /// What it names, by each name that it may be known by.
    pub names: Vec<String>,
    /// Its answer tells of something that is kept from now on, in this collection.
    pub makes: Option<String>,
}

/// The collections of kept things, and whose they are.
const COLLECTIONS: [&str; 38] = [
    // OpenAI's, and of those who speak as it does.
    "files",
    "uploads",
    "batches",
    "responses",
    "conversations",
    "completions",
    "vector_stores",
    "containers",
    "assistants",
    "threads",
    "fine_tuning",
    "fine-tunes",
    "evals",
    "videos",
    "skills",
    "voices",
    "voice_consents",
    // Google's.
    "cachedcontents",
    "corpora",
    "tunedmodels",
    "filesearchstores",
    "interactions",
    "operations",
    "batchpredictionjobs",
    "tuningjobs",
    "ragcorpora",
    // Anthropic's, Mistral's, xAI's, Perplexity's, Replicate's, AssemblyAI's.
    "agents",
    "sessions",
    "environments",
    "libraries",
    "batch",
    "deferred-completion",
    "async",
    "predictions",
    "transcripts",
    "transcript",
    "datasets",
    "jobs",
];
/// What stands between a collection and the id of one of its things.
const WITHIN: [&str; 4] = ["checkpoints", "models", "chat", "runs"];
/// What stands in an id's place and is none: it reads, counts or runs what its body brings.
const ACTIONS: [&str; 3] = ["compact", "input_tokens", "search"];
/// What governs an account, or hands out credentials of its own.
const GOVERNS: [&str; 13] = [
    "organization",
    "organizations",
    "workspaces",
    "admin",
    "account",
    "api_keys",
    "api-keys",
    "keys",
    "credentials",
    "auth_tokens",
    "realtime",
    "generation",
    "usage",
];
/// The parts of a path whose calls go on behind their answer.
const LATER: [&str; 16] = [
    "batches",
    "batch",
    "runs",
    "jobs",
    "videos",
    "predictions",
    "transcript",
    "transcripts",
    "fine-tunes",
    "async",
    "async-invoke",
    "queue",
    "batchpredictionjobs",
    "tuningjobs",
    "tunedmodels",
    "deferred",
];
/// The same of methods behind a colon.
const LATER_METHODS: [&str; 5] =
    ["batchgeneratecontent", "asyncbatchembedcontent", "predictlongrunning", "generatevideos", "importragfiles"];
/// What ends something.
const ENDS: [&str; 5] = ["cancel", "stop", "pause", "terminate", "archive"];

impl Touch {
    /// What a call of `method` to `path` does.
    pub fn of(method: &str, path: &str) -> Self {
        let parts: Vec<String> = path.split('/').map(decoded).collect();
        let last = parts.last().map_or("", String::as_str);
        let action = last.strip_prefix(bare(last)).unwrap_or_default().trim_start_matches(':');
        let is_one = |text: &str, list: &[&str]| list.iter().any(|one| text.eq_ignore_ascii_case(one));
        // What is ended or changed is one of the things that are kept; on any other path the same words are just another call.
        let is_kept = parts.iter().rev().skip(1).any(|part| is_one(part, &COLLECTIONS));
        let ends = is_kept && (is_one(last, &ENDS) || is_one(action, &ENDS));
        let runs = matches!(method, "POST" | "PUT") || (method == "PATCH" && !is_kept);
        let looks = !runs || ends;
        let later = !looks && (parts.iter().any(|part| is_one(part, &LATER)) || is_one(action, &LATER_METHODS));
        let first = parts.iter().find(|part| !is_version(part)).map_or("", String::as_str);
        let mut touch = Self { looks, later, all: is_one(first, &GOVERNS), ..Self::default() };
        let mut rest = parts.iter().map(|part| bare(part)).skip_while(|part| !is_one(part, &COLLECTIONS)).peekable();
        let Some(mut collection) = rest.next() else {
            // Nobody deletes what is not kept.
            touch.names.extend((method == "DELETE").then(|| last.to_owned()));
            return touch;
        };
        while let Some(inner) = rest.next_if(|part| is_one(part, &COLLECTIONS) || is_one(part, &WITHIN)) {
            collection = inner;
        }
        match rest.next().filter(|id| !(runs && is_one(id, &ACTIONS))) {
            Some(id) => touch.names.extend([id.to_owned(), format!("{collection}/{id}")]),
            None if looks => touch.all = true,
            None => touch.makes = Some(collection.to_owned()),
        }
        touch
    }
}

/// A part of a path without the method behind its colon, where that is one: ids may hold colons, too.
fn bare(part: &str) -> &str {
    match part.rsplit_once(':') {
        Some((id, method)) if method.bytes().all(|byte| byte.is_ascii_alphabetic()) && !id.is_empty() => id,
        _ => part,
    }
}

/// A part of a path with its escapes read, as a provider reads it.
fn decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let digits = tail.split_at_checked(2).filter(|_| first == b'%');
        let escaped = digits
            .and_then(|(digits, after)| Some((u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?, after)));
        let (byte, after) = escaped.unwrap_or((first, tail));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(method: &str, path: &str) -> Option<String> {
        Touch::of(method, path).names.into_iter().next()
    }

    #[test]
    fn a_path_names_the_first_thing_in_it() {
        for (path, named) in [
            ("files/file-1", Some("file-1")),
            ("v1/files/file%2D1/content", Some("file-1")),
            ("FILES/file-1", Some("file-1")),
            ("responses/resp_1/input_items", Some("resp_1")),
            ("chat/completions/chatcmpl-1/messages", Some("chatcmpl-1")),
            ("messages/batches/msgbatch_1/results", Some("msgbatch_1")),
            ("threads/thread_1/runs/run_1", Some("thread_1")),
            ("fine_tuning/jobs/ftjob_1/events", Some("ftjob_1")),
            ("batch/jobs/1", Some("1")),
            ("vector_stores/vs_1/files/file-1", Some("vs_1")),
            ("v1beta/cachedContents/abc", Some("abc")),
            ("projects/p/locations/l/cachedContents/7", Some("7")),
            ("files/abc:download", Some("abc")),
            ("audio/voices/voice_1", Some("voice_1")),
            ("chat/deferred-completion/d", Some("d")),
            ("models", None),
            ("images/generations", None),
            ("files", None),
        ] {
            assert_eq!(names("GET", path).as_deref(), named, "{path}");
        }
        assert_eq!(names("DELETE", "models/ft:gpt-4o:org::1").as_deref(), Some("ft:gpt-4o:org::1"));
        assert_eq!(names("POST", "responses/compact"), None);
        assert_eq!(names("POST", "responses/resp_1/cancel").as_deref(), Some("resp_1"));
        assert_eq!(Touch::of("GET", "v1beta/cachedContents/abc").names, ["abc", "cachedContents/abc"]);
    }

    #[test]
    fn what_lists_or_governs_is_for_nobody_who_shares_the_account() {
        for (method, path) in [
            ("GET", "files"),
            ("HEAD", "v1/files"),
            ("GET", "batches"),
            ("GET", "chat/completions"),
            ("GET", "audio/voices"),
            ("GET", "v1beta/cachedContents"),
            ("GET", "fine_tuning/jobs"),
            ("GET", "organization/usage/completions"),
            ("POST", "v1/realtime/client_secrets"),
            ("POST", "v1alpha/auth_tokens"),
            ("POST", "keys"),
            ("GET", "generation"),
        ] {
            assert!(Touch::of(method, path).all, "{method} {path}");
        }
        for (method, path) in [
            ("POST", "files"),
            ("GET", "models"),
            ("POST", "chat/completions"),
            ("POST", "responses"),
            ("GET", "files/f"),
        ] {
            assert!(!Touch::of(method, path).all, "{method} {path}");
        }
    }

    #[test]
    fn work_behind_the_answer_is_known_by_its_path_and_to_end_it_is_none() {
        for path in [
            "batches",
            "v1/batches",
            "messages/batches",
            "batch/jobs",
            "fine_tuning/jobs",
            "threads/runs",
            "threads/thread_1/runs",
            "threads/thread_1/runs/run_1/submit_tool_outputs",
            "evals/eval_1/runs",
            "videos",
            "videos/video_1/remix",
            "async/chat/completions",
            "models/gemini:batchGenerateContent",
            "v1beta/models/veo:predictLongRunning",
            "v1beta/tunedModels",
            "projects/p/locations/l/batchPredictionJobs",
            "predictions",
            "v2/transcript",
        ] {
            assert!(Touch::of("POST", path).later, "{path}");
            assert!(!Touch::of("GET", path).later, "{path}");
        }
        for path in [
            "batches/batch_1/cancel",
            "batches/b:cancel",
            "threads/t/runs/r/cancel",
            "responses",
            "files",
            "images/edits",
        ] {
            assert!(!Touch::of("POST", path).later, "{path}");
        }
    }

    #[test]
    fn a_look_is_no_call_of_a_model() {
        for (method, path) in [
            ("GET", "batches/b"),
            ("HEAD", "x"),
            ("DELETE", "responses/r"),
            ("PATCH", "v1beta/cachedContents/c"),
            ("POST", "responses/r/cancel"),
            ("POST", "batches/b:cancel"),
        ] {
            assert!(Touch::of(method, path).looks, "{method} {path}");
        }
        for (method, path) in [
            ("POST", "responses"),
            ("PUT", "x"),
            ("POST", "images/edits"),
            ("POST", "stop/x"),
            ("POST", "images/generations:stop"),
            ("POST", "v1/images/stop"),
            ("POST", "audio/speech:cancel"),
            ("POST", "images/generations/archive"),
            ("PATCH", "images/generations"),
        ] {
            assert!(!Touch::of(method, path).looks, "{method} {path}");
        }
    }

    #[test]
    fn what_makes_something_is_told_by_its_collection() {
        let makes = |method, path| Touch::of(method, path).makes;
        assert_eq!(makes("POST", "v1beta/cachedContents"), Some("cachedContents".to_owned()));
        assert_eq!(makes("POST", "files"), Some("files".to_owned()));
        assert_eq!(makes("POST", "images/generations"), None);
        assert_eq!(makes("POST", "async/chat/completions"), Some("completions".to_owned()));
        assert_eq!(makes("POST", "files/file-1/x"), None);
        assert_eq!(makes("POST", "responses/compact"), Some("responses".to_owned()));
    }
}
