//! Writes laboratory reports as CDA R2, CR-BIO 2024.01 (template 1.2.250.1.213.1.1.1.55).
use super::date::{french, hl7, later};
use super::directory::BIOLOGIST;
use super::header::{Header, LOINC, Laboratory, code, document, loinc, person_name, phone, template};
use super::pdf::{base64_of, pdf};
use super::person::{Person, Sex};
use super::random::uuid_of;
use super::report::{Chapter, Isolate, LabReport, LabResult, Panel, ResultValue};
use super::xml::Xml;
use jiff::civil::DateTime;

const INTERPRETATION: &str = "2.16.840.1.113883.5.83";

/// The report as a CDA document, level 3, in UTF-8.
#[must_use]
pub fn lab_report(person: &Person, report: &LabReport) -> Vec<u8> {
    let received = later(report.collected, 0, 95);
    let released = later(report.collected, last_day(report), 410 + 30 * (report.version - 1));
    let acts: Vec<_> = report.chapters.iter().map(|chapter| chapter.code).collect();
    let header = Header {
        templates: &["1.3.6.1.4.1.19376.1.3.3", "1.2.250.1.213.1.1.1.55"],
        unique_id: &report.unique_id,
        set_id: &report.set_id,
        version: report.version,
        replaces: report.replaces.as_deref(),
        code: ("11502-2", "CR d'examens biologiques"),
        title: &report.title,
        time: released,
        author: &BIOLOGIST,
        acts,
        period: (received, released),
        laboratory: Some(Laboratory { prescriber: report.prescriber, collected: report.collected }),
    };
    document(person, &header, |xml| {
        xml.element("structuredBody", &[], |xml| {
            for (number, chapter) in report.chapters.iter().enumerate() {
                xml.element("component", &[], |xml| chapter_section(xml, &Place { person, report, released, number }, chapter));
            }
            if report.pdf_copy {
                xml.element("component", &[], |xml| pdf_copy(xml, person, report));
            }
        });
    })
}

fn last_day(report: &LabReport) -> u32 {
    let panels = report.chapters.iter().flat_map(|chapter| &chapter.panels);
    // Cultures take two days.
    panels.map(|panel| panel.day + if panel.isolates.is_empty() { 0 } else { 2 }).max().unwrap_or(0)
}

/// Where in the report something stands; every `#id` and entry id follows from it.
#[derive(Clone, Copy)]
struct Place<'a> {
    person: &'a Person,
    report: &'a LabReport,
    released: DateTime,
    number: usize,
}

impl Place<'_> {
    fn entry_id(&self, name: &str) -> String {
        uuid_of(&format!("{}/{}/{name}", self.report.unique_id, self.number)).hyphenated().to_string().to_uppercase()
    }
    fn sex(&self) -> Sex {
        self.person.sex
    }
}

fn chapter_section(xml: &mut Xml, place: &Place<'_>, chapter: &Chapter) {
    xml.element("section", &[], |xml| {
        template(xml, "1.3.6.1.4.1.19376.1.3.3.2.1");
        template(xml, "1.2.250.1.213.1.1.2.70");
        loinc(xml, chapter.code);
        xml.text("title", &[], &chapter.code.1.to_uppercase());
        for (index, panel) in chapter.panels.iter().enumerate() {
            let anchor = format!("c{}p{}", place.number + 1, index + 1);
            xml.element("component", &[], |xml| panel_section(xml, place, chapter, panel, &anchor));
        }
    });
}

fn panel_section(xml: &mut Xml, place: &Place<'_>, chapter: &Chapter, panel: &Panel, anchor: &str) {
    xml.element("section", &[], |xml| {
        template(xml, "1.3.6.1.4.1.19376.1.3.3.2.2");
        template(xml, "1.2.250.1.213.1.1.2.71");
        loinc(xml, chapter.code);
        xml.text("title", &[], panel.title);
        xml.element("text", &[], |xml| narrative(xml, place, panel, anchor));
        xml.element("entry", &[("typeCode", "DRIV")], |xml| {
            template(xml, "1.3.6.1.4.1.19376.1.3.1");
            template(xml, "1.2.250.1.213.1.1.3.21");
            xml.element("act", &[("classCode", "ACT"), ("moodCode", "EVN")], |xml| act(xml, place, chapter, panel, anchor));
        });
    });
}

