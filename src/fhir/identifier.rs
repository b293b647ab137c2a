//! National identifiers in one normal form each, so that every comparison is of equals.
use std::fmt;

/// OIDs under which an INS (matricule) names a record: NIR, NIA, and the test and demonstration ones (BR-07).
pub const INS_OIDS: [&str; 4] = ["1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.9", "1.2.250.1.213.1.4.10", "1.2.250.1.213.1.4.11"];

/// The national health identity of a person: OID and matricule (BR-07).
///
/// A wrong key is a warning of the caller of this type, not an error here (BR-08). Prints without the value.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Ins {
    oid: &'static str,
    value: String,
}

impl Ins {
    /// From `urn:oid:<OID>` or the bare OID, and the 15 characters of the matricule with its key.
    #[must_use]
    pub fn new(system: &str, value: &str) -> Option<Self> {
        let oid = system.strip_prefix("urn:oid:").unwrap_or(system);
        let oid = INS_OIDS.into_iter().find(|known| *known == oid)?;
        let plausible = value.len() == 15 && value.bytes().all(|byte| byte.is_ascii_alphanumeric());
        plausible.then(|| Self { oid, value: value.to_ascii_uppercase() })
    }
    /// Whether a system is one of the INS: `urn:oid:<OID>` or the bare OID.
    #[must_use]
    pub fn is_system(system: &str) -> bool {
        INS_OIDS.contains(&system.strip_prefix("urn:oid:").unwrap_or(system))
    }
    /// The bare OID.
    #[must_use]
    pub fn oid(&self) -> &'static str {
        self.oid
    }
    /// `urn:oid:<OID>`, as FHIR writes it.
    #[must_use]
    pub fn system(&self) -> String {
        format!("urn:oid:{}", self.oid)
    }
    /// The 15 characters.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
    /// Under which text the tables name this person.
    #[must_use]
    pub fn who(&self) -> String {
        format!("ins:{}|{}", self.oid, self.value)
    }
    /// Whether the OID is one of the test and demonstration ones.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.oid.ends_with(".10") || self.oid.ends_with(".11")
    }
    /// Whether the two last digits are 97 - (N mod 97) of the first thirteen, Corsica's 2A as 19 and 2B as 18 (BR-08).
    #[must_use]
    pub fn key_is_right(&self) -> bool {
        let digits = self.value.replacen("2A", "19", 1).replacen("2B", "18", 1);
        let (Some(number), Some(key)) = (digits.get(..13), digits.get(13..)) else { return false };
        match (number.parse::<u64>(), key.parse::<u64>()) {
            (Ok(number), Ok(key)) => 97 - number % 97 == key,
            _ => false,
        }
    }
}

impl fmt::Debug for Ins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ins(..)")
    }
}

/// A professional's national number in its one normal form: 11 digits (BR-11).
///
/// CDA and Pro Santé Connect write `8` before it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rpps(String);

impl Rpps {
    /// From 11 digits, or `8` and 11 digits.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let digits = if text.len() == 12 { text.strip_prefix('8')? } else { text };
        (digits.len() == 11 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| Self(digits.to_owned()))
    }
    /// The 11 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Under which text the tables name this professional.
    #[must_use]
    pub fn who(&self) -> String {
        format!("rpps:{}", self.0)
    }
    /// The professional whom [`Rpps::who`] names.
    #[must_use]
    pub fn from_who(text: &str) -> Option<Self> {
        text.strip_prefix("rpps:").and_then(Self::new)
    }
    /// `8` and the 11 digits, as PS_IdNat writes it.
    #[must_use]
    pub fn ps_idnat(&self) -> String {
        format!("8{}", self.0)
    }
}

impl fmt::Debug for Rpps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rpps(..)")
    }
}

/// A structure's national number in its one normal form: FINESS, 9 characters, without the `1` that Struct_IdNat writes before it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Finess(String);

impl Finess {
    /// From 9 characters, or `1` and 9 characters.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let bare = if text.len() == 10 { text.strip_prefix('1')? } else { text };
        (bare.len() == 9 && bare.bytes().all(|byte| byte.is_ascii_alphanumeric())).then(|| Self(bare.to_ascii_uppercase()))
    }
    /// The 9 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Under which text the tables name this structure as one who acts and reads.
    #[must_use]
    pub fn who(&self) -> String {
        format!("finess:{}", self.0)
    }
    /// The structure that [`Finess::who`] names.
    #[must_use]
    pub fn from_who(text: &str) -> Option<Self> {
        text.strip_prefix("finess:").and_then(Self::new)
    }
    /// Under which text the tables name this structure as the custodian of a document: it may replace it, and sees nothing
    /// by it.
    #[must_use]
    pub fn as_custodian(&self) -> String {
        format!("custodian:{}", self.0)
    }
    /// `1` and the 9 characters, as Struct_IdNat writes it.
    #[must_use]
    pub fn struct_idnat(&self) -> String {
        format!("1{}", self.0)
    }
}

impl fmt::Debug for Finess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Finess(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_identity_has_one_text_in_the_tables_and_a_custodian_is_no_reader() {
        let (rpps, finess) = (Rpps::new("810000000001").unwrap(), Finess::new("1120459876").unwrap());
        assert_eq!(rpps.who(), "rpps:10000000001");
        assert_eq!(finess.who(), "finess:120459876");
        assert_eq!(finess.as_custodian(), "custodian:120459876");
        let ins = Ins::new("urn:oid:1.2.250.1.213.1.4.8", "279035121518989").unwrap();
        assert_eq!(ins.who(), "ins:1.2.250.1.213.1.4.8|279035121518989");
        assert_eq!((Rpps::from_who(&rpps.who()), Finess::from_who(&finess.who())), (Some(rpps), Some(finess.clone())));
        assert_eq!(Finess::from_who(&finess.as_custodian()), None);
    }
}
