//! Bodies as they lie in the database: zstd, with the dictionary `schema/body.dict` where it is not empty.
use super::error::StoreError;
use std::cell::RefCell;
use std::sync::LazyLock;
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::DecoderDictionary;

/// Trained on the official examples of R4 (CC0): 260 bytes for a body of theirs that was not trained on, 609 without.
///
/// Never replaced: bodies of existing databases need it. A frame names its dictionary, so a second one can stand beside it.
static DICTIONARY: &[u8] = include_bytes!("../../schema/body.dict");
static DECODER: LazyLock<DecoderDictionary<'static>> = LazyLock::new(|| DecoderDictionary::copy(DICTIONARY));

/// Largest body that is ever unpacked.
const BODY_MAX: usize = 96 * 1024 * 1024;

thread_local! {
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
    static COMPRESSOR: RefCell<Option<(i32, Compressor<'static>)>> = const { RefCell::new(None) };
}

/// Packs a body.
pub(super) fn pack(body: &[u8], level: i32) -> Result<Vec<u8>, StoreError> {
    COMPRESSOR.with_borrow_mut(|kept| {
        if kept.as_ref().is_none_or(|(of, _)| *of != level) {
            let made =
                if DICTIONARY.is_empty() { Compressor::new(level) } else { Compressor::with_dictionary(level, DICTIONARY) };
            *kept = Some((level, made.map_err(StoreError::Compression)?));
        }
        let Some((_, compressor)) = kept else { return Err(StoreError::Damaged("no compressor")) };
        compressor.compress(body).map_err(StoreError::Compression)
    })
}

/// Unpacks a body.
pub(super) fn unpack(packed: &[u8]) -> Result<Vec<u8>, StoreError> {
    DECOMPRESSOR.with_borrow_mut(|kept| {
        if kept.is_none() {
            let made = if DICTIONARY.is_empty() { Decompressor::new() } else { Decompressor::with_prepared_dictionary(&DECODER) };
            *kept = Some(made.map_err(StoreError::Compression)?);
        }
        let Some(decompressor) = kept else { return Err(StoreError::Damaged("no decompressor")) };
        // The frame says how long its content is; a damaged one must not take the memory.
        let size = zstd::zstd_safe::get_frame_content_size(packed).ok().flatten().and_then(|size| usize::try_from(size).ok());
        let size = size.filter(|size| *size <= BODY_MAX).ok_or(StoreError::Damaged("a body has no length"))?;
        decompressor.decompress(packed, size).map_err(StoreError::Compression)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_comes_back_byte_for_byte() {
        for body in [&b""[..], b"{\"resourceType\":\"Patient\",\"id\":\"1\"}", &[0, 255, 7]] {
            assert_eq!(unpack(&pack(body, 3).unwrap()).unwrap(), body);
        }
        assert!(unpack(b"not packed").is_err());
    }
}