fn narrative(xml: &mut Xml, place: &Place<'_>, panel: &Panel, anchor: &str) {
    xml.element("paragraph", &[], |xml| {
        xml.characters("Prélèvement : ");
        xml.text("content", &[("ID", &format!("{anchor}-specimen"))], panel.specimen.1);
        xml.characters(&format!(", le {}", french(later(place.report.collected, panel.day, 0))));
    });
    if !panel.results.is_empty() {
        xml.element("table", &[("border", "0")], |xml| {
            head(xml, &["Analyse", "Résultat", "Valeurs de référence", "Antériorité"]);
            xml.element("tbody", &[], |xml| {
                for (index, result) in panel.results.iter().enumerate() {
                    result_row(xml, place, result, &format!("{anchor}r{}", index + 1));
                }
            });
        });
    }
    for (index, isolate) in panel.isolates.iter().enumerate() {
        isolate_table(xml, isolate, &format!("{anchor}i{}", index + 1));
    }
    if let Some(comment) = &panel.comment {
        xml.text("paragraph", &[("ID", &format!("{anchor}-comment"))], comment);
    }
    xml.text("paragraph", &[], &format!("Validé par {} le {}", BIOLOGIST.full_name(), french(place.released)));
}

fn head(xml: &mut Xml, titles: &[&str]) {
    xml.element("thead", &[], |xml| {
        xml.element("tr", &[], |xml| titles.iter().for_each(|title| xml.text("th", &[], title)));
    });
}

fn result_row(xml: &mut Xml, place: &Place<'_>, result: &LabResult, anchor: &str) {
    let analysis = result.analysis;
    xml.element("tr", &[], |xml| {
        xml.element("td", &[], |xml| {
            xml.text("content", &[("ID", anchor)], analysis.name);
            xml.empty("br", &[]);
            xml.text("content", &[("ID", &format!("{anchor}-m"))], analysis.method);
        });
        xml.element("td", &[], |xml| match &result.value {
            ResultValue::Quantity(value) => xml.characters(&format!("{} {}", comma(value), analysis.unit)),
            ResultValue::Text(text) => xml.text("content", &[("ID", &format!("{anchor}-v"))], text),
        });
        let range = match analysis.range(place.sex()) {
            ("", "") => String::new(),
            ("", high) => format!("≤ {}", comma(high)),
            (low, "") => format!("≥ {}", comma(low)),
            (low, high) => format!("{} - {}", comma(low), comma(high)),
        };
        xml.text("td", &[], &range);
        let previous = result.previous.as_ref().map(|(time, value)| format!("{} ({})", comma(value), french(*time)));
        xml.text("td", &[], &previous.unwrap_or_default());
    });
}

fn isolate_table(xml: &mut Xml, isolate: &Isolate, anchor: &str) {
    xml.element("table", &[("border", "0")], |xml| {
        xml.element("caption", &[], |xml| {
            xml.characters("Isolat : ");
            xml.text("content", &[("ID", anchor)], isolate.organism.name);
        });
        head(xml, &["Analyse", "Concentration minimale inhibitrice", "Interprétation"]);
        xml.element("tbody", &[], |xml| {
            xml.element("tr", &[], |xml| {
                xml.element("td", &[], |xml| xml.text("content", &[("ID", &format!("{anchor}-count"))], "Dénombrement"));
                xml.text("td", &[], &format!("{} UFC/mL", isolate.count));
                xml.text("td", &[], "");
            });
            for (index, (_, name, (bound, value), interpretation)) in isolate.antibiogram.iter().enumerate() {
                xml.element("tr", &[], |xml| {
                    xml.element("td", &[], |xml| xml.text("content", &[("ID", &format!("{anchor}a{}", index + 1))], name));
                    xml.text("td", &[], &format!("{bound} {} mg/L", comma(value)));
                    xml.text("td", &[], interpretation);
                });
            }
        });
    });
}

