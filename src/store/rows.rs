//! Inserts of many rows with few statement texts, and the index rows of a version as bytes.
use super::sql::Sql;
use crate::search::{IndexRows, Key};

/// Rows in one statement: few texts, so that Diesel keeps each prepared.
const CHUNKS: [usize; 5] = [256, 64, 16, 4, 1];

/// Writes `(..), (..)` for the rows of one statement.
pub(super) struct Tuples;

impl Tuples {
    pub(super) fn write<T>(&self, sql: &mut Sql, rows: &[T], mut one: impl FnMut(&mut Sql, &T)) {
        for (number, row) in rows.iter().enumerate() {
            sql.push(if number == 0 { "(" } else { ", (" });
            one(sql, row);
            sql.push(")");
        }
    }
}

/// Splits rows into chunks of few sizes and runs one statement for each.
pub(super) fn insert<T, E>(rows: &[T], mut statement: impl FnMut(&[T], Tuples) -> Result<(), E>) -> Result<(), E> {
    let mut rest = rows;
    for size in CHUNKS {
        while rest.len() >= size {
            let Some((chunk, more)) = rest.split_at_checked(size) else { break };
            statement(chunk, Tuples)?;
            rest = more;
        }
    }
    Ok(())
}

/// Longest prefix value that is kept and compared, in characters: PostgreSQL bounds an index row to 2,700 bytes.
pub(super) const TEXT_MAX: usize = 200;

/// As it is kept and compared in `text.norm`.
pub(super) fn norm(text: &str) -> String {
    text.chars().filter(|character| *character != '\0').take(TEXT_MAX).collect()
}

/// What a version's index rows are as bytes in `history`.
pub(super) fn to_bytes(rows: &IndexRows) -> Vec<u8> {
    let mut out = Vec::new();
    let count = |out: &mut Vec<u8>, len: usize| out.extend(u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(rows.ts.to_le_bytes());
    count(&mut out, rows.tokens.len());
    for key in &rows.tokens {
        out.extend(key.0.to_le_bytes());
    }
    count(&mut out, rows.ranges.len());
    for (key, lo, hi) in &rows.ranges {
        out.extend(key.0.to_le_bytes());
        out.extend(lo.to_le_bytes());
        out.extend(hi.to_le_bytes());
    }
    count(&mut out, rows.texts.len());
    for (key, text) in &rows.texts {
        out.extend(key.0.to_le_bytes());
        count(&mut out, text.len());
        out.extend(text.as_bytes());
    }
    out
}

/// The index rows of these bytes; `None` where they are damaged.
pub(super) fn from_bytes(bytes: &[u8]) -> Option<IndexRows> {
    let mut reader = Reader(bytes);
    let mut rows = IndexRows { ts: reader.integer()?, ..IndexRows::default() };
    for _ in 0..reader.count()? {
        rows.tokens.push(Key(reader.integer()?));
    }
    for _ in 0..reader.count()? {
        rows.ranges.push((Key(reader.integer()?), reader.number()?, reader.number()?));
    }
    for _ in 0..reader.count()? {
        let key = Key(reader.integer()?);
        let length = reader.count()?;
        let text = std::str::from_utf8(reader.take(usize::try_from(length).ok()?)?).ok()?;
        rows.texts.push((key, text.to_owned()));
    }
    reader.0.is_empty().then_some(rows)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
    fn count(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }
    fn integer(&mut self) -> Option<i64> {
        Some(i64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
    fn number(&mut self) -> Option<f64> {
        Some(f64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_rows_come_back_from_their_bytes_and_damage_is_seen() {
        let rows = IndexRows {
            ts: IndexRows::NO_DATE,
            tokens: vec![Key(1), Key(-5)],
            ranges: vec![(Key(7), 0.5, f64::INFINITY)],
            texts: vec![(Key(9), "müller".into())],
        };
        let bytes = to_bytes(&rows);
        assert_eq!(from_bytes(&bytes), Some(rows));
        assert_eq!(from_bytes(&bytes[..bytes.len() - 1]), None);
        assert_eq!(from_bytes(&[]), None);
    }

    #[test]
    fn rows_go_in_chunks_of_few_sizes_and_none_is_left() {
        let mut sizes = Vec::new();
        insert(&[0_u8; 342], |chunk, _| {
            sizes.push(chunk.len());
            Ok::<(), ()>(())
        })
        .unwrap();
        assert_eq!(sizes, [256, 64, 16, 4, 1, 1]);
    }
}
