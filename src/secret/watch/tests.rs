use super::*;
use crate::passthrough::{Guard, Quoted};
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;

const SECRET: &str = "sk-up/with+\"0123";

fn watch() -> Watch {
    Watch::new(&[Secret::read(SECRET).unwrap(), Secret::read("sk-other-secret").unwrap()])
}

/// One byte as one of the ways of writing it.
fn written(byte: u8, way: u8) -> String {
    match way {
        0 => format!("\\u{byte:04x}"),
        1 => format!("\\u{byte:04X}"),
        2 => format!("%{byte:02x}"),
        3 => format!("%{byte:02X}"),
        4 => format!("&#{byte};"),
        5 => format!("&#x{byte:x};"),
        6 => format!("\\x{byte:02x}"),
        7 if b"/\"\\".contains(&byte) => format!("\\{}", char::from(byte)),
        8 if byte == b'"' => "&quot;".to_owned(),
        _ => char::from(byte).to_string(),
    }
}

/// The text of a JSON string that holds `text`.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// What passes a guard of `text`, cut at `cuts`.
fn passes(text: &[u8], cuts: &[usize]) -> Result<Vec<u8>, Quoted> {
    let mut guard = Guard::new(watch().into());
    let (mut passed, mut from) = (Vec::new(), 0);
    for to in cuts.iter().copied().chain([text.len()]) {
        let chunk = text.get(from..to).unwrap_or_default();
        passed.extend(guard.push(chunk)?.unwrap_or_else(|| chunk.to_vec()));
        from = to.max(from);
    }
    passed.extend(guard.finish());
    Ok(passed)
}

#[test]
fn a_secret_is_found_in_every_form() {
    let plain = SECRET.as_bytes();
    let hex: String = plain.iter().map(|byte| format!("{byte:02X}")).collect();
    let percent: String = plain.iter().map(|byte| format!("%{byte:02x}")).collect();
    let json = quoted(SECRET);
    for text in [
        SECRET.to_owned(),
        format!("Bearer {SECRET}\n"),
        json.clone(),
        json.replace('/', "\\/"),
        quoted(&json),
        quoted(&quoted(&json)),
        percent.clone(),
        percent.replace('%', "%25"),
        quoted(&percent),
        hex.to_ascii_lowercase(),
        hex,
        STANDARD.encode(plain),
        URL_SAFE.encode(plain),
        STANDARD.encode([b"u:", plain].concat()),
        STANDARD.encode([b"x", plain, b"and more"].concat()).replace('/', "\\/"),
        SECRET.replace('"', "&quot;"),
        SECRET.replace('"', "&amp;quot;"),
        SECRET.replace('"', "&#34;"),
    ] {
        assert!(watch().finds(text.as_bytes()), "{text}");
        for cut in 0..=text.len() {
            assert_eq!(passes(text.as_bytes(), &[cut]), Err(Quoted), "{text} cut at {cut}");
        }
    }
}

#[test]
fn what_holds_no_secret_is_none_of_its_business() {
    for text in [
        "",
        "sk-up/with+\"012",
        "sk-up/with+ \"0123",
        "\\",
        "100 %",
        "a & b",
        "\\u00",
        "&#",
        "&quot",
        "{\"a\":\"b\\n\\\"c\\\"\"}",
    ] {
        assert!(!watch().finds(text.as_bytes()), "{text}");
        for cut in 0..=text.len() {
            assert_eq!(passes(text.as_bytes(), &[cut]), Ok(text.as_bytes().to_vec()), "{text} cut at {cut}");
        }
    }
    assert!(!Watch::new(&[]).finds(SECRET.as_bytes()));
}

proptest! {
    #[test]
    fn a_secret_is_found_however_its_bytes_are_escaped_and_wherever_they_are_cut(
        ways in prop::collection::vec(0_u8..12, SECRET.len()), deep in 0_usize..3, before in ".{0,12}", after in ".{0,12}",
        cuts in prop::collection::vec(0_usize..400, 0..4),
    ) {
        let escaped: String = SECRET.bytes().zip(&ways).map(|(byte, way)| written(byte, *way)).collect();
        let mut text = format!("{before} {escaped} {after}");
        for _ in 0..deep {
            text = quoted(&text);
        }
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.sort_unstable();
        prop_assert!(watch().finds(text.as_bytes()), "{}", text);
        prop_assert_eq!(passes(text.as_bytes(), &cuts), Err(Quoted), "{}", text);
    }

    #[test]
    fn all_else_passes_whole(text in prop::collection::vec(prop::sample::select(b"\\u0073%k-sp/&#;q\"x".to_vec()), 0..80), cuts in prop::collection::vec(0_usize..80, 0..5)) {
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.sort_unstable();
        prop_assert!(!watch().finds(&text));
        prop_assert_eq!(passes(&text, &cuts), Ok(text));
    }
}