fn comma(decimal: &str) -> String {
    decimal.replace('.', ",")
}

fn act(xml: &mut Xml, place: &Place<'_>, chapter: &Chapter, panel: &Panel, anchor: &str) {
    loinc(xml, chapter.code);
    xml.empty("statusCode", &[("code", "completed")]);
    validator(xml, place);
    let collected = later(place.report.collected, panel.day, 0);
    xml.element("entryRelationship", &[("typeCode", "COMP")], |xml| specimen(xml, place, panel, collected, anchor));
    let measured = later(collected, 0, 240);
    match panel.battery {
        Some(battery) => xml.element("entryRelationship", &[("typeCode", "COMP")], |xml| {
            xml.element("organizer", &[("classCode", "BATTERY"), ("moodCode", "EVN")], |xml| {
                template(xml, "1.3.6.1.4.1.19376.1.3.1.4");
                template(xml, "1.2.250.1.213.1.1.3.78");
                xml.empty("id", &[("root", &place.entry_id(anchor))]);
                loinc(xml, battery);
                xml.empty("statusCode", &[("code", "completed")]);
                xml.empty("effectiveTime", &[("value", &hl7(measured))]);
                for (index, result) in panel.results.iter().enumerate() {
                    xml.element("component", &[], |xml| {
                        observation(xml, place, result, measured, &format!("{anchor}r{}", index + 1))
                    });
                }
            });
        }),
        None => {
            for (index, result) in panel.results.iter().enumerate() {
                xml.element("entryRelationship", &[("typeCode", "COMP")], |xml| {
                    observation(xml, place, result, measured, &format!("{anchor}r{}", index + 1));
                });
            }
        }
    }
    for (index, found) in panel.isolates.iter().enumerate() {
        let read = later(collected, 2, 300);
        xml.element("entryRelationship", &[("typeCode", "COMP")], |xml| {
            isolate(xml, place, found, read, &format!("{anchor}i{}", index + 1));
        });
    }
    if panel.comment.is_some() {
        xml.element("entryRelationship", &[("typeCode", "SUBJ")], |xml| comment(xml, &format!("{anchor}-comment")));
    }
}

fn validator(xml: &mut Xml, place: &Place<'_>) {
    xml.element("participant", &[("typeCode", "AUTHEN")], |xml| {
        template(xml, "1.3.6.1.4.1.19376.1.3.3.1.5");
        template(xml, "1.2.250.1.213.1.1.3.109");
        xml.element("time", &[], |xml| xml.empty("high", &[("value", &hl7(place.released))]));
        xml.element("participantRole", &[], |xml| {
            xml.empty("id", &[("root", "1.2.250.1.71.4.2.1"), ("extension", &BIOLOGIST.ps_idnat())]);
            phone(xml, BIOLOGIST.structure.phone);
            xml.element("playingEntity", &[], |xml| person_name(xml, &BIOLOGIST));
        });
    });
}

