//! What the translator says about a document: a closed table, texts without health data.
use serde_json::{Value, json};

macro_rules! issue_codes {
    ($($name:ident : $code:literal $text:literal;)*) => {
        /// Kind of a remark on a document; the table gives its code and its sentence.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum IssueCode { $(#[doc = $text] $name,)* }
        impl IssueCode {
            /// The code, as stored and shown.
            #[must_use] pub const fn code(self) -> &'static str { match self { $(Self::$name => $code,)* } }
            /// The sentence.
            #[must_use] pub const fn text(self) -> &'static str { match self { $(Self::$name => $text,)* } }
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

issue_codes! {
    TextDiffers        : "text-differs"         "code and attested text contradict each other; both are kept";
    DateTruncated      : "date-truncated"       "a time without a usable zone is kept to the day";
    DateUnreadable     : "date-unreadable"      "a date that is no date is left out";
    PeriodBackwards    : "period-backwards"     "a period that ends before it starts is left out";
    NumberUnreadable   : "number-unreadable"    "a number that is no number is left out";
    ReferenceDangling  : "reference-dangling"   "a reference into the narrative names no text";
    CodeFromAncestor   : "code-from-ancestor"   "an entry without code has the code of the nearest entry around it";
    CodeNotInSystem    : "code-not-in-system"   "a code that its HL7 system does not have keeps the OID as system";
    IdentifierOfPerson : "identifier-of-person" "the identifier of a person or structure on a thing is not copied";
    IdentifierOfOther  : "identifier-of-other"  "the national health identity of another person is not copied";
    ValueNotTranslated : "value-not-translated" "a value of this type or number has no place in the resource";
    BoundExclusive     : "bound-exclusive"      "an exclusive bound of a range is kept as an inclusive one";
    ContentUnreadable  : "content-unreadable"   "an embedded file is not base64 and is left out";
    StatusFromSection  : "status-from-section"  "an allergy that states no status is active: its section lists those in force";
    DeniedAsNote       : "denied-as-note"       "a denied problem of a relative is a note, no condition";
    StatusNotMapped    : "status-not-mapped"    "a status that the resource cannot say: the entry is listed";
    ServiceStatusMixed : "service-status-mixed" "the documented services have different statuses; the least is taken";
    AuthenticatorOther : "authenticator-other"  "the legal authenticator is no professional: no authenticator in the DocumentReference";
    LimitReached       : "limit-reached"        "more participants, texts or entries than one document may have; the rest is left out";
    VitalSignUnfit     : "vital-sign-unfit"     "a vital sign without day or usual unit keeps the OID of its LOINC code, and is in no category";
    VitalSignConverted : "vital-sign-converted" "a height in metres is written in centimetres; the stated value stands beside it";
    AbatementUncertain : "abatement-uncertain"  "an end date on a problem whose status is not known to be ended is kept as a note";
}

/// One remark: which, and the element it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranslationIssue {
    /// Row of the table.
    pub code: IssueCode,
    /// Absolute XPath in the ClinicalDocument.
    pub path: String,
}

/// An OperationOutcome of warnings, each with its XPath.
pub(super) fn operation_outcome(issues: &[TranslationIssue]) -> Value {
    if issues.is_empty() {
        let done = json!({"severity": "information", "code": "informational", "diagnostics": "nothing to remark"});
        return json!({"resourceType": "OperationOutcome", "issue": [done]});
    }
    let issue = |issue: &TranslationIssue| {
        json!({"severity": "warning", "code": "informational", "details": {"text": issue.code.code()},
               "diagnostics": issue.code.text(), "location": [issue.path]})
    };
    json!({"resourceType": "OperationOutcome", "issue": issues.iter().map(issue).collect::<Vec<_>>()})
}
