//! What must hold of any bytes that a client or a provider sends: nothing panics, what is written from what was read
//! is written the same again, and no cut of a stream matters.

use serde_json::Value;
use tollgate::chat::{Answer, Event, Fault, Feature, Fold, Request, Used};
use tollgate::dialect::{BadRequest, Stamp};
use tollgate::sse::Frames;

/// What stands in for what nobody tells.
pub const STAMP: Stamp<'static> = Stamp { id: "req_1", created: 1_700_000_000, model: "asked" };

/// Reads and writes `data` as a request of a dialect that cannot do `cannot`.
pub fn request(
    data: &[u8],
    cannot: &[Feature],
    read: impl Fn(&Value) -> Result<(Request, Used), BadRequest>,
    write: impl Fn(&Request) -> Value,
) {
    let Ok(body) = serde_json::from_slice::<Value>(data) else { return };
    let Ok((mut request, _)) = read(&body) else { return };
    cannot.iter().for_each(|feature| request.drop_feature(*feature));
    let again = |body: &Value| write(&read(body).unwrap_or_else(|wrong| panic!("{wrong:?}: {body}")).0);
    // The first time brings what was said into an order that the dialect has.
    let twice = again(&write(&request));
    assert_eq!(again(&twice), twice);
}

/// Reads and writes `data` as a whole answer; what is none is read as an error.
pub fn answer(
    data: &[u8],
    read: impl Fn(&Value) -> Option<Answer>,
    write: impl Fn(&Answer, &Stamp<'_>) -> Value,
    fault: impl Fn(&Value) -> Fault,
) {
    let Ok(body) = serde_json::from_slice::<Value>(data) else { return };
    let Some(answer) = read(&body) else { return drop(fault(&body)) };
    let once = write(&answer, &STAMP);
    let again = read(&once).unwrap_or_else(|| panic!("no answer: {once}"));
    assert_eq!(write(&again, &STAMP), once);
}

/// Reads `data` as a stream, whose last byte also tells how it is cut, and writes it again.
pub fn stream<R>(
    data: &[u8],
    reader: impl Fn() -> R,
    read: impl Fn(&mut R, Option<&[u8]>, &[u8], &mut Vec<Event>),
    finish: impl Fn(&mut R, &mut Vec<Event>),
    mut write: impl FnMut(&Event, &mut Vec<u8>),
) {
    let Some(size) = data.last() else { return };
    let events_of = |size: usize| {
        let (mut frames, mut reader, mut events) = (Frames::new(), reader(), Vec::new());
        for mut rest in data.chunks(size) {
            while let Ok(Some(frame)) = frames.next(&mut rest) {
                if let Some(data) = frame.data() {
                    read(&mut reader, frame.event(), &data, &mut events);
                }
            }
        }
        finish(&mut reader, &mut events);
        events
    };
    let events = events_of(data.len());
    assert_eq!(events_of(usize::from(*size).max(1)), events);
    let (mut fold, mut out) = (Fold::default(), Vec::new());
    for event in events {
        write(&event, &mut out);
        fold.add(event);
    }
    let _ = fold.finish();
    let (mut frames, mut rest) = (Frames::new(), out.as_slice());
    while let Ok(Some(frame)) = frames.next(&mut rest) {
        if let Some(data) = frame.data().filter(|data| data.as_ref() != b"[DONE]") {
            let _: Value = serde_json::from_slice(&data).expect("every frame is JSON");
        }
    }
    assert!(frames.finish().is_none(), "every frame is whole");
}