fn specimen(xml: &mut Xml, place: &Place<'_>, panel: &Panel, collected: DateTime, anchor: &str) {
    xml.element("procedure", &[("classCode", "PROC"), ("moodCode", "EVN")], |xml| {
        template(xml, "1.3.6.1.4.1.19376.1.3.1.2");
        template(xml, "1.2.250.1.213.1.1.3.77");
        xml.element("code", &[("nullFlavor", "NA")], |xml| {
            xml.element("originalText", &[], |xml| xml.empty("reference", &[("value", &format!("#{anchor}-specimen"))]));
        });
        xml.element("effectiveTime", &[], |xml| xml.empty("high", &[("value", &hl7(collected))]));
        xml.element("participant", &[("typeCode", "PRD")], |xml| {
            xml.element("participantRole", &[("classCode", "SPEC")], |xml| {
                xml.empty("id", &[("root", &place.entry_id(&format!("{anchor}-specimen")))]);
                xml.element("playingEntity", &[], |xml| {
                    let (specimen, name) = panel.specimen;
                    let attributes = [("code", specimen), ("displayName", name), ("codeSystem", "2.16.840.1.113883.18.311")];
                    xml.element("code", &attributes, |xml| original_text(xml, &format!("{anchor}-specimen")));
                });
            });
        });
        xml.element("entryRelationship", &[("typeCode", "COMP")], |xml| {
            xml.element("act", &[("classCode", "ACT"), ("moodCode", "EVN")], |xml| {
                template(xml, "1.3.6.1.4.1.19376.1.3.1.3");
                template(xml, "1.2.250.1.213.1.1.3.107");
                code(xml, "code", ("SPRECEIVE", "Échantillon reçu"), "1.3.5.1.4.1.19376.1.5.3.2");
                xml.empty("effectiveTime", &[("value", &hl7(later(collected, 0, 95)))]);
            });
        });
    });
}

fn original_text(xml: &mut Xml, anchor: &str) {
    xml.element("originalText", &[], |xml| xml.empty("reference", &[("value", &format!("#{anchor}"))]));
}

/// Opens an observation 3.80 with identifier, code, status and time; `rest` writes the value and what follows it.
fn element(xml: &mut Xml, place: &Place<'_>, measured: (&str, &str), time: DateTime, anchor: &str, rest: impl FnOnce(&mut Xml)) {
    xml.element("observation", &[("classCode", "OBS"), ("moodCode", "EVN")], |xml| {
        template(xml, "1.3.6.1.4.1.19376.1.3.1.6");
        template(xml, "1.2.250.1.213.1.1.3.80");
        xml.empty("id", &[("root", &place.entry_id(anchor))]);
        let attributes = [("code", measured.0), ("displayName", measured.1), ("codeSystem", LOINC), ("codeSystemName", "LOINC")];
        xml.element("code", &attributes, |xml| original_text(xml, anchor));
        xml.empty("statusCode", &[("code", "completed")]);
        xml.empty("effectiveTime", &[("value", &hl7(time))]);
        rest(xml);
    });
}

fn interpretation(xml: &mut Xml, value: &str) {
    let name = match value {
        "H" => "Anormalement haut",
        "L" => "Anormalement bas",
        "S" => "Sensible",
        "I" => "Intermédiaire",
        "R" => "Résistant",
        _ => "Normal",
    };
    code(xml, "interpretationCode", (value, name), INTERPRETATION);
}

fn observation(xml: &mut Xml, place: &Place<'_>, result: &LabResult, time: DateTime, anchor: &str) {
    let analysis = result.analysis;
    element(xml, place, (analysis.loinc, analysis.name), time, anchor, |xml| {
        match &result.value {
            ResultValue::Quantity(value) => {
                xml.empty("value", &[("xsi:type", "PQ"), ("value", value), ("unit", analysis.ucum)]);
                interpretation(xml, analysis.interpretation(place.sex(), value));
            }
            ResultValue::Text(_) => {
                xml.element("value", &[("xsi:type", "CD")], |xml| original_text(xml, &format!("{anchor}-v")));
            }
        }
        xml.element("methodCode", &[], |xml| original_text(xml, &format!("{anchor}-m")));
        if let Some((taken, value)) = &result.previous {
            xml.element("entryRelationship", &[("typeCode", "REFR")], |xml| {
                xml.element("observation", &[("classCode", "OBS"), ("moodCode", "EVN")], |xml| {
                    loinc(xml, (analysis.loinc, analysis.name));
                    xml.empty("statusCode", &[("code", "completed")]);
                    xml.empty("effectiveTime", &[("value", &hl7(later(*taken, 0, 240)))]);
                    xml.empty("value", &[("xsi:type", "PQ"), ("value", value), ("unit", analysis.ucum)]);
                });
            });
        }
        reference_range(xml, analysis.range(place.sex()), analysis.ucum);
    });
}

