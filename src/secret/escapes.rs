//! Resolves the escapes by which a text may say a byte in another way: of JSON and of languages like it, of addresses, of HTML.

/// The longest escape: `&#x00000073;`, and what HTML names.
const ESCAPE_BYTES_MAX: usize = 12;
/// What an escape may say that begins another one.
const OPENING: [u8; 3] = *b"\\%&";
const NAMED: [(&[u8], u8); 5] = [(b"quot;", b'"'), (b"amp;", b'&'), (b"lt;", b'<'), (b"gt;", b'>'), (b"apos;", b'\'')];

/// A text of which each byte stands somewhere in the bytes that were resolved.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    pub(super) bytes: Vec<u8>,
    /// Where each of the bytes begins there.
    pub(super) starts: Vec<usize>,
    /// Where an escape begins there that the end cuts.
    pub(super) cut: Option<usize>,
}

/// What stands at the beginning of some bytes.
enum Step {
    /// An escape: the byte that it says, and its own length.
    Says(u8, usize),
    /// The beginning of one, perhaps.
    Cut,
    /// A byte that stands for itself.
    Plain,
}

/// Whether `bytes` has an escape that says one of `wanted`, or begins another escape.
pub(super) fn matter(bytes: &[u8], wanted: &[bool; 256]) -> bool {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..)
        && let Some(next) = memchr::memchr3(b'\\', b'%', b'&', rest)
    {
        let mut from = rest.get(next..).unwrap_or_default();
        at = at.saturating_add(next);
        // Of `\\u0073` the first says the second, which says a letter.
        let slashes = from.iter().take_while(|byte| **byte == b'\\').count();
        from = from.get(slashes.saturating_sub(1)..).unwrap_or_default();
        at = at.saturating_add(slashes.max(1));
        if let Step::Says(byte, _) = step(from)
            && (wanted.get(usize::from(byte)) == Some(&true) || OPENING.contains(&byte))
        {
            return true;
        }
    }
    false
}

/// Resolves the escapes of `text` once, those in `text` that begin where `starts` says. An escape that the end cuts is left out.
pub(super) fn resolve(text: &[u8], starts: impl Fn(usize) -> usize) -> Resolved {
    let mut resolved = Resolved::default();
    let mut at = 0_usize;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let (byte, length) = match step(rest) {
            Step::Says(byte, length) => (byte, length),
            Step::Cut => {
                resolved.cut = Some(starts(at));
                break;
            }
            Step::Plain => (rest.first().copied().unwrap_or_default(), 1),
        };
        resolved.bytes.push(byte);
        resolved.starts.push(starts(at));
        at = at.saturating_add(length);
    }
    resolved
}

fn step(text: &[u8]) -> Step {
    let rest = text.get(1..).unwrap_or_default();
    let said = match text.first() {
        Some(b'\\') => backslash(rest),
        Some(b'%') => code(rest, 0, 2),
        Some(b'&') => entity(rest),
        _ => return Step::Plain,
    };
    match said {
        Some(Ok((byte, length))) => Step::Says(byte, length.saturating_add(1)),
        Some(Err(NotWhole)) => Step::Cut,
        None => Step::Plain,
    }
}

/// The bytes end within the escape.
struct NotWhole;

/// What follows the sign of an escape says, and how long it is; `None`: it is none.
type Said = Option<Result<(u8, usize), NotWhole>>;

fn backslash(rest: &[u8]) -> Said {
    match rest.first() {
        None => Some(Err(NotWhole)),
        Some(byte @ (b'\\' | b'/' | b'"' | b'\'')) => Some(Ok((*byte, 1))),
        Some(b'u') => code(rest, 1, 4),
        Some(b'x') => code(rest, 1, 2),
        Some(_) => None,
    }
}

/// A number of `digits` hexadecimal digits after `before` bytes.
fn code(rest: &[u8], before: usize, digits: usize) -> Said {
    let length = before.saturating_add(digits);
    let digits = rest.get(before..length.min(rest.len())).unwrap_or_default();
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    if rest.len() < length {
        return Some(Err(NotWhole));
    }
    u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok().map(|byte| Ok((byte, length)))
}

fn entity(rest: &[u8]) -> Said {
    let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'#';
    let name = rest.iter().take(ESCAPE_BYTES_MAX).take_while(is_part).count();
    if name == rest.len() && name < ESCAPE_BYTES_MAX {
        return Some(Err(NotWhole));
    }
    let (name, whole) = (rest.get(..name)?, rest.get(..name.saturating_add(1))?);
    if let Some((_, byte)) = NAMED.iter().find(|(known, _)| *known == whole) {
        return Some(Ok((*byte, whole.len())));
    }
    let number = str::from_utf8(name.strip_prefix(b"#")?).ok()?;
    let number = match number.strip_prefix(['x', 'X']) {
        Some(digits) => u8::from_str_radix(digits, 16),
        None => number.parse(),
    };
    // Browsers read one that has no semicolon, too.
    let length = if whole.ends_with(b";") { whole.len() } else { name.len() };
    number.ok().map(|byte| Ok((byte, length)))
}
