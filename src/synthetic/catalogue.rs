//! The analyses of the synthetic reports: LOINC code, French name, unit, reference ranges.
use super::person::Sex;

/// One analysis as the laboratory offers it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Analysis {
    /// LOINC code.
    pub loinc: &'static str,
    /// Name in the report.
    pub name: &'static str,
    /// Unit as printed.
    pub unit: &'static str,
    /// The same unit in UCUM.
    pub ucum: &'static str,
    /// Low and high bound for women; an empty text is no bound.
    pub female: (&'static str, &'static str),
    /// Low and high bound for men.
    pub male: (&'static str, &'static str),
    /// Digits after the decimal point.
    pub decimals: usize,
    /// Method, as printed.
    pub method: &'static str,
}

impl Analysis {
    /// Bounds for this sex.
    #[must_use]
    pub fn range(&self, sex: Sex) -> (&'static str, &'static str) {
        match sex {
            Sex::Female => self.female,
            Sex::Male => self.male,
        }
    }
    /// `N`, `L` or `H` of v3-ObservationInterpretation.
    #[must_use]
    pub fn interpretation(&self, sex: Sex, value: &str) -> &'static str {
        let (low, high) = self.range(sex);
        let number = |text: &str| text.parse::<f64>().ok();
        match (number(value), number(low), number(high)) {
            (Some(value), Some(low), _) if value < low => "L",
            (Some(value), _, Some(high)) if value > high => "H",
            _ => "N",
        }
    }
    /// Middle of the range, for results without a story: between the bounds, or well inside the one bound.
    #[must_use]
    pub fn middle(&self, sex: Sex) -> f64 {
        let (low, high) = self.range(sex);
        match (low.parse::<f64>(), high.parse::<f64>()) {
            (Ok(low), Ok(high)) => f64::midpoint(low, high),
            (Ok(low), Err(_)) => low * 1.4,
            (Err(_), Ok(high)) => high * 0.6,
            (Err(_), Err(_)) => 1.0,
        }
    }
}

type Bounds = (&'static str, &'static str);

const fn analysis(
    loinc: &'static str,
    name: &'static str,
    units: (&'static str, &'static str),
    bounds: (Bounds, Bounds),
    decimals: usize,
    method: &'static str,
) -> Analysis {
    let ((unit, ucum), (female, male)) = (units, bounds);
    Analysis { loinc, name, unit, ucum, female, male, decimals, method }
}

const fn all(low: &'static str, high: &'static str) -> (Bounds, Bounds) {
    ((low, high), (low, high))
}

const CYTOMETRY: &str = "Cytométrie en flux";
const ENZYMATIC: &str = "Enzymatique";
const ION: &str = "Potentiométrie indirecte";
const SPECTRO: &str = "Spectrophotométrie";
const GIGA: (&str, &str) = ("G/L", "10*9/L");
const MMOL: (&str, &str) = ("mmol/L", "mmol/L");
const UMOL: (&str, &str) = ("µmol/L", "umol/L");
const UNITS: (&str, &str) = ("UI/L", "U/L");

/// Glycated haemoglobin.
pub const HBA1C: Analysis = analysis("4548-4", "Hémoglobine A1c", ("%", "%"), all("4.0", "6.0"), 1, "HPLC");
/// Glucose.
pub const GLUCOSE: Analysis = analysis("14749-6", "Glucose", MMOL, all("3.90", "6.10"), 2, "Hexokinase");
/// Creatinine.
pub const CREATININE: Analysis = analysis("14682-9", "Créatinine", UMOL, (("45", "84"), ("59", "104")), 0, ENZYMATIC);
/// Estimated glomerular filtration.
pub const FILTRATION: Analysis = analysis(
    "62238-1",
    "Débit de filtration glomérulaire estimé (CKD-EPI)",
    ("mL/min/1,73 m²", "mL/min/{1.73_m2}"),
    all("60", ""),
    0,
    "Calcul",
);
/// Thyrotropin.
pub const TSH: Analysis =
    analysis("3016-3", "Thyréostimuline (TSH)", ("mUI/L", "m[IU]/L"), all("0.27", "4.20"), 2, "Électrochimiluminescence");
/// Free thyroxine.
pub const FREE_T4: Analysis =
    analysis("14920-3", "Thyroxine libre (T4 libre)", ("pmol/L", "pmol/L"), all("12.0", "22.0"), 1, "Électrochimiluminescence");

