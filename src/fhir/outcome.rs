//! What can go wrong, as one table: severity, FHIR issue type and HTTP status of each kind.
//!
//! Texts never hold health data, identifiers of persons or tokens. <https://hl7.org/fhir/R4/operationoutcome.html>
use serde_json::{Value, json};
use std::fmt;

macro_rules! issues {
    ($($name:ident : $severity:literal $code:literal $status:literal $doc:literal;)*) => {
        /// One kind of issue; the table gives its severity, FHIR issue type and HTTP status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum IssueKind { $(#[doc = $doc] $name,)* }
        impl IssueKind {
            /// `fatal`, `error`, `warning` or `information`.
            #[must_use] pub const fn severity(self) -> &'static str { match self { $(Self::$name => $severity,)* } }
            /// Code of <https://hl7.org/fhir/R4/valueset-issue-type.html>.
            #[must_use] pub const fn code(self) -> &'static str { match self { $(Self::$name => $code,)* } }
            /// HTTP status of an answer whose first issue this is.
            #[must_use] pub const fn status(self) -> u16 { match self { $(Self::$name => $status,)* } }
            /// Every kind, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

issues! {
    Malformed             : "error"   "structure"     400 "Not well-formed JSON, XML, URL or header.";
    StructureInvalid      : "error"   "structure"     422 "Well-formed, but not a resource of R4.";
    ValueInvalid          : "error"   "value"         422 "A value is not of its type or not in its bound value set.";
    RequiredMissing       : "error"   "required"      422 "A required element or parameter is absent.";
    InvariantBroken       : "error"   "invariant"     422 "A rule over several elements does not hold.";
    BusinessRule          : "error"   "business-rule" 422 "A rule of the DMP (BR-nn) refuses it.";
    PatchFailed           : "error"   "processing"    422 "A patch that cannot be applied to this resource.";
    ReferenceUnresolved   : "error"   "not-found"     422 "A reference names no resource that the caller may use here.";
    ParameterUnknown      : "error"   "not-supported" 400 "Search parameter or modifier that is not known here.";
    ParameterInvalid      : "error"   "value"         400 "A search value that its type does not allow.";
    ParameterIgnored      : "warning" "not-supported" 200 "Left out under `Prefer: handling=lenient`.";
    TooCostly             : "error"   "too-costly"    400 "A search over several records without a bound.";
    TooLarge              : "error"   "too-long"      413 "A documented limit of size or number is exceeded.";
    NotAuthenticated      : "error"   "login"         401 "No token, or a token that is not accepted.";
    Forbidden             : "error"   "forbidden"     403 "The rules give this caller no access.";
    ResourceNotFound      : "error"   "not-found"     404 "Not here, or not for this caller.";
    ResourceDeleted       : "error"   "deleted"       410 "Was here, is withdrawn.";
    NotSupported          : "error"   "not-supported" 405 "Interaction that this type does not have.";
    NotAcceptable         : "error"   "not-supported" 406 "No representation of the kinds asked for.";
    Conflict              : "error"   "conflict"      409 "In conflict with what is stored.";
    VersionConflict       : "error"   "conflict"      412 "If-Match names another version.";
    Duplicate             : "error"   "duplicate"     409 "Is stored already.";
    MultipleMatches       : "error"   "multiple-matches" 412 "A conditional reference or request has several matches.";
    MediaTypeUnsupported  : "error"   "not-supported" 415 "Content-Type that is not read here.";
    TooManyRequests       : "error"   "throttled"     429 "More requests than this token may make.";
    Busy                  : "error"   "transient"     503 "The server has no capacity now; try again.";
    AuditUnavailable      : "fatal"   "transient"     503 "The trace cannot be written: no data goes out.";
    Timeout               : "error"   "timeout"       503 "Longer than the documented limit.";
    Internal              : "fatal"   "exception"     500 "A defect of this server.";
    Warning               : "warning" "informational" 200 "Accepted, with a remark.";
    Information           : "information" "informational" 200 "Done.";
}

/// One thing to say about a request: what, where, which rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Row of the table.
    pub kind: IssueKind,
    /// FHIRPath of the fault, such as `Patient.name[0].family`; none where no element is at fault.
    pub expression: Option<String>,
    /// A sentence without a full stop, without health data.
    pub diagnostics: String,
}

impl Issue {
    /// An issue that no element causes.
    pub fn new(kind: IssueKind, diagnostics: impl Into<String>) -> Self {
        Self { kind, expression: None, diagnostics: diagnostics.into() }
    }
    /// An issue at an element.
    pub fn at(kind: IssueKind, expression: impl Into<String>, diagnostics: impl Into<String>) -> Self {
        Self { kind, expression: Some(expression.into()), diagnostics: diagnostics.into() }
    }
}

/// Why a request fails: at least one issue, the first of which gives the HTTP status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    first: Issue,
    more: Vec<Issue>,
}

impl Problem {
    /// A failure for one reason.
    pub fn new(kind: IssueKind, diagnostics: impl Into<String>) -> Self {
        Issue::new(kind, diagnostics).into()
    }
    /// A failure at one element.
    pub fn at(kind: IssueKind, expression: impl Into<String>, diagnostics: impl Into<String>) -> Self {
        Issue::at(kind, expression, diagnostics).into()
    }
    /// A failure for all these reasons; `None` where there is none.
    #[must_use]
    pub fn from_issues(issues: Vec<Issue>) -> Option<Self> {
        let mut issues = issues.into_iter();
        issues.next().map(|first| Self { first, more: issues.collect() })
    }
    /// HTTP status of the answer.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.first.kind.status()
    }
    /// Kind of the first issue.
    #[must_use]
    pub fn kind(&self) -> IssueKind {
        self.first.kind
    }
    /// Every issue, the deciding one first.
    pub fn issues(&self) -> impl Iterator<Item = &Issue> {
        std::iter::once(&self.first).chain(&self.more)
    }
    /// The answer's body.
    #[must_use]
    pub fn operation_outcome(&self) -> Value {
        operation_outcome(self.issues())
    }
}

impl From<Issue> for Problem {
    fn from(first: Issue) -> Self {
        Self { first, more: Vec::new() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.first.diagnostics)
    }
}
impl std::error::Error for Problem {}

/// Builds an OperationOutcome of these issues. <https://hl7.org/fhir/R4/operationoutcome.html>
pub fn operation_outcome<'a>(issues: impl Iterator<Item = &'a Issue>) -> Value {
    let issue: Vec<Value> = issues
        .map(|issue| {
            let mut out = json!({"severity": issue.kind.severity(), "code": issue.kind.code(), "diagnostics": issue.diagnostics});
            if let (Some(expression), Some(out)) = (&issue.expression, out.as_object_mut()) {
                out.insert("expression".into(), json!([expression]));
            }
            out
        })
        .collect();
    json!({"resourceType": "OperationOutcome", "issue": issue})
}