fn reference_range(xml: &mut Xml, range: (&str, &str), unit: &str) {
    if range == ("", "") {
        return;
    }
    xml.element("referenceRange", &[("typeCode", "REFV")], |xml| {
        xml.element("observationRange", &[("classCode", "OBS"), ("moodCode", "EVN.CRT")], |xml| {
            xml.element("value", &[("xsi:type", "IVL_PQ")], |xml| {
                for (name, bound) in [("low", range.0), ("high", range.1)] {
                    if !bound.is_empty() {
                        xml.empty(name, &[("value", bound), ("unit", unit)]);
                    }
                }
            });
            interpretation(xml, "N");
        });
    });
}

fn isolate(xml: &mut Xml, place: &Place<'_>, isolate: &Isolate, read: DateTime, anchor: &str) {
    let organism = isolate.organism;
    xml.element("organizer", &[("classCode", "CLUSTER"), ("moodCode", "EVN")], |xml| {
        template(xml, "1.3.6.1.4.1.19376.1.3.1.5");
        template(xml, "1.2.250.1.213.1.1.3.79");
        xml.empty("statusCode", &[("code", "completed")]);
        xml.empty("effectiveTime", &[("value", &hl7(read))]);
        xml.element("specimen", &[("typeCode", "SPC")], |xml| {
            xml.element("specimenRole", &[("classCode", "SPEC")], |xml| {
                xml.empty("id", &[("root", &place.entry_id(anchor))]);
                xml.element("specimenPlayingEntity", &[("classCode", "MIC")], |xml| {
                    let snomed =
                        [("code", organism.snomed), ("displayName", organism.name), ("codeSystem", "2.16.840.1.113883.6.96")];
                    xml.element("code", &snomed, |xml| {
                        original_text(xml, anchor);
                        code(xml, "translation", (organism.ncbi, organism.name), "2.16.840.1.113883.3.9471");
                    });
                });
            });
        });
        xml.element("component", &[], |xml| {
            element(xml, place, ("51480-2", "Dénombrement de bactéries"), read, &format!("{anchor}-count"), |xml| {
                xml.empty("value", &[("xsi:type", "PQ"), ("value", isolate.count), ("unit", "[CFU]/mL")]);
            });
        });
        xml.element("component", &[], |xml| antibiogram(xml, place, isolate, read, anchor));
    });
}

fn antibiogram(xml: &mut Xml, place: &Place<'_>, isolate: &Isolate, read: DateTime, anchor: &str) {
    xml.element("organizer", &[("classCode", "BATTERY"), ("moodCode", "EVN")], |xml| {
        template(xml, "1.3.6.1.4.1.19376.1.3.1.4");
        template(xml, "1.2.250.1.213.1.1.3.78");
        loinc(xml, ("18769-0", "Antibiogramme"));
        xml.empty("statusCode", &[("code", "completed")]);
        for (index, (antibiotic, name, (bound, value), susceptibility)) in isolate.antibiogram.iter().enumerate() {
            let anchor = format!("{anchor}a{}", index + 1);
            xml.element("component", &[], |xml| {
                element(xml, place, (antibiotic, name), read, &anchor, |xml| {
                    xml.element("value", &[("xsi:type", "IVL_PQ")], |xml| {
                        let (side, inclusive) = if *bound == ">" { ("low", "false") } else { ("high", "true") };
                        xml.empty(side, &[("value", value), ("unit", "mg/L"), ("inclusive", inclusive)]);
                    });
                    interpretation(xml, susceptibility);
                });
            });
        }
    });
}

