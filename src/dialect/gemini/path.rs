//! The paths, which say more than which endpoint is called: its model, and whether the answer is a stream.

use crate::dialect::Endpoint;

/// The methods, after the colon: what is called, and whether the answer is a stream.
const METHODS: [(&str, Endpoint, bool); 5] = [
    ("generateContent", Endpoint::Generate, false),
    ("streamGenerateContent", Endpoint::Generate, true),
    ("countTokens", Endpoint::GenerateCount, false),
    ("embedContent", Endpoint::Embed, false),
    ("batchEmbedContents", Endpoint::EmbedBatch, false),
];

/// Reads `path`, a path after `/v1beta`: the endpoint, the model as it is written there, and whether the answer is a stream.
///
/// A model may have slashes and colons: its name is all between `/models/` and the last colon. Escapes in it are for the
/// caller to read.
pub fn read(path: &str) -> Option<(Endpoint, String, bool)> {
    let (model, method) = path.strip_prefix("/models/")?.rsplit_once(':')?;
    let (_, endpoint, stream) = METHODS.into_iter().find(|(name, ..)| *name == method)?;
    (!model.is_empty()).then(|| (endpoint, model.to_owned(), stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_what_is_called_and_of_which_model() {
        for (path, read_as) in [
            ("/models/m:generateContent", Some((Endpoint::Generate, "m", false))),
            ("/models/m:streamGenerateContent", Some((Endpoint::Generate, "m", true))),
            ("/models/a/b:c:countTokens", Some((Endpoint::GenerateCount, "a/b:c", false))),
            ("/models/a%2Fb:embedContent", Some((Endpoint::Embed, "a%2Fb", false))),
            ("/models/m:batchEmbedContents", Some((Endpoint::EmbedBatch, "m", false))),
            ("/models/:generateContent", None),
            ("/models/m", None),
            ("/models/m:predict", None),
            ("/models/m:GenerateContent", None),
            ("/tunedModels/m:generateContent", None),
            ("models/m:generateContent", None),
        ] {
            let read_as = read_as.map(|(endpoint, model, stream)| (endpoint, model.to_owned(), stream));
            assert_eq!(read(path), read_as, "{path}");
        }
    }
}
