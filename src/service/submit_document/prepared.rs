//! What a deposit becomes before its unit begins, so that no other writer waits for it: the document decoded, hashed, packed,
//! read and translated. Pure: it asks the record nothing.
//!
//! What is wrong with the document is kept, and told only after `decide`: a caller without right gets the answer of the rules.
use super::{checks, content};
use crate::cda::{self, Header};
use crate::fhir::interaction::Then;
use crate::fhir::{Interaction, Issue, IssueKind, Problem, Resource};
use crate::service::Request;
use crate::store::Original;
use crate::translate::{self, DepositedFile, Entry};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::sync::{Arc, LazyLock};
use tokio::sync::Semaphore;

/// A document that is ready to be checked against its record, and filed.
pub(crate) struct Prepared {
    pub(super) header: Header,
    /// `DocumentReference.masterIdentifier` as a token.
    pub(super) unique_id: String,
    pub(super) original: Original,
    /// The DocumentReference that the header gives.
    pub(super) reference: Resource,
    /// Everything that is made of the document, with the file of each that has one.
    pub(super) entries: Vec<Entry>,
    pub(super) files: Vec<Option<File>>,
    /// Remarks that do not stop the deposit.
    pub(super) issues: Vec<Issue>,
}

/// A file inside the document: the data of a Binary, which is stored as bytes and not in its body.
pub(super) struct File {
    pub(super) original: Original,
    pub(super) content_type: String,
}

/// A document that is ready, or why it may not be deposited.
pub(crate) type Preparation = Result<Prepared, Problem>;

/// Reads and translates the document of a deposit.
///
/// # Errors
/// 422 at the element that is at fault.
pub(super) fn prepare(body: &Resource) -> Preparation {
    checks::metadata(body)?;
    let content = content::decode(body)?;
    let document = cda::parse(&content.bytes).map_err(|error| {
        Problem::at(
            IssueKind::StructureInvalid,
            "DocumentReference.content[0].attachment.data",
            format!("The document cannot be read: {error}"),
        )
    })?;
    let header = document.header();
    let file = DepositedFile { size: content.bytes.len(), sha1_base64: STANDARD.encode(content.original.sha1()) };
    let (reference, _) = translate::document_reference(&document, &file);
    let mut entries = translate::translate(&document).entries;
    let files = entries.iter_mut().map(|entry| take_file(&mut entry.resource)).collect::<Result<_, _>>()?;
    Ok(Prepared {
        unique_id: checks::unique_id(&header),
        header,
        original: content.original,
        reference,
        entries,
        files,
        issues: content.issues,
    })
}

/// `data` of a Binary.
fn take_file(resource: &mut Resource) -> Result<Option<File>, Problem> {
    if resource.get("resourceType").and_then(Value::as_str) != Some("Binary") {
        return Ok(None);
    }
    let Some(bytes) = resource.shift_remove("data").and_then(|data| STANDARD.decode(data.as_str()?).ok()) else {
        return Ok(None);
    };
    let content_type = resource.get("contentType").and_then(Value::as_str).unwrap_or("application/octet-stream").to_owned();
    Ok(Some(File { original: Original::pack(&bytes)?, content_type }))
}

/// The documents of one request, each at the place of its entry (a lone deposit has place 0).
#[derive(Default)]
pub(crate) struct Deposits(Vec<Option<Preparation>>);

/// Requests that are prepared at once: as many as there are cores.
static CORES: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(2, std::num::NonZero::get)));
/// Requests that wait to be prepared; beyond, the answer is 503.
static QUEUE: Semaphore = Semaphore::const_new(1024);

impl Deposits {
    /// Prepares the documents of a request on a thread beside those that answer.
    pub(crate) async fn of(request: &Arc<Request>) -> Self {
        if !entries(&request.interaction).any(|interaction| deposit(interaction).is_some()) {
            return Self::default();
        }
        let (Ok(_place), Ok(_core)) = (QUEUE.try_acquire(), CORES.acquire().await) else {
            return Self::refused(request, &Problem::new(IssueKind::Busy, "The server has no capacity now; try again"));
        };
        let shared = Arc::clone(request);
        let prepared = tokio::task::spawn_blocking(move || {
            Self(entries(&shared.interaction).map(|interaction| deposit(interaction).map(prepare)).collect())
        });
        // The thread ends without a result only by a defect.
        let Ok(prepared) = prepared.await else {
            tracing::error!("A preparation panicked");
            return Self::refused(request, &Problem::new(IssueKind::Internal, "A defect of this server"));
        };
        prepared
    }

    fn refused(request: &Request, problem: &Problem) -> Self {
        Self(entries(&request.interaction).map(|_| Some(Err(problem.clone()))).collect())
    }

    /// The document of this entry.
    pub(crate) fn get(&self, index: usize) -> Option<&Preparation> {
        self.0.get(index)?.as_ref()
    }
}

fn entries(interaction: &Interaction) -> Box<dyn Iterator<Item = Option<&Interaction>> + Send + '_> {
    match interaction {
        Interaction::Transaction { entries } => Box::new(entries.iter().map(|entry| entry.interaction.as_ref().ok())),
        single => Box::new(std::iter::once(Some(single))),
    }
}

/// The DocumentReference of a deposit, also of a conditional one.
fn deposit(interaction: Option<&Interaction>) -> Option<&Resource> {
    match interaction? {
        Interaction::Deposit { body, .. } => Some(body),
        Interaction::Conditional { then: Then::Create(created), .. } => deposit(Some(created)),
        _other => None,
    }
}
