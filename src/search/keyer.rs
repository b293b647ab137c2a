//! Index keys: keyed hashes of (parameter, value), and plain arithmetic for references that join.
use super::plan::Key;
use crate::ids::Rid;
use siphasher::sip::SipHasher24;
use std::fmt;
use std::hash::Hasher;

/// What a hashed key stands for, so that no value of one form meets one of another.
#[derive(Clone, Copy)]
enum Form {
    SystemAndCode,
    Code,
    CodeWithoutSystem,
    Text,
    Uri,
    Identifier,
    Plain,
    Unit,
    CanonicalUnit,
    Composite,
    Statement,
    Question,
}

/// Makes index keys under the secret of the database, so that nobody can craft two values with one key.
///
/// Hashed keys are negative, keys of references positive: they never meet.
#[derive(Clone)]
pub struct Keyer {
    hasher: SipHasher24,
}

impl fmt::Debug for Keyer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyer(..)")
    }
}

/// Numbers from here on are of references to the directory.
const DIRECTORY: i64 = 8192;
/// Numbers of no parameter: statements that are repeated from elsewhere, and statements of their own.
pub(super) const REPEATED: u16 = 8190;
pub(super) const ORIGINAL: u16 = 8191;

impl Keyer {
    /// With the secret of the database.
    #[must_use]
    pub fn new(secret: [u8; 16]) -> Self {
        Self { hasher: SipHasher24::new_with_key(&secret) }
    }

