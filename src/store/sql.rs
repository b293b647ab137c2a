//! The one SQL writer: text and binds, as a `QueryFragment` whose text repeats, so that Diesel caches the statement.
//!
//! `sql_query` is never cached (14 times slower on PostgreSQL); a fragment without static query id is, by its text.
use super::backend::{AnyConnection, Dialect};
use super::error::StoreError;
use diesel::backend::Backend;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::query_dsl::methods::{ExecuteDsl, LoadQuery};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, Binary, Double, HasSqlType, Text};
use diesel::{QueryResult, RunQueryDsl};
use std::borrow::Cow;
use std::marker::PhantomData;

/// A bound value.
#[derive(Clone)]
enum Value {
    Integer(i64),
    Number(f64),
    Text(String),
    Bytes(Vec<u8>),
}

#[derive(Clone)]
enum Piece {
    Text(Cow<'static, str>),
    Bind(Value),
}

/// A statement under construction.
#[derive(Clone)]
pub(super) struct Sql {
    pieces: Vec<Piece>,
    dialect: Dialect,
    cached: bool,
}

impl Sql {
    pub(super) fn new(dialect: Dialect, text: impl Into<Cow<'static, str>>) -> Self {
        Self { pieces: vec![Piece::Text(text.into())], dialect, cached: true }
    }
    /// Text that the program wrote: never a value from outside.
    pub(super) fn push(&mut self, text: impl Into<Cow<'static, str>>) -> &mut Self {
        self.pieces.push(Piece::Text(text.into()));
        self
    }
    pub(super) fn integer(&mut self, value: i64) -> &mut Self {
        self.pieces.push(Piece::Bind(Value::Integer(value)));
        self
    }
    pub(super) fn number(&mut self, value: f64) -> &mut Self {
        self.pieces.push(Piece::Bind(Value::Number(value)));
        self
    }
    /// NUL, which PostgreSQL cannot store, becomes U+FFFD on both databases.
    pub(super) fn text(&mut self, value: impl Into<String>) -> &mut Self {
        let value = value.into();
        let value = if value.contains('\0') { value.replace('\0', "\u{FFFD}") } else { value };
        self.pieces.push(Piece::Bind(Value::Text(value)));
        self
    }
    pub(super) fn bytes(&mut self, value: impl Into<Vec<u8>>) -> &mut Self {
        self.pieces.push(Piece::Bind(Value::Bytes(value.into())));
        self
    }
    /// A list of integers as one bind, so that the text repeats: `IN (...)`.
    pub(super) fn in_list(&mut self, values: impl IntoIterator<Item = i64>) -> &mut Self {
        let list = values.into_iter().map(|value| value.to_string()).collect::<Vec<_>>().join(",");
        match self.dialect {
            Dialect::Sqlite => self.push(" IN (SELECT value FROM json_each(").text(format!("[{list}]")).push("))"),
            Dialect::Postgresql => self.push(" = ANY((").text(format!("{{{list}}}")).push("::text)::int8[])"),
        }
    }
    /// A list of pairs as a table `alias(a, b)`.
    pub(super) fn pairs(&mut self, pairs: &[(i64, i64)], alias: &'static str) -> &mut Self {
        let join = |values: Vec<String>| values.join(",");
        match self.dialect {
            Dialect::Sqlite => {
                let list = join(pairs.iter().map(|(a, b)| format!("[{a},{b}]")).collect());
                self.push("(SELECT json_extract(value, '$[0]') AS a, json_extract(value, '$[1]') AS b FROM json_each(");
                self.text(format!("[{list}]")).push(")) AS ").push(alias)
            }
            Dialect::Postgresql => {
                let a = join(pairs.iter().map(|pair| pair.0.to_string()).collect());
                let b = join(pairs.iter().map(|pair| pair.1.to_string()).collect());
                self.push("unnest((").text(format!("{{{a}}}")).push("::text)::int8[], (");
                self.text(format!("{{{b}}}")).push("::text)::int8[]) AS ").push(alias).push("(a, b)")
            }
        }
    }
    /// Statements whose text a caller varies without bound do not grow the cache.
    pub(super) fn uncached(&mut self) -> &mut Self {
        self.cached = false;
        self
    }
    /// The same statement as a question about its plan.
    pub(super) fn explained(&self, word: &'static str) -> Self {
        let mut sql = self.clone();
        sql.pieces.insert(0, Piece::Text(word.into()));
        sql.cached = false;
        sql
    }
    /// Ends a subquery of EXISTS that is to be asked for each row: PostgreSQL makes a join of every other one, and reads what is
    /// rare in all records instead. SQLite keeps the order of its CROSS JOINs.
    pub(super) fn for_each_row(&mut self) -> &mut Self {
        match self.dialect {
            Dialect::Sqlite => self,
            Dialect::Postgresql => self.push(" OFFSET 0"),
        }
    }
    /// Runs it and answers the number of rows changed.
    pub(super) fn execute(&self, connection: &mut AnyConnection) -> Result<usize, StoreError> {
        let statement: Typed<'_, diesel::sql_types::Untyped> = Typed { sql: self, columns: PhantomData };
        Ok(ExecuteDsl::execute(statement, connection)?)
    }
    /// Runs it and reads its rows, of the SQL types `ST`.
    pub(super) fn load<'query, ST, T>(&'query self, connection: &mut AnyConnection) -> Result<Vec<T>, StoreError>
    where
        Typed<'query, ST>: LoadQuery<'query, AnyConnection, T> + RunQueryDsl<AnyConnection>,
    {
        Ok(Typed::<'query, ST> { sql: self, columns: PhantomData }.load::<T>(connection)?)
    }
    /// The first row.
    pub(super) fn first<'query, ST, T>(&'query self, connection: &mut AnyConnection) -> Result<Option<T>, StoreError>
    where
        Typed<'query, ST>: LoadQuery<'query, AnyConnection, T> + RunQueryDsl<AnyConnection>,
    {
        Ok(self.load::<ST, T>(connection)?.into_iter().next())
    }
}

/// A finished statement with the SQL types of its columns.
pub(super) struct Typed<'a, ST> {
    sql: &'a Sql,
    columns: PhantomData<ST>,
}

impl<ST> QueryId for Typed<'_, ST> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<ST> Query for Typed<'_, ST> {
    type SqlType = ST;
}

impl<ST> RunQueryDsl<AnyConnection> for Typed<'_, ST> {}

impl<ST, DB> QueryFragment<DB> for Typed<'_, ST>
where
    DB: Backend + HasSqlType<BigInt> + HasSqlType<Double>,
    i64: ToSql<BigInt, DB>,
    f64: ToSql<Double, DB>,
    str: ToSql<Text, DB>,
    [u8]: ToSql<Binary, DB>,
{
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if !self.sql.cached {
            pass.unsafe_to_cache_prepared();
        }
        for piece in &self.sql.pieces {
            match piece {
                Piece::Text(text) => pass.push_sql(text),
                Piece::Bind(Value::Integer(value)) => pass.push_bind_param::<BigInt, i64>(value)?,
                Piece::Bind(Value::Number(value)) => pass.push_bind_param::<Double, f64>(value)?,
                Piece::Bind(Value::Text(value)) => pass.push_bind_param::<Text, str>(value)?,
                Piece::Bind(Value::Bytes(value)) => pass.push_bind_param::<Binary, [u8]>(value)?,
            }
        }
        Ok(())
    }
}
