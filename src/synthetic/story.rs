//! The records of the demo: a few years of reports that follow each person's state of health.
use super::catalogue::{
    Analysis, CREATININE, ELECTROLYTES, ENTEROCOCCUS, ENTEROCOCCUS_ANTIBIOGRAM, FILTRATION, FREE_T4, GLUCOSE, HAEMOGRAM, HBA1C,
    KLEBSIELLA, KLEBSIELLA_ANTIBIOGRAM, LIPIDS, LIVER, TSH,
};
use super::consent::{ConsentActor, ConsentPlan};
use super::date::{LATEST, earlier, later};
use super::directory::{
    BLOCKED_PROFESSIONAL, GENERAL_PRACTITIONER, HOSPITAL, LABORATORY, Professional, SECOND_GENERAL_PRACTITIONER,
};
use super::laboratory::lab_report;
use super::pdf::{PdfDocument, pdf_document};
use super::person::{Person, Sex};
use super::random::Random;
use super::report::{
    BIOCHEMISTRY, BLOOD, Chapter, HAEMATOLOGY, Isolate, LabReport, LabResult, MICROBIOLOGY, Panel, ResultValue, SERUM, URINE,
};
use jiff::civil::DateTime;

/// One record: who, what the patient decided, and the documents in the order in which they arrive.
#[derive(Debug, Clone)]
pub struct SyntheticRecord {
    /// The person.
    pub person: Person,
    /// Consents; the opening is the first.
    pub consents: Vec<ConsentPlan>,
    /// CDA documents, oldest first; a corrected version follows the one that it replaces.
    pub documents: Vec<Vec<u8>>,
}

/// The first `n` records of a seed: the same bytes in every run.
pub fn records(seed: u64, n: u64) -> impl Iterator<Item = SyntheticRecord> {
    (0..n).map(move |number| record(seed, number))
}

fn record(seed: u64, number: u64) -> SyntheticRecord {
    let mut person = Person::new(seed, number);
    if number == 0 {
        // The first record is the one that the demo shows: its person has diabetes.
        person.health.hba1c = 8.6;
        person.health.hba1c_drift = -0.35;
        person.health.creatinine_drift = 7.0;
    }
    let mut story = Story { random: Random::of(seed, number.wrapping_add(1 << 32)), name: format!("{seed}/{number}"), person };
    let documents = story.documents();
    SyntheticRecord { consents: consents(number), documents, person: story.person }
}

fn consents(number: u64) -> Vec<ConsentPlan> {
    let professional = ConsentActor::Professional;
    let mut consents = vec![ConsentPlan::Opening];
    if number % 5 == 3 {
        consents.push(ConsentPlan::OppositionBrisDeGlace);
    }
    if number % 7 == 5 {
        consents.push(ConsentPlan::OppositionRegulation);
    }
    if number.is_multiple_of(2) {
        consents.push(ConsentPlan::TreatingPhysician(&GENERAL_PRACTITIONER));
    } else {
        consents.push(ConsentPlan::Authorisation(professional(&SECOND_GENERAL_PRACTITIONER)));
    }
    consents.push(ConsentPlan::Authorisation(professional(&GENERAL_PRACTITIONER)));
    consents.push(ConsentPlan::Authorisation(ConsentActor::Structure(&HOSPITAL)));
    consents.push(ConsentPlan::Blocking(professional(&BLOCKED_PROFESSIONAL)));
    consents
}

/// Who asked for the reports of this record.
fn prescriber(number: u64) -> &'static Professional {
    if number.is_multiple_of(2) { &GENERAL_PRACTITIONER } else { &SECOND_GENERAL_PRACTITIONER }
}

struct Story {
    random: Random,
    name: String,
    person: Person,
}

impl Story {
    fn documents(&mut self) -> Vec<Vec<u8>> {
        let diabetic = self.person.health.is_diabetic();
        let (interval, visits) = if diabetic { (118, 13) } else { (331, 5) };
        let start = earlier(LATEST, interval * (visits - 1) + self.random.below(30));
        let mut out = Vec::new();
        let mut previous = None;
        for visit in 0..visits {
            let day = later(start, visit * interval + self.random.below(9), 0);
            let collected = later(day, 0, 440 + self.random.below(100));
            let years = f64::from(visit * interval) / 365.25;
            let report = self.visit(visit, collected, years, &mut previous);
            out.push(lab_report(&self.person, &report));
            if visit == visits / 2 && (self.person.number.is_multiple_of(4)) {
                let corrected = self.correction(&report);
                out.push(lab_report(&self.person, &corrected));
            }
        }
        if self.person.number.is_multiple_of(3) {
            let day = earlier(LATEST, 150 + self.random.below(100));
            out.push(self.urine_culture(later(day, 0, 510)));
        }
        if self.person.number.is_multiple_of(2) {
            let day = earlier(LATEST, 60 + self.random.below(40));
            out.push(self.letter(later(day, 0, 900)));
        }
        out
    }

