//! One run: what the caller gave, what earlier checks found, and the words in which a check fails.
use crate::client::{Answer, Call, Client};
use crate::documents::{Report, Stamp};
use serde_json::Value;

/// Why a requirement is not shown to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shortfall {
    /// The server does not do it.
    Fail(String),
    /// It could not be tried: something that it needs was not given, or an earlier requirement failed.
    Skip(String),
}

/// Result of a check.
pub(crate) type Checked = Result<(), Shortfall>;

/// Tokens of the callers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tokens {
    pub(crate) professional: Option<String>,
    pub(crate) patient: Option<String>,
    pub(crate) system: Option<String>,
    pub(crate) blocked: Option<String>,
}

/// State of the run; each check reads what it needs and leaves what later ones need.
pub(crate) struct Run {
    pub(crate) client: Client,
    pub(crate) tokens: Tokens,
    /// System and value of the INS whose record the professional may read and the patient owns.
    pub(crate) ins: Option<(String, String)>,
    pub(crate) stamp: Stamp,
    /// The Patient of that record, as the professional reads it.
    pub(crate) patient: Option<Value>,
    /// What was deposited.
    pub(crate) report: Option<Report>,
    /// The DocumentReference of the deposit.
    pub(crate) document: Option<Value>,
    /// The result found in it.
    pub(crate) observation: Option<Value>,
}

impl Run {
    pub(crate) fn professional(&self) -> Result<String, Shortfall> {
        self.tokens.professional.clone().ok_or_else(|| skip("--token-professional is not given"))
    }
    pub(crate) fn patient_token(&self) -> Result<String, Shortfall> {
        self.tokens.patient.clone().ok_or_else(|| skip("--token-patient is not given"))
    }
    pub(crate) fn system(&self) -> Result<String, Shortfall> {
        self.tokens.system.clone().ok_or_else(|| skip("--token-system is not given"))
    }
    pub(crate) fn blocked(&self) -> Result<String, Shortfall> {
        self.tokens.blocked.clone().ok_or_else(|| skip("--token-blocked is not given"))
    }
    pub(crate) fn ins(&self) -> Result<(String, String), Shortfall> {
        self.ins.clone().ok_or_else(|| skip("--ins is not given"))
    }
    /// The token parameter of the record: `system%7Cvalue`.
    pub(crate) fn identifier(&self) -> Result<String, Shortfall> {
        let (system, value) = self.ins()?;
        Ok(crate::client::query(&format!("{system}|{value}")))
    }
    /// An answer, whatever its status.
    pub(crate) fn send(&self, call: Call<'_>) -> Result<Answer, Shortfall> {
        self.client.send(call).map_err(Shortfall::Fail)
    }
    /// An answer with this status; another status fails with what the server says.
    pub(crate) fn expect(&self, status: u16, call: Call<'_>) -> Result<Answer, Shortfall> {
        let answer = self.send(call)?;
        if answer.status == status {
            return Ok(answer);
        }
        Err(fail(format!("status {} instead of {status}: {}", answer.status, answer.diagnostics())))
    }
}

pub(crate) fn fail(text: impl Into<String>) -> Shortfall {
    Shortfall::Fail(text.into())
}

pub(crate) fn skip(text: impl Into<String>) -> Shortfall {
    Shortfall::Skip(text.into())
}

/// Fails with the sentence unless it holds.
pub(crate) fn ensure(holds: bool, otherwise: impl Into<String>) -> Checked {
    if holds { Ok(()) } else { Err(fail(otherwise)) }
}

/// What an earlier check must have found.
pub(crate) fn earlier<'a, T>(found: &'a Option<T>, what: &str) -> Result<&'a T, Shortfall> {
    found.as_ref().ok_or_else(|| skip(format!("{what} was not found before")))
}

/// Text at a JSON pointer, empty where there is none.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Resources of a Bundle that match.
pub(crate) fn matches(bundle: &Value) -> Vec<Value> {
    let entries = bundle.get("entry").and_then(Value::as_array).into_iter().flatten();
    let matching = entries.filter(|entry| text(entry, "/search/mode") != "include" && text(entry, "/search/mode") != "outcome");
    matching.filter_map(|entry| entry.get("resource").cloned()).collect()
}