/// Haemogram, in the order of the report.
pub const HAEMOGRAM: [Analysis; 13] = [
    analysis("789-8", "Érythrocytes", ("T/L", "10*12/L"), (("3.90", "5.20"), ("4.30", "5.80")), 2, CYTOMETRY),
    analysis("718-7", "Hémoglobine", ("g/dL", "g/dL"), (("12.0", "16.0"), ("13.0", "17.0")), 1, SPECTRO),
    analysis("4544-3", "Hématocrite", ("%", "%"), (("36.0", "46.0"), ("40.0", "52.0")), 1, CYTOMETRY),
    analysis("787-2", "Volume globulaire moyen", ("fL", "fL"), all("80.0", "100.0"), 1, CYTOMETRY),
    analysis("785-6", "Teneur corpusculaire moyenne en hémoglobine", ("pg", "pg"), all("27.0", "32.0"), 1, "Calcul"),
    analysis("786-4", "Concentration corpusculaire moyenne en hémoglobine", ("g/dL", "g/dL"), all("31.5", "36.0"), 1, "Calcul"),
    analysis("6690-2", "Leucocytes", GIGA, all("4.00", "10.00"), 2, CYTOMETRY),
    analysis("751-8", "Polynucléaires neutrophiles", GIGA, all("1.80", "7.50"), 2, CYTOMETRY),
    analysis("711-2", "Polynucléaires éosinophiles", GIGA, all("0.04", "0.50"), 2, CYTOMETRY),
    analysis("704-7", "Polynucléaires basophiles", GIGA, all("", "0.10"), 2, CYTOMETRY),
    analysis("731-0", "Lymphocytes", GIGA, all("1.00", "4.00"), 2, CYTOMETRY),
    analysis("742-7", "Monocytes", GIGA, all("0.20", "1.00"), 2, CYTOMETRY),
    analysis("777-3", "Plaquettes", GIGA, all("150", "400"), 0, CYTOMETRY),
];

/// Lipids, in the order of the report.
pub const LIPIDS: [Analysis; 4] = [
    analysis("14647-2", "Cholestérol total", MMOL, all("", "5.20"), 2, ENZYMATIC),
    analysis("14646-4", "Cholestérol HDL", MMOL, (("1.20", ""), ("1.00", "")), 2, ENZYMATIC),
    analysis("39469-2", "Cholestérol LDL calculé", MMOL, all("", "3.40"), 2, "Calcul"),
    analysis("14927-8", "Triglycérides", MMOL, all("", "1.70"), 2, ENZYMATIC),
];

/// Electrolytes.
pub const ELECTROLYTES: [Analysis; 4] = [
    analysis("2951-2", "Sodium", MMOL, all("136", "145"), 0, ION),
    analysis("2823-3", "Potassium", MMOL, all("3.5", "5.1"), 1, ION),
    analysis("2075-0", "Chlorures", MMOL, all("98", "107"), 0, ION),
    analysis("22664-7", "Urée", MMOL, all("2.8", "8.1"), 1, ENZYMATIC),
];

/// Liver.
pub const LIVER: [Analysis; 5] = [
    analysis("1920-8", "Aspartate aminotransférase (ASAT)", UNITS, all("", "40"), 0, ENZYMATIC),
    analysis("1742-6", "Alanine aminotransférase (ALAT)", UNITS, all("", "41"), 0, ENZYMATIC),
    analysis("2324-2", "Gamma-glutamyltransférase", UNITS, all("", "60"), 0, ENZYMATIC),
    analysis("6768-6", "Phosphatases alcalines", UNITS, all("35", "130"), 0, ENZYMATIC),
    analysis("14631-6", "Bilirubine totale", UMOL, all("", "21"), 0, "Diazoréaction"),
];

/// A bacterium that a culture found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Organism {
    /// SNOMED CT code.
    pub snomed: &'static str,
    /// NCBI Taxonomy code.
    pub ncbi: &'static str,
    /// Scientific name.
    pub name: &'static str,
}

/// An antibiotic tested against an isolate: LOINC code, name, bound and value of the inhibitory concentration in mg/L
/// (`<=` or `>`), and S, I or R.
pub type Antibiotic = (&'static str, &'static str, (&'static str, &'static str), &'static str);

/// Klebsiella pneumoniae.
pub const KLEBSIELLA: Organism = Organism { snomed: "56415008", ncbi: "573", name: "Klebsiella pneumoniae" };
/// Enterococcus faecalis.
pub const ENTEROCOCCUS: Organism = Organism { snomed: "78065002", ncbi: "1351", name: "Enterococcus faecalis" };

/// Antibiogram of the Klebsiella.
pub const KLEBSIELLA_ANTIBIOGRAM: [Antibiotic; 6] = [
    ("18864-9", "Ampicilline", (">", "32"), "R"),
    ("18862-3", "Amoxicilline + acide clavulanique", ("<=", "8"), "S"),
    ("18886-2", "Céfotaxime", ("<=", "0.25"), "S"),
    ("18906-8", "Ciprofloxacine", (">", "1"), "R"),
    ("18928-2", "Gentamicine", ("<=", "1"), "S"),
    ("18998-5", "Triméthoprime + sulfaméthoxazole", ("<=", "4"), "I"),
];

/// Antibiogram of the Enterococcus.
pub const ENTEROCOCCUS_ANTIBIOGRAM: [Antibiotic; 3] = [
    ("18864-9", "Ampicilline", ("<=", "2"), "S"),
    ("18906-8", "Ciprofloxacine", (">", "4"), "R"),
    ("19000-9", "Vancomycine", ("<=", "1"), "S"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_outside_the_range_of_the_sex_is_low_or_high() {
        assert_eq!(CREATININE.interpretation(Sex::Female, "90"), "H");
        assert_eq!(CREATININE.interpretation(Sex::Male, "90"), "N");
        assert_eq!(FILTRATION.interpretation(Sex::Male, "45"), "L");
        assert_eq!(HBA1C.interpretation(Sex::Male, "6.0"), "N");
    }
}