    fn visit(&mut self, visit: u32, collected: DateTime, years: f64, previous: &mut Option<(DateTime, String)>) -> LabReport {
        let whole = visit.is_multiple_of(3) || !self.person.health.is_diabetic();
        let mut panels = vec![self.sugar(collected, years, previous), self.kidney(years)];
        if whole {
            panels.push(self.lipids(years));
            panels.push(self.plain("Ionogramme", &ELECTROLYTES).battery("24326-1", "Électrolytes"));
            panels.push(self.plain("Bilan hépatique", &LIVER));
            panels.push(self.thyroid());
        }
        let mut chapters = vec![Chapter { code: BIOCHEMISTRY, panels }];
        if whole {
            chapters.insert(0, Chapter { code: HAEMATOLOGY, panels: vec![self.haemogram(years)] });
        }
        let name = format!("{}/visit/{visit}", self.name);
        let mut report = LabReport::new(&name, collected, prescriber(self.person.number), chapters);
        report.pdf_copy = whole;
        report
    }

    /// The potassium of the first version was that of a haemolysed sample.
    fn correction(&mut self, report: &LabReport) -> LabReport {
        let mut chapters = report.chapters.clone();
        for panel in chapters.iter_mut().flat_map(|chapter| &mut chapter.panels) {
            for result in &mut panel.results {
                if result.analysis.loinc == GLUCOSE.loinc {
                    result.value = quantity(&GLUCOSE, self.random.between(5.0, 6.0));
                    panel.comment =
                        Some("Glucose corrigé : le tube de la première version n'était pas celui de ce patient.".into());
                }
            }
        }
        report.corrected(&format!("{}/correction", self.name), chapters)
    }

    fn sugar(&mut self, collected: DateTime, years: f64, previous: &mut Option<(DateTime, String)>) -> Panel {
        let health = self.person.health;
        let level = (health.hba1c + health.hba1c_drift * years + self.random.between(-0.25, 0.25)).max(4.6);
        // Mean glucose that corresponds to an HbA1c (ADAG study), fasting somewhat below it.
        let glucose = (1.59 * level - 2.59) * self.random.between(0.80, 0.95);
        let hba1c = decimal(&HBA1C, level);
        let mut first = result(&HBA1C, &hba1c);
        first.previous = previous.replace((collected, hba1c));
        let panel = Panel::new("Bilan glucidique", BLOOD, vec![first, result(&GLUCOSE, &decimal(&GLUCOSE, glucose))]);
        if level > 9.0 {
            panel.comment("HbA1c très au-dessus de l'objectif : contrôle conseillé dans trois mois.")
        } else {
            panel
        }
    }

    fn kidney(&mut self, years: f64) -> Panel {
        let health = self.person.health;
        let creatinine = health.creatinine + health.creatinine_drift * years + self.random.between(-3.0, 3.0);
        let reference = if self.person.sex == Sex::Female { 62.0 } else { 80.0 };
        let filtration = (96.0 * reference / creatinine).min(110.0);
        let results =
            vec![result(&CREATININE, &decimal(&CREATININE, creatinine)), result(&FILTRATION, &decimal(&FILTRATION, filtration))];
        Panel::new("Fonction rénale", SERUM, results)
    }

    fn lipids(&mut self, years: f64) -> Panel {
        let ldl = (self.person.health.ldl - 0.12 * years + self.random.between(-0.2, 0.2)).max(1.2);
        let hdl = self.random.between(1.0, 1.7);
        let triglycerides = self.random.between(0.7, 2.1);
        // Friedewald: total = LDL + HDL + triglycerides / 2.2 (mmol/L).
        let total = ldl + hdl + triglycerides / 2.2;
        let results =
            LIPIDS.iter().zip([total, hdl, ldl, triglycerides]).map(|(a, value)| result(a, &decimal(a, value))).collect();
        Panel::new("Bilan lipidique", SERUM, results).battery("24331-1", "Bilan lipidique")
    }

    fn thyroid(&mut self) -> Panel {
        let tsh = (self.person.health.tsh * self.random.between(0.8, 1.2)).max(0.3);
        let mut results = vec![result(&TSH, &decimal(&TSH, tsh))];
        if tsh > 4.2 {
            results.push(result(&FREE_T4, &decimal(&FREE_T4, self.random.between(10.5, 15.0))));
        }
        Panel::new("Bilan thyroïdien", SERUM, results)
    }

    fn haemogram(&mut self, years: f64) -> Panel {
        let haemoglobin = self.person.health.haemoglobin - 0.1 * years + self.random.between(-0.3, 0.3);
        let cell = self.random.between(28.5, 31.0);
        let erythrocytes = haemoglobin * 10.0 / cell;
        let volume = self.random.between(85.0, 94.0);
        let haematocrit = erythrocytes * volume / 10.0;
        let concentration = haemoglobin * 100.0 / haematocrit;
        let story = [erythrocytes, haemoglobin, haematocrit, volume, cell, concentration];
        let results = HAEMOGRAM.iter().enumerate().map(|(index, analysis)| {
            let value =
                story.get(index).copied().unwrap_or_else(|| analysis.middle(self.person.sex) * self.random.between(0.75, 1.2));
            result(analysis, &decimal(analysis, value))
        });
        let results = results.collect();
        Panel::new("Hémogramme", BLOOD, results).battery("58410-2", "Hémogramme")
    }

