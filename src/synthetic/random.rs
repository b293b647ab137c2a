//! A small seeded generator, so that the same seed gives the same bytes on every machine and in every version.
use uuid::Uuid;

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): not for secrets.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The stream of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The stream that belongs to one number of a seed: independent of how much the others drew.
    #[must_use]
    pub fn of(seed: u64, number: u64) -> Self {
        let mut parent = Self::new(seed ^ number.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        Self::new(parent.bits())
    }

    fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A whole number from 0 to `bound - 1`; 0 for a bound of 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        let wide = (self.bits() >> 32).wrapping_mul(u64::from(bound));
        u32::try_from(wide >> 32).unwrap_or(0)
    }

    /// A number from `low` to `high`, in steps of a thousandth of the distance.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * f64::from(self.below(1001)) / 1000.0
    }

    /// Whether an event of this probability, in percent, happens.
    pub fn percent(&mut self, chance: u32) -> bool {
        self.below(100) < chance
    }

    /// One of these; the first of an empty list is the type's default.
    pub fn pick<T: Copy + Default>(&mut self, from: &[T]) -> T {
        let index = self.below(u32::try_from(from.len()).unwrap_or(u32::MAX));
        usize::try_from(index).ok().and_then(|index| from.get(index)).copied().unwrap_or_default()
    }
}

/// Namespace of every name-based identifier of the synthetic data.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f0c_2f3e_0a51_5d0e_8d5b_64d6_d0f5_0001);

/// The UUID that always belongs to this name.
#[must_use]
pub(super) fn uuid_of(name: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}

/// An OID of the arc for UUIDs (2.25, ITU-T X.667), which collides with nobody's.
#[must_use]
pub(super) fn oid_of(name: &str) -> String {
    format!("2.25.{}", uuid_of(name).as_u128())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_of_a_seed_is_the_published_one() {
        // First outputs of SplitMix64 for seed 1234567, as its reference implementation prints them.
        let mut random = Random::new(1_234_567);
        assert_eq!(random.bits(), 6_457_827_717_110_365_317);
        assert_eq!(random.bits(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn numbers_stay_below_their_bound() {
        let mut random = Random::new(1);
        assert!((0..1000).all(|_| random.below(7) < 7));
        assert_eq!(random.below(0), 0);
    }
}
