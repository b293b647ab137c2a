//! Decimals with the precision in which they are written. <https://hl7.org/fhir/R4/search.html#number>

/// A decimal: figures, and how wide the last of them is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decimal {
    text: String,
    /// Value without the point, and the power of ten of its last figure; `None` beyond 36 figures, where the precision
    /// of a float8 is exceeded and the value stands for itself.
    figures: Option<(i128, i32)>,
    /// `1e2`: R4's table gives it [95, 105), a figure more than is written.
    bare_exponent: bool,
}

impl Decimal {
    /// `-12.30`, `1e-7`; `None` for what is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().ok()?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let figures = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let dot_without_figure = mantissa.contains('.') && fraction.is_empty();
        if whole.is_empty() || dot_without_figure || !figures(whole) || !figures(fraction) || text.len() > 400 {
            return None;
        }
        let all = format!("{whole}{fraction}");
        let significant = all.trim_start_matches('0').len();
        let negative = text.starts_with('-');
        let figures = (significant <= 36).then(|| all.parse::<i128>().ok()).flatten().and_then(|value| {
            let last = i32::from(exponent) - i32::try_from(fraction.len()).ok()?;
            Some((if negative { -value } else { value }, last))
        });
        let bare_exponent = fraction.is_empty() && unsigned.contains(['e', 'E']);
        Some(Self { text: text.strip_prefix('+').unwrap_or(text).to_owned(), figures, bare_exponent })
    }

    /// As a float8; equal for equal numbers, however they are written. Beyond 1e300 all are equal, so that no row and no
    /// bound is infinite.
    pub(super) fn value(&self) -> f64 {
        self.text.parse::<f64>().unwrap_or_default().clamp(-1e300, 1e300)
    }

    fn plain(text: String) -> Self {
        Self { text, figures: None, bare_exponent: false }
    }

    /// The text, for exact arithmetic.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// From half a last figure below to half a last figure above: `5.40` is [5.395, 5.405), `1e2` is [95, 105).
    pub(super) fn implied(&self) -> (Self, Self) {
        let Some((value, last)) = self.figures else { return (self.clone(), self.clone()) };
        let (scale, last) = if self.bare_exponent { (100, last - 2) } else { (10, last - 1) };
        let bound = |shift: i128| Self::plain(format!("{}e{last}", value * scale + shift));
        (bound(-5), bound(5))
    }

    /// Ten per cent below and above.
    pub(super) fn about(&self) -> (Self, Self) {
        let Some((value, last)) = self.figures else { return (self.clone(), self.clone()) };
        let bound = |factor: i128| Self::plain(format!("{}e{}", value * factor, last - 1));
        if value < 0 { (bound(11), bound(9)) } else { (bound(9), bound(11)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn implied(text: &str) -> (f64, f64) {
        let (lo, hi) = Decimal::parse(text).unwrap().implied();
        (lo.value(), hi.value())
    }

    #[test]
    fn precision_is_half_of_the_last_figure() {
        assert_eq!(implied("100"), (99.5, 100.5));
        assert_eq!(implied("100.00"), (99.995, 100.005));
        assert_eq!(implied("1e2"), (95.0, 105.0));
        assert_eq!(implied("1.00e2"), (99.5, 100.5));
        assert_eq!(implied("5.40e-3"), (0.005_395, 0.005_405));
        assert_eq!(implied("5.4"), (5.35, 5.45));
        assert_eq!(implied("-5.4"), (-5.45, -5.35));
        assert_eq!(implied("0"), (-0.5, 0.5));
    }

    #[test]
    fn about_is_ten_per_cent_on_each_side() {
        let about = |text: &str| Decimal::parse(text).map(|it| it.about()).map(|(lo, hi)| (lo.value(), hi.value()));
        assert_eq!(about("100"), Some((90.0, 110.0)));
        assert_eq!(about("-5.0"), Some((-5.5, -4.5)));
    }

    #[test]
    fn no_decimal_is_infinite() {
        assert_eq!(Decimal::parse("1e9999").map(|it| it.value()), Some(1e300));
        assert_eq!(implied("-1e9999"), (-1e300, -1e300));
        assert_eq!(
            implied("123456789012345678901234567890123456789012345"),
            (1.234_567_890_123_456_7e44, 1.234_567_890_123_456_7e44)
        );
    }

    #[test]
    fn what_is_no_decimal_is_refused() {
        for text in ["", "-", ".5", "5.", "1,5", "0x1", "1e", "e5", "1 ", "NaN", "inf", "1e99999", "--1", "1.2.3"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }
}
