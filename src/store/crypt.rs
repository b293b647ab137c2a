//! Keys: those of the database, the master key beside it, and sealing with AES-256-GCM.
use super::error::StoreError;
use crate::ids;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use std::io::Write as _;
use std::path::Path;

const NONCE: usize = 12;
const TAG: usize = 16;

/// Keys of one database. Prints nothing of them.
pub(super) struct Keys {
    /// Of FHIR ids; never rotated, because ids stand in bodies and in clients.
    pub(super) id: [u8; 16],
    /// Of search keys.
    pub(super) search: [u8; 16],
    /// Seals cursors.
    pub(super) cursor: [u8; 32],
    /// Hashes INS and uniqueIds.
    pub(super) identity: [u8; 32],
    /// Wraps the keys of the records; lives in a file, never in the database.
    pub(super) master: [u8; 32],
}

/// Seals bytes: nonce, ciphertext, tag. `about` is authenticated, not kept: what was sealed for one place opens nowhere else.
pub(super) fn seal(key: &[u8; 32], about: &[u8], bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    let nonce = ids::random::<NONCE>()?;
    let mut tag = [0_u8; TAG];
    let sealed = encrypt_aead(Cipher::aes_256_gcm(), key, Some(&nonce), about, bytes, &mut tag)?;
    Ok([nonce.as_slice(), &sealed, &tag].concat())
}

/// Opens what [`seal`] sealed about the same thing.
pub(super) fn open(key: &[u8; 32], about: &[u8], sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
    let damaged = StoreError::Damaged("a sealed value is too short");
    let Some((nonce, rest)) = sealed.split_at_checked(NONCE) else { return Err(damaged) };
    let Some((bytes, tag)) = rest.len().checked_sub(TAG).and_then(|end| rest.split_at_checked(end)) else { return Err(damaged) };
    Ok(decrypt_aead(Cipher::aes_256_gcm(), key, Some(nonce), about, bytes, tag)?)
}

/// HMAC-SHA256 of a value under the identity key: equal values have equal hashes, which tell nothing without the key.
pub(super) fn identity_hash(key: &[u8; 32], kind: &str, value: &str) -> Result<Vec<u8>, StoreError> {
    let key = openssl::pkey::PKey::hmac(key)?;
    let mut signer = openssl::sign::Signer::new(openssl::hash::MessageDigest::sha256(), &key)?;
    signer.update(kind.as_bytes())?;
    signer.update(&[0])?;
    signer.update(value.as_bytes())?;
    Ok(signer.sign_to_vec()?)
}

/// Reads the master key of a database, or makes it where the database is new.
///
/// An existing database never gets a new key: its documents would be lost without a word.
pub(super) fn master_key(path: &Path, new_database: bool) -> Result<[u8; 32], StoreError> {
    let failed = |source| StoreError::File { path: path.display().to_string(), source };
    match std::fs::read(path) {
        Ok(bytes) => <[u8; 32]>::try_from(bytes).ok().ok_or(StoreError::Damaged("the master key file does not hold 32 bytes")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && new_database => {
            let key = ids::random::<32>()?;
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(path).map_err(failed)?;
            file.write_all(&key).and_then(|()| file.sync_all()).map_err(failed)?;
            Ok(key)
        }
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_about_one_thing_opens_only_about_it_and_only_whole() {
        let sealed = seal(&[1; 32], b"record 7", b"secret").unwrap();
        assert_eq!(open(&[1; 32], b"record 7", &sealed).unwrap(), b"secret");
        assert!(open(&[1; 32], b"record 8", &sealed).is_err());
        assert!(open(&[2; 32], b"record 7", &sealed).is_err());
        assert!(open(&[1; 32], b"record 7", &sealed[..sealed.len() - 1]).is_err());
        assert!(open(&[1; 32], b"record 7", b"short").is_err());
    }
}