fn comment(xml: &mut Xml, anchor: &str) {
    xml.element("act", &[("classCode", "ACT"), ("moodCode", "EVN")], |xml| {
        template(xml, "2.16.840.1.113883.10.20.1.40");
        template(xml, "1.3.6.1.4.1.19376.1.5.3.1.4.2");
        template(xml, "1.2.250.1.213.1.1.3.32");
        loinc(xml, ("48767-8", "Commentaire"));
        xml.element("text", &[], |xml| xml.empty("reference", &[("value", &format!("#{anchor}"))]));
        xml.empty("statusCode", &[("code", "completed")]);
    });
}

fn pdf_copy(xml: &mut Xml, person: &Person, report: &LabReport) {
    let copy = ("55108-5", "Copie du document");
    let id = |name: &str| uuid_of(&format!("{}/pdf/{name}", report.unique_id)).hyphenated().to_string().to_uppercase();
    xml.element("section", &[], |xml| {
        template(xml, "1.2.250.1.213.1.1.2.243");
        xml.empty("id", &[("root", &id("section"))]);
        loinc(xml, copy);
        xml.text("title", &[], copy.1);
        xml.element("text", &[], |xml| {
            xml.element("paragraph", &[("ID", "copy")], |xml| xml.empty("renderMultiMedia", &[("referencedObject", "copy-pdf")]));
        });
        xml.element("entry", &[], |xml| {
            xml.element("organizer", &[("classCode", "CLUSTER"), ("moodCode", "EVN")], |xml| {
                template(xml, "1.2.250.1.213.1.1.3.18");
                xml.empty("id", &[("root", &id("organizer"))]);
                loinc(xml, ("55107-7", "Document attaché"));
                xml.empty("statusCode", &[("code", "completed")]);
                xml.element("component", &[], |xml| {
                    xml.element("observation", &[("classCode", "OBS"), ("moodCode", "EVN")], |xml| {
                        template(xml, "1.3.6.1.4.1.19376.1.5.3.1.4.13");
                        template(xml, "1.2.250.1.213.1.1.3.48");
                        template(xml, "1.2.250.1.213.1.1.3.48.18");
                        xml.empty("id", &[("root", &id("type"))]);
                        loinc(xml, ("69764-9", "Type de document"));
                        xml.element("text", &[], |xml| xml.empty("reference", &[("value", "#copy")]));
                        xml.empty("statusCode", &[("code", "completed")]);
                        xml.empty("effectiveTime", &[("nullFlavor", "NA")]);
                        let value = [
                            ("xsi:type", "CD"),
                            ("code", copy.0),
                            ("displayName", copy.1),
                            ("codeSystem", LOINC),
                            ("codeSystemName", "LOINC"),
                        ];
                        xml.empty("value", &value);
                    });
                });
                xml.element("component", &[], |xml| {
                    xml.element("observationMedia", &[("classCode", "OBS"), ("moodCode", "EVN"), ("ID", "copy-pdf")], |xml| {
                        let bytes = pdf(&report.title, &pdf_lines(person, report));
                        xml.text("value", &[("mediaType", "application/pdf"), ("representation", "B64")], &base64_of(&bytes));
                    });
                });
            });
        });
    });
}

fn pdf_lines(person: &Person, report: &LabReport) -> Vec<String> {
    let mut lines = vec![person.full_name(), format!("Prélèvement du {}", french(report.collected)), String::new()];
    for panel in report.chapters.iter().flat_map(|chapter| &chapter.panels) {
        lines.push(panel.title.to_owned());
        for result in &panel.results {
            let value = match &result.value {
                ResultValue::Quantity(value) => format!("{} {}", comma(value), result.analysis.unit),
                ResultValue::Text(text) => text.clone(),
            };
            lines.push(format!("  {} : {value}", result.analysis.name));
        }
    }
    lines
}
