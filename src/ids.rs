//! The only source of identifiers and random bytes.
//!
//! A FHIR id is one AES-128 block of (pid 48 bits, rid 49 bits, 31 zero bits) under the key of the database, printed as
//! a UUID: it routes to its record without a look-up and tells nothing. The key is never rotated: ids stand in bodies
//! and in clients.
use crate::clock::Millis;
use openssl::aes::{AesKey, KeyError, aes_ige};
use openssl::symm::Mode;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use uuid::Uuid;

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
///
/// The key schedules are made once: after that nothing can fail, so no resource ever goes without its own id.
#[derive(Clone)]
pub struct IdCipher {
    encrypt: Arc<AesKey>,
    decrypt: Arc<AesKey>,
}

impl fmt::Debug for IdCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdCipher(..)")
    }
}

impl IdCipher {
    /// With the key of the database.
    ///
    /// # Errors
    /// Where OpenSSL makes no key schedule; it does for every key of 16 bytes.
    pub fn new(key: [u8; 16]) -> Result<Self, KeyError> {
        Ok(Self { encrypt: Arc::new(AesKey::new_encrypt(&key)?), decrypt: Arc::new(AesKey::new_decrypt(&key)?) })
    }

    /// One block of AES: IGE over one block with initial values of zero is the block cipher itself.
    fn block(key: &AesKey, mode: Mode, block: u128) -> u128 {
        let mut out = [0_u8; 16];
        aes_ige(&block.to_be_bytes(), &mut out, key, &mut [0_u8; 32], mode);
        u128::from_be_bytes(out)
    }

    /// The id of a resource.
    #[must_use]
    pub fn uuid(&self, pid: Pid, rid: Rid) -> Uuid {
        let plain = (u128::from(pid.0.unsigned_abs()) << 80) | (u128::from(rid.0.unsigned_abs()) << 31);
        Uuid::from_u128(Self::block(&self.encrypt, Mode::Encrypt, plain))
    }

    /// The id of a resource, as a lower-case UUID.
    #[must_use]
    pub fn seal(&self, pid: Pid, rid: Rid) -> String {
        self.uuid(pid, rid).hyphenated().to_string()
    }

    /// Where an id leads; `None` for one that this server did not make (look in `alias` then).
    #[must_use]
    pub fn open(&self, id: &str) -> Option<(Pid, Rid)> {
        // Only the printed form is an id: `Uuid` alone would also take upper case and braces.
        let uuid = Uuid::try_parse(id).ok().filter(|uuid| uuid.hyphenated().to_string() == id)?;
        let plain = Self::block(&self.decrypt, Mode::Decrypt, uuid.as_u128());
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
///
/// They are unique in this process. Two servers on one database, or a clock set back over a restart, may give a number that the
/// record has: the store refuses a new resource in the place of another, and the unit runs again with new numbers.
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
        let cipher = IdCipher::new([7; 16]).unwrap();
        let id = cipher.seal(Pid(42), Rid(55_000_000_000_000));
        assert_eq!(cipher.open(&id), Some((Pid(42), Rid(55_000_000_000_000))));
        assert_eq!(cipher.open(&id.to_uppercase()), None);
        assert_eq!(IdCipher::new([8; 16]).unwrap().open(&id), None);
    }

    #[test]
    fn an_id_is_one_block_of_aes_128() {
        // FIPS 197, appendix C.1: key 000102..0f, block 00112233..ff.
        let cipher = IdCipher::new(std::array::from_fn(|byte| u8::try_from(byte).unwrap())).unwrap();
        let plain = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff;
        let sealed = 0x69c4_e0d8_6a7b_0430_d8cd_b780_70b4_c55a;
        assert_eq!(IdCipher::block(&cipher.encrypt, Mode::Encrypt, plain), sealed);
        assert_eq!(IdCipher::block(&cipher.decrypt, Mode::Decrypt, sealed), plain);
    }

    #[test]
    fn rids_grow_also_when_the_clock_stands_still_or_goes_back() {
        let source = RidSource::default();
        let first = source.next(Millis(1_800_000_000_000));
        assert!(source.next(Millis(1_800_000_000_000)) > first);
        assert!(source.next(Millis(1_700_000_000_000)) > first);
    }
}
