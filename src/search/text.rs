//! Text as string search compares it: without case, accents, punctuation and double blanks.
//! <https://hl7.org/fhir/R4/search.html#string>
use icu_normalizer::DecomposingNormalizerBorrowed;

/// Longest prefix that is indexed: longer values of a query are decided on bodies.
pub(super) const INDEXED: usize = 100;

/// The normal form: `Élodie  O'Neil-Œuvrard` is `elodie o neil oeuvrard`.
#[must_use]
pub fn normal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in DecomposingNormalizerBorrowed::new_nfkd().normalize_iter(text.chars().flat_map(char::to_lowercase)) {
        match character {
            'œ' => out.push_str("oe"),
            'æ' => out.push_str("ae"),
            'ß' => out.push_str("ss"),
            'ø' => out.push('o'),
            'ł' => out.push('l'),
            'đ' => out.push('d'),
            // Combining marks: what decomposing leaves of accents.
            '\u{300}'..='\u{36f}' => {}
            _ if character.is_alphanumeric() => out.push(character),
            _ if out.ends_with(' ') || out.is_empty() => {}
            _ => out.push(' '),
        }
    }
    if out.ends_with(' ') {
        out.pop();
    }
    out
}

/// The beginning that a `text` row holds.
pub(super) fn indexed(normal: &str) -> String {
    normal.chars().take(INDEXED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_accents_and_punctuation_do_not_count() {
        for (text, expected) in [
            ("Élodie  O'Neil-Œuvrard", "elodie o neil oeuvrard"),
            ("É\u{301}", "e"),
            ("E\u{301}", "e"),
            ("  ça, va?  ", "ca va"),
            ("Straße", "strasse"),
            ("Łódź", "lodz"),
            ("東京", "東京"),
            ("", ""),
            ("!!", ""),
        ] {
            assert_eq!(normal(text), expected, "{text}");
        }
    }
}