    fn plain(&mut self, title: &'static str, analyses: &'static [Analysis]) -> Panel {
        let sex = self.person.sex;
        let mut value = |analysis: &Analysis| decimal(analysis, analysis.middle(sex) * self.random.between(0.97, 1.03));
        let results = analyses.iter().map(|analysis| result(analysis, &value(analysis))).collect();
        Panel::new(title, SERUM, results)
    }

    fn urine_culture(&mut self, collected: DateTime) -> Vec<u8> {
        let direct = vec![
            text_result(&LEUCOCYTES, "nombreux (supérieur à 10 000 par mL)"),
            text_result(&GRAM, "bacilles Gram négatif nombreux, cocci Gram positif rares"),
        ];
        let mut panel = Panel::new("Examen cytobactériologique des urines", URINE, direct)
            .comment("Germe résistant aux fluoroquinolones : adapter le traitement sans attendre.");
        panel.isolates = vec![
            Isolate { organism: KLEBSIELLA, count: "1000000", antibiogram: &KLEBSIELLA_ANTIBIOGRAM },
            Isolate { organism: ENTEROCOCCUS, count: "10000", antibiogram: &ENTEROCOCCUS_ANTIBIOGRAM },
        ];
        let chapters = vec![Chapter { code: MICROBIOLOGY, panels: vec![panel] }];
        let mut report = LabReport::new(&format!("{}/culture", self.name), collected, prescriber(self.person.number), chapters);
        report.title = "Examen cytobactériologique des urines".into();
        report.pdf_copy = true;
        lab_report(&self.person, &report)
    }

    fn letter(&mut self, time: DateTime) -> Vec<u8> {
        let page = PdfDocument {
            name: format!("{}/letter", self.name),
            code: ("11488-4", "CR ou fiche de consultation ou de visite"),
            title: "Compte rendu de consultation".into(),
            time,
            author: prescriber(self.person.number),
            lines: vec![
                "Consultation de suivi.".into(),
                format!("Résultats du {} commentés avec le patient.", LABORATORY.name),
                "Document d'essai : aucune personne réelle n'est concernée.".into(),
            ],
        };
        pdf_document(&self.person, &page)
    }
}

const LEUCOCYTES: Analysis = Analysis {
    loinc: "5821-4",
    name: "Leucocytes",
    unit: "",
    ucum: "",
    female: ("", ""),
    male: ("", ""),
    decimals: 0,
    method: "Microscopie",
};
const GRAM: Analysis = Analysis {
    loinc: "653-6",
    name: "Coloration de Gram",
    unit: "",
    ucum: "",
    female: ("", ""),
    male: ("", ""),
    decimals: 0,
    method: "Microscopie après coloration",
};

fn decimal(analysis: &Analysis, value: f64) -> String {
    format!("{value:.*}", analysis.decimals)
}

fn quantity(analysis: &Analysis, value: f64) -> ResultValue {
    ResultValue::Quantity(decimal(analysis, value))
}

fn result(analysis: &'static Analysis, value: &str) -> LabResult {
    LabResult { analysis, value: ResultValue::Quantity(value.to_owned()), previous: None }
}

fn text_result(analysis: &'static Analysis, text: &str) -> LabResult {
    LabResult { analysis, value: ResultValue::Text(text.to_owned()), previous: None }
}

/// A report with exactly `n` results, for benchmarks: 30 are one usual visit; more are further days of the same analyses.
#[must_use]
pub fn lab_report_of(person: &Person, number: u64, n: usize) -> Vec<u8> {
    let mut random = Random::of(0x0062_656e_6368, number ^ (person.number << 24));
    let catalogue =
        || HAEMOGRAM.iter().chain(&LIPIDS).chain(&ELECTROLYTES).chain(&LIVER).chain([&HBA1C, &GLUCOSE, &CREATININE, &FILTRATION]);
    let mut panels = Vec::new();
    let mut left = n;
    for day in 0.. {
        if left == 0 {
            break;
        }
        let mut value = |analysis: &Analysis| decimal(analysis, analysis.middle(person.sex) * random.between(0.7, 1.3));
        let results: Vec<_> = catalogue().take(left).map(|analysis| result(analysis, &value(analysis))).collect();
        left -= results.len();
        let mut panel = Panel::new("Résultats", SERUM, results).battery("58410-2", "Bilan");
        panel.day = day;
        panels.push(panel);
    }
    let day = u32::try_from(number % 1500).unwrap_or(0);
    let collected = later(earlier(LATEST, 1600 - day), 0, 480);
    let name = format!("benchmark/{}/{number}", person.matricule);
    lab_report(person, &LabReport::new(&name, collected, &GENERAL_PRACTITIONER, vec![Chapter { code: BIOCHEMISTRY, panels }]))
}
