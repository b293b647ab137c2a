//! The body of a request: read within a bound of bytes and of time, unpacked, and worked on where it stalls nobody.
use super::request::text;
use crate::fhir::{IssueKind, Problem};
use actix_web::http::header;
use actix_web::{HttpRequest, web};
use futures_util::StreamExt;
use std::io::Read;
use std::time::Duration;

/// Bytes up to which work is done on the worker itself; a job of more would stall the other connections of the worker.
const INLINE_MAX: usize = 64 << 10;
/// How far beyond the bound a body that is too large is read and forgotten, so that the client hears the answer.
const REST_MAX: usize = 4 << 20;
/// For how long.
const REST_TIME: Duration = Duration::from_secs(5);

/// Runs a job over so many bytes: on a thread of its own where they are many.
///
/// # Errors
/// `Internal` where the job ended without a result.
pub(super) async fn off_worker<T: Send + 'static>(bytes: usize, job: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    if bytes <= INLINE_MAX {
        return Ok(job());
    }
    web::block(job).await.map_err(|_ended| Problem::new(IssueKind::Internal, "The request's own work ended without a result"))
}

/// The body as it was sent, and whether it is packed.
pub(super) struct Sent {
    bytes: Vec<u8>,
    gzip: bool,
}

impl Sent {
    /// How much work it is: what is packed is as large as the bound.
    pub(super) fn size(&self) -> usize {
        if self.gzip { usize::MAX } else { self.bytes.len() }
    }

    /// The plain bytes, within the bound.
    ///
    /// # Errors
    /// `TooLarge`, and `Malformed` for what is not gzip.
    pub(super) fn unpack(self, bytes_max: usize) -> Result<Vec<u8>, Problem> {
        if !self.gzip {
            return Ok(self.bytes);
        }
        let mut plain = Vec::new();
        let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
        flate2::read::MultiGzDecoder::new(self.bytes.as_slice())
            .take(limit)
            .read_to_end(&mut plain)
            .map_err(|_not_gzip| Problem::new(IssueKind::Malformed, "The body is not gzip"))?;
        if plain.len() > bytes_max { Err(too_large(bytes_max)) } else { Ok(plain) }
    }
}

/// Reads the whole body.
///
/// # Errors
/// `TooLarge` beyond `bytes_max`, `Timeout` after `time_max`, `MediaTypeUnsupported` for another packing than gzip.
pub(super) async fn read(
    request: &HttpRequest,
    payload: web::Payload,
    bytes_max: usize,
    time_max: Duration,
) -> Result<Sent, Problem> {
    let gzip = match text(request.headers(), header::CONTENT_ENCODING) {
        None | Some("identity") => false,
        Some("gzip") => true,
        Some(_) => {
            return Err(Problem::new(IssueKind::MediaTypeUnsupported, "Content-Encoding is neither gzip nor identity"));
        }
    };
    let announced = text(request.headers(), header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    let late = |_elapsed| {
        Problem::new(IssueKind::Timeout, format!("The body took longer than {} seconds to arrive", time_max.as_secs()))
    };
    let bytes = tokio::time::timeout(time_max, collect(payload, announced, bytes_max)).await.map_err(late)??;
    Ok(Sent { bytes, gzip })
}

async fn collect(mut payload: web::Payload, announced: Option<usize>, bytes_max: usize) -> Result<Vec<u8>, Problem> {
    if let Some(length) = announced.filter(|length| *length > bytes_max) {
        // Of one that is far too large nothing is read: the connection ends with the answer.
        if length <= bytes_max.saturating_add(REST_MAX) {
            drain(payload, length).await;
        }
        return Err(too_large(bytes_max));
    }
    let mut bytes = Vec::with_capacity(announced.unwrap_or_default().min(1 << 20));
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_broken| Problem::new(IssueKind::Malformed, "The body ended before its announced length"))?;
        if bytes.len().saturating_add(chunk.len()) > bytes_max {
            drain(payload, REST_MAX).await;
            return Err(too_large(bytes_max));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn too_large(bytes_max: usize) -> Problem {
    Problem::new(IssueKind::TooLarge, format!("The body is greater than {bytes_max} bytes"))
}

/// Reads and forgets a bounded rest, so that the client hears the answer instead of a reset connection.
async fn drain(mut payload: web::Payload, rest_max: usize) {
    let read = async move {
        let mut rest = 0_usize;
        while let Some(Ok(chunk)) = payload.next().await {
            rest = rest.saturating_add(chunk.len());
            if rest > rest_max {
                return;
            }
        }
    };
    // A client that goes on for longer is cut off.
    drop(tokio::time::timeout(REST_TIME, read).await);
}
