//! Names and words in JSON text, however they are spelt.

/// The most bytes that JSON writes for a letter of ASCII: `\u0061`.
const LETTER_BYTES_MAX: usize = 6;

/// The one of `names` that some provider takes `key` for, whatever its case and its escapes.
#[inline(never)]
pub(crate) fn field<'n>(key: &[u8], names: &[&'n str]) -> Option<&'n str> {
    let first = key.first()?;
    // Only an escape or a letter beyond ASCII is longer than what it stands for.
    let plain = |byte: &u8| byte.is_ascii() && *byte != b'\\';
    let is = |name: &&&str| {
        let name = name.as_bytes();
        if plain(first) && !name.first().is_some_and(|letter| letter.eq_ignore_ascii_case(first)) {
            return false;
        }
        match key.len().checked_sub(name.len()) {
            None => false,
            Some(0) => key.eq_ignore_ascii_case(name),
            Some(_) if key.len() > name.len().saturating_mul(LETTER_BYTES_MAX) || key.iter().all(plain) => false,
            Some(_) => folds_to(letters(key), str::from_utf8(name).unwrap_or_default()),
        }
    };
    names.iter().find(is).copied()
}

/// The one of `words` that `raw`, a string as it is written, says.
#[inline(never)]
pub(crate) fn word<'n>(raw: &[u8], words: &[&'n str]) -> Option<&'n str> {
    words.iter().find(|word| raw == word.as_bytes() || letters(raw).eq(word.chars())).copied()
}

/// The text that `raw`, a string as it is written, stands for.
pub(crate) fn text(raw: &[u8]) -> String {
    letters(raw).collect()
}

/// Whether a reader that ignores case, as Go's does, takes `key` for the field `name`.
///
/// Such a provider would honour a `Max_Tokens` that no limit here had looked at. The long s and the
/// Kelvin sign are the two other letters that fold to one of ASCII.
pub(crate) fn folds_to(key: impl Iterator<Item = char>, name: &str) -> bool {
    let folded = key.map(|letter| match letter {
        'ſ' => 's',
        '\u{212A}' => 'k',
        _ => letter.to_ascii_lowercase(),
    });
    folded.eq(name.chars())
}

/// The letters that `raw`, a string as it is written, stands for; half of a surrogate pair is none.
fn letters(raw: &[u8]) -> impl Iterator<Item = char> {
    let mut written = str::from_utf8(raw).unwrap_or_default().chars();
    std::iter::from_fn(move || match written.next()? {
        '\\' => match written.next()? {
            'u' => {
                let digits = written.by_ref().take(4).map(|digit| digit.to_digit(16));
                let code = digits.fold(0_u32, |code, digit| code.wrapping_mul(16) | digit.unwrap_or_default());
                Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
            }
            'n' => Some('\n'),
            't' => Some('\t'),
            'r' => Some('\r'),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            letter => Some(letter),
        },
        letter => Some(letter),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_is_found_however_it_is_spelt() {
        let names = ["type", "tools", "k"];
        for (key, name) in [
            ("type", Some("type")),
            ("TYPE", Some("type")),
            ("t\\u0079pe", Some("type")),
            ("\\u0054\\u0059\\u0050\\u0045", Some("type")),
            ("tool\u{17f}", Some("tools")),
            ("tool\\u017F", Some("tools")),
            ("\u{212a}", Some("k")),
            ("typ", None),
            ("types", None),
            ("\\ud83d\\ude42", None),
            ("", None),
        ] {
            assert_eq!(field(key.as_bytes(), &names), name, "{key}");
        }
        assert_eq!(word(b"t\\u006fols", &names), Some("tools"));
        assert_eq!(word(b"Tools", &names), None, "a value says what it says");
    }

    proptest! {
        #[test]
        fn letters_are_those_that_json_means(text in any::<String>(), escaped in any::<bool>()) {
            let json = if escaped {
                let units = text.encode_utf16().filter(|unit| !(0xD800..0xE000).contains(unit));
                format!("\"{}\"", units.map(|unit| format!("\\u{unit:04X}")).collect::<String>())
            } else {
                serde_json::to_string(&text).unwrap()
            };
            let meant: String = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(letters(&json.as_bytes()[1..json.len() - 1]).collect::<String>(), meant);
        }

        #[test]
        fn no_bytes_break_the_reader(raw in "[\\\\utypeTYPE0-9ſ]{0,30}") {
            let _ = field(raw.as_bytes(), &["type"]);
            let _ = word(raw.as_bytes(), &["type"]);
        }
    }
}