    fn hash(&self, number: u16, form: Form, parts: &[&str]) -> Key {
        let mut hasher = self.hasher;
        hasher.write(&number.to_le_bytes());
        hasher.write(&[form.number()]);
        for part in parts {
            // The length in front keeps ("a", "bc") from being ("ab", "c").
            hasher.write(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.write(part.as_bytes());
        }
        Key(i64::from_le_bytes((hasher.finish() | (1 << 63)).to_le_bytes()))
    }

    /// A token: `system|code`; without system, `|code`.
    #[must_use]
    pub fn token(&self, number: u16, system: Option<&str>, code: &str) -> Key {
        match system {
            Some(system) => self.hash(number, Form::SystemAndCode, &[system, &fold(Some(system), code)]),
            None => self.hash(number, Form::CodeWithoutSystem, &[&fold(None, code)]),
        }
    }
    /// A token by its code, whatever its system.
    #[must_use]
    pub fn code(&self, number: u16, code: &str) -> Key {
        self.hash(number, Form::Code, &[&fold(None, code)])
    }
    /// The `text` rows of a parameter.
    #[must_use]
    pub fn text(&self, number: u16) -> Key {
        self.hash(number, Form::Text, &[])
    }
    /// A URI, canonical or reference as it is written.
    #[must_use]
    pub fn uri(&self, number: u16, uri: &str) -> Key {
        self.hash(number, Form::Uri, &[uri])
    }
    /// The identifier of a logical reference.
    #[must_use]
    pub fn identifier(&self, number: u16, system: &str, value: &str) -> Key {
        self.hash(number, Form::Identifier, &[system, &fold(Some(system), value)])
    }
    /// The `range` rows of a date or number, or of a quantity whatever its unit.
    #[must_use]
    pub fn range(&self, number: u16) -> Key {
        self.hash(number, Form::Plain, &[])
    }
    /// The `range` rows of a quantity in this unit, as it is written.
    #[must_use]
    pub fn unit(&self, number: u16, system: &str, code: &str) -> Key {
        self.hash(number, Form::Unit, &[system, code])
    }
    /// The `range` rows of a quantity in this canonical unit of UCUM.
    #[must_use]
    pub fn canonical_unit(&self, number: u16, unit: &str) -> Key {
        self.hash(number, Form::CanonicalUnit, &[unit])
    }
    /// A key of a composite: that of its first part and that of its second, each made with the composite's number.
    #[must_use]
    pub fn composite(&self, number: u16, first: Key, second: Key) -> Key {
        self.hash(number, Form::Composite, &[&first.0.to_string(), &second.0.to_string()])
    }
    /// What a row of a reference has below its rid: joins `base + rid`, one base for targets in the same record and one
    /// for those in the directory.
    #[must_use]
    pub fn reference_base(number: u16, in_directory: bool) -> Key {
        let number = i64::from(number) + if in_directory { DIRECTORY } else { 0 };
        Key(number << 49)
    }
    /// A reference to a resource of this server.
    #[must_use]
    pub fn reference(number: u16, in_directory: bool, rid: Rid) -> Key {
        Key(Self::reference_base(number, in_directory).0 | rid.0)
    }
    /// What a resource states, without its value: a code and the interval of its date. As a row of a reference, so that what
    /// is repeated and its original differ by their base only.
    pub(super) fn statement(&self, number: u16, code: Key, (from, to): (i64, i64)) -> Key {
        let hash = self.hash(0, Form::Statement, &[&code.0.to_string(), &from.to_string(), &to.to_string()]);
        Self::reference(number, false, Rid(hash.0 & ((1 << 49) - 1)))
    }
    /// A part of a query, so that two that ask the same are known.
    pub(super) fn question(&self, parts: &[&str]) -> Key {
        self.hash(0, Form::Question, parts)
    }
    /// Whether a base is that of references to the directory.
    #[must_use]
    pub fn is_directory_base(base: Key) -> bool {
        base.0 >> 49 >= DIRECTORY
    }
}

impl Form {
    fn number(self) -> u8 {
        match self {
            Self::SystemAndCode => 1,
            Self::Code => 2,
            Self::CodeWithoutSystem => 3,
            Self::Text => 4,
            Self::Uri => 5,
            Self::Identifier => 6,
            Self::Plain => 7,
            Self::Unit => 8,
            Self::CanonicalUnit => 9,
            Self::Composite => 10,
            Self::Statement => 11,
            Self::Question => 12,
        }
    }
}

/// A code as it is compared: R4 asks to ignore case when in doubt; only of UCUM it is known that case tells units apart.
pub(super) fn fold(system: Option<&str>, code: &str) -> String {
    if system == Some(super::kind::quantity::UCUM) { code.to_owned() } else { code.to_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYER: fn() -> Keyer = || Keyer::new([1; 16]);

    #[test]
    fn a_reference_is_its_number_times_2_to_the_49_plus_the_rid() {
        assert_eq!(Keyer::reference(3, false, Rid(77)), Key(3 * 562_949_953_421_312 + 77));
        assert_eq!(Keyer::reference(3, true, Rid(77)), Key((3 + 8192) * 562_949_953_421_312 + 77));
        assert!(Keyer::reference(8191, true, Rid((1 << 49) - 1)).0 > 0);
        assert!(Keyer::is_directory_base(Keyer::reference_base(1, true)));
        assert!(!Keyer::is_directory_base(Keyer::reference_base(8191, false)));
    }

    #[test]
    fn keys_differ_by_parameter_form_part_and_secret() {
        let keyer = KEYER();
        let keys = [
            keyer.token(1, Some("a"), "b"),
            keyer.token(2, Some("a"), "b"),
            keyer.token(1, None, "b"),
            keyer.token(1, Some("ab"), ""),
            keyer.code(1, "b"),
            keyer.uri(1, "b"),
            Keyer::new([2; 16]).token(1, Some("a"), "b"),
        ];
        let distinct: std::collections::BTreeSet<Key> = keys.into_iter().collect();
        assert_eq!(distinct.len(), keys.len());
        assert!(keys.iter().all(|key| key.0 < 0));
    }

    #[test]
    fn codes_are_compared_without_case_but_those_of_ucum() {
        let keyer = KEYER();
        assert_eq!(keyer.token(1, Some("http://loinc.org"), "LA-a"), keyer.token(1, Some("http://loinc.org"), "la-A"));
        let ucum = Some("http://unitsofmeasure.org");
        assert_ne!(keyer.token(1, ucum, "Pa"), keyer.token(1, ucum, "PA"));
    }
}
