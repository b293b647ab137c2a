//! The only source of identifiers and random bytes.
//!
//! A FHIR id is one AES-128 block of (pid 48 bits, rid 49 bits, 31 zero bits) under the key of the database, printed as
//! a UUID: it routes to its record without a look-up and tells nothing. The key is never rotated: ids stand in bodies
//! and in clients.
use crate::clock::Millis;
use openssl::symm::{Cipher, Crypter, Mode};
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

/// Number of a record (48 bits); 0 is the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pid(pub i64);

impl Pid {
    /// The directory: practitioners, organizations, definitions; no patient.
    pub const DIRECTORY: Self = Self(0);
}

/// Number of a resource inside its record (49 bits); the Patient has 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rid(pub i64);

impl Rid {
    /// The Patient of a record.
    pub const PATIENT: Self = Self(0);
}

/// Turns (pid, rid) into an opaque FHIR id and back.
#[derive(Clone)]
pub struct IdCipher {
    key: [u8; 16],
}

impl fmt::Debug for IdCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdCipher(..)")
    }
}

impl IdCipher {
    /// With the key of the database.
    #[must_use]
    pub fn new(key: [u8; 16]) -> Self {
        Self { key }
    }

    fn block(&self, mode: Mode, block: u128) -> Option<u128> {
        let mut crypter = Crypter::new(Cipher::aes_128_ecb(), mode, &self.key, None).ok()?;
        crypter.pad(false);
        let mut out = [0_u8; 32];
        let written = crypter.update(&block.to_be_bytes(), &mut out).ok()?;
        let bytes: [u8; 16] = out.get(..written)?.try_into().ok()?;
        Some(u128::from_be_bytes(bytes))
    }

    /// The id of a resource, as a lower-case UUID.
    #[must_use]
    pub fn seal(&self, pid: Pid, rid: Rid) -> String {
        let plain = (u128::from(pid.0.unsigned_abs()) << 80) | (u128::from(rid.0.unsigned_abs()) << 31);
        let sealed = self.block(Mode::Encrypt, plain).unwrap_or_default();
        uuid::Uuid::from_u128(sealed).hyphenated().to_string()
    }

    /// Where an id leads; `None` for one that this server did not make (look in `alias` then).
    #[must_use]
    pub fn open(&self, id: &str) -> Option<(Pid, Rid)> {
        // Only the printed form is an id: `Uuid` alone would also take upper case and braces.
        let uuid = uuid::Uuid::try_parse(id).ok().filter(|uuid| uuid.hyphenated().to_string() == id)?;
        let plain = self.block(Mode::Decrypt, uuid.as_u128())?;
        if plain & ((1 << 31) - 1) != 0 {
            return None;
        }
        let pid = i64::try_from(plain >> 80).ok()?;
        let rid = i64::try_from((plain >> 31) & ((1 << 49) - 1)).ok()?;
        Some((Pid(pid), Rid(rid)))
    }
}

/// Milliseconds of 2020-01-01T00:00:00Z since 1970.
const EPOCH_2020: i64 = 1_577_836_800_000;

/// Makes rids that grow: milliseconds since 2020 * 256 + n, no counter to restore after a crash.
#[derive(Debug, Default)]
pub struct RidSource {
    last: AtomicI64,
}

impl RidSource {
    /// The next rid at this time; never one that this source gave before.
    pub fn next(&self, now: Millis) -> Rid {
        let floor = (now.0 - EPOCH_2020).max(1).saturating_mul(256);
        let mut last = self.last.load(Ordering::Relaxed);
        loop {
            let next = floor.max(last.saturating_add(1));
            match self.last.compare_exchange_weak(last, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Rid(next),
                Err(seen) => last = seen,
            }
        }
    }
}

/// Random bytes from OpenSSL.
///
/// # Errors
/// Where OpenSSL has no entropy.
pub fn random<const N: usize>() -> Result<[u8; N], openssl::error::ErrorStack> {
    let mut bytes = [0_u8; N];
    openssl::rand::rand_bytes(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_back_to_its_record_and_resource() {
        let cipher = IdCipher::new([7; 16]);
        let id = cipher.seal(Pid(42), Rid(55_000_000_000_000));
        assert_eq!(cipher.open(&id), Some((Pid(42), Rid(55_000_000_000_000))));
        assert_eq!(cipher.open(&id.to_uppercase()), None);
        assert_eq!(IdCipher::new([8; 16]).open(&id), None);
    }

    #[test]
    fn rids_grow_also_when_the_clock_stands_still_or_goes_back() {
        let source = RidSource::default();
        let first = source.next(Millis(1_800_000_000_000));
        assert!(source.next(Millis(1_800_000_000_000)) > first);
        assert!(source.next(Millis(1_700_000_000_000)) > first);
    }
}
