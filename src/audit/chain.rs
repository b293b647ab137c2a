//! The hash chain over the rows of the trace: a row that is changed, lost or moved breaks every later link.
use super::columns::CallerColumns;
use super::event::Event;
use openssl::sha::Sha256;

/// What stands before the first row.
pub const GENESIS: [u8; 32] = [0; 32];

/// The link of a row: SHA-256 of the previous link and the row's canonical bytes.
#[must_use]
pub fn link(previous: [u8; 32], row: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(&previous);
    hash.update(row);
    hash.finish()
}

/// Canonical bytes of a row: every field in a fixed order, texts with their length before them, so that no two
/// different rows have the same bytes.
#[must_use]
pub fn canonical(event: &Event, sequence: i64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    let mut number = |number: Option<i64>| {
        bytes.push(u8::from(number.is_some()));
        bytes.extend_from_slice(&number.unwrap_or_default().to_be_bytes());
    };
    number(Some(1)); // version of this encoding
    number(Some(sequence));
    number(event.pid.map(|pid| pid.0));
    number(Some(event.at.0));
    number(Some(event.action.number().into()));
    number(Some(event.outcome.number().into()));
    number(Some(event.status.into()));
    number(event.resource_type.map(|resource_type| resource_type.number().into()));
    number(event.rid.map(|rid| rid.0));
    let caller = CallerColumns::of(&event.caller);
    let texts = [&caller.kind, &caller.id, &caller.name, &caller.profession, &caller.structure, &caller.purpose, &event.request];
    for text in texts.into_iter().map(Some).chain([event.query.as_ref()]) {
        bytes.push(u8::from(text.is_some()));
        let text = text.map(String::as_str).unwrap_or_default();
        bytes.extend_from_slice(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

/// The first row whose stored link is not the one that follows from the rows before it, counted from 0.
///
/// `rows` are canonical bytes and stored links, in order.
pub fn first_break<'a>(start: [u8; 32], rows: impl Iterator<Item = (&'a [u8], [u8; 32])>) -> Option<usize> {
    let mut previous = start;
    for (index, (row, stored)) in rows.enumerate() {
        if link(previous, row) != stored {
            return Some(index);
        }
        previous = stored;
    }
    None
}
