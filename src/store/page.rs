//! Pages: what is asked, what is answered, and the sealed cursor between two of them.
use super::crypt;
use super::resource::Stored;
use super::unit::Unit;
use crate::fhir::Problem;
use crate::fhir::outcome::IssueKind;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// Which page of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// Most resources in it.
    pub count: usize,
    /// Whether the number of all matches is wanted.
    pub total: bool,
    /// Where it begins; none for the first page.
    pub cursor: Option<Cursor>,
    /// The query as it was asked: a plan may differ from page to page, by the time of day or by what value sets and links
    /// lead to. None where the plan says all.
    pub query: Option<String>,
}

/// A page.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its resources, in order.
    pub resources: Vec<Stored>,
    /// Number of all matches, where asked: that of the first page, on every page.
    pub total: Option<u64>,
    /// Where the next page begins; none at the end.
    pub next: Option<Cursor>,
}

/// Where a page begins, sealed: base64url text of bytes that only this database opens.
///
/// It is bound to its query and its caller: with another query or another caller it is 400.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// As it stands in a link; whether it is genuine shows when it is used.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self(text.to_owned())
    }
    /// As it stands in a link.
    #[must_use]
    pub fn as_text(&self) -> &str {
        &self.0
    }
}

/// What a cursor holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Position {
    /// The snapshot: what has changed later is taken as it was then.
    pub(super) snapshot: i64,
    /// Number of all matches, where asked.
    pub(super) total: Option<u64>,
    /// Sort keys of the last resource given.
    pub(super) keys: Vec<SortValue>,
    /// Place of the last resource given.
    pub(super) place: (i64, i64),
}

/// One sort key of a resource.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum SortValue {
    Integer(i64),
    Number(f64),
}

/// Longest cursor that is looked at.
const CURSOR_MAX: usize = 1024;

fn seal_position(position: &Position) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(position.snapshot.to_le_bytes());
    out.extend(position.total.map_or(-1, |total| i64::try_from(total).unwrap_or(i64::MAX)).to_le_bytes());
    out.extend(position.place.0.to_le_bytes());
    out.extend(position.place.1.to_le_bytes());
    for key in &position.keys {
        match key {
            SortValue::Integer(value) => {
                out.push(0);
                out.extend(value.to_le_bytes());
            }
            SortValue::Number(value) => {
                out.push(1);
                out.extend(value.to_le_bytes());
            }
        }
    }
    out
}

fn open_position(bytes: &[u8]) -> Option<Position> {
    let (head, mut rest) = bytes.split_at_checked(32)?;
    let mut words = head.chunks_exact(8).filter_map(|word| word.try_into().ok()).map(i64::from_le_bytes);
    let (snapshot, total, pid, rid) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let mut keys = Vec::new();
    while let Some((kind, after)) = rest.split_first() {
        let (word, after) = after.split_at_checked(8)?;
        let word: [u8; 8] = word.try_into().ok()?;
        keys.push(match kind {
            0 => SortValue::Integer(i64::from_le_bytes(word)),
            1 => SortValue::Number(f64::from_le_bytes(word)),
            _ => return None,
        });
        rest = after;
    }
    Some(Position { snapshot, total: u64::try_from(total).ok(), keys, place: (pid, rid) })
}

/// Seals a position for this query (`about` names query and caller).
pub(super) fn seal(unit: &Unit, about: &[u8], position: &Position) -> Result<Cursor, Problem> {
    let sealed = crypt::seal(&unit.shared().keys.cursor, about, &seal_position(position))?;
    Ok(Cursor(BASE64_URL_SAFE_NO_PAD.encode(sealed)))
}

/// Opens a cursor of this query.
pub(super) fn open(unit: &Unit, about: &[u8], cursor: &Cursor) -> Result<Position, Problem> {
    let refused = || Problem::new(IssueKind::ParameterInvalid, "The page link is not one of this search");
    if cursor.0.len() > CURSOR_MAX {
        return Err(refused());
    }
    let sealed = BASE64_URL_SAFE_NO_PAD.decode(&cursor.0).ok().ok_or_else(refused)?;
    // A forged cursor is the caller's fault, not a fault of the store: it is not logged as one.
    let bytes = crypt::open(&unit.shared().keys.cursor, about, &sealed).ok().ok_or_else(refused)?;
    open_position(&bytes).ok_or_else(refused)
}
