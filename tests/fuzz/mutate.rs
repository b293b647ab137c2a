//! Changes that keep a document well-formed and mostly meaningful, and a few that do not.
use crate::seeds::Corpus;
use crate::tree::{Element, Node};

/// splitmix64: the same seed, the same changes. <https://prng.di.unimi.it/splitmix64.c>
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }
    fn one_of<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }
    fn word(&mut self, words: &[&'static str]) -> &'static str {
        words[self.below(words.len())]
    }
}

const NULL_FLAVORS: [&str; 9] = ["NI", "UNK", "NA", "NASK", "ASKU", "NAV", "MSK", "OTH", "bizarre"];
const MOODS: [&str; 9] = ["EVN", "INT", "RQO", "GOL", "ARQ", "PRMS", "DEF", "evn", ""];
const NEGATIONS: [&str; 6] = ["true", "false", "1", "TRUE", " true ", ""];
const STATUSES: [&str; 9] = ["completed", "active", "aborted", "cancelled", "suspended", "held", "nullified", "bizarre", ""];
const TYPES: [&str; 18] = [
    "PQ",
    "CD",
    "CE",
    "CO",
    "ST",
    "ED",
    "INT",
    "REAL",
    "BL",
    "TS",
    "IVL_TS",
    "IVL_PQ",
    "PIVL_TS",
    "EIVL_TS",
    "SXPR_TS",
    "RTO",
    "RTO_PQ_PQ",
    "bizarre",
];
const VALUES: [&str; 34] = [
    "",
    " ",
    "0",
    "-0",
    "-1",
    "1e400",
    "1e-400",
    "999999999999999999999999999999",
    "0.0000000000000000000000000001",
    "1,5",
    "NaN",
    "+5",
    ".5",
    "5.",
    "2024",
    "202413",
    "20240230",
    "20240104256199+0100",
    "20240104101500.123456789+2500",
    "00000000",
    "99991231",
    "20240229235960Z",
    "#",
    "#name",
    "http://[",
    "urn:oid:",
    "é\u{301}\u{10FFFF}",
    "&lt;script&gt;",
    "tel:",
    "mailto:a@b",
    "true",
    "1.2.250.1.213.1.4.10",
    "1.2.250.1.71.4.2.1",
    "-----",
];
const RENAMED: [&str; 12] = [
    "value",
    "code",
    "unit",
    "root",
    "extension",
    "nullFlavor",
    "codeSystem",
    "xsi:type",
    "ID",
    "operator",
    "inclusive",
    "typeCode",
];

/// A document of the corpus with some changes, as bytes.
pub(crate) fn case(corpus: &Corpus, random: &mut Random) -> (String, Vec<u8>) {
    let seed = &corpus.seeds[random.below(corpus.seeds.len())];
    let mut root = seed.root.clone();
    for _ in 0..=random.below(8) {
        change(&mut root, corpus, random);
    }
    if random.below(60) == 0 {
        multiply(&mut root, random);
    }
    let mut bytes = root.bytes();
    if random.below(12) == 0 {
        damage(&mut bytes, random);
    }
    (seed.name.clone(), bytes)
}

/// Element numbers: three of four times at or below an entry.
fn pick(root: &Element, random: &mut Random, wanted: impl Fn(&Element) -> bool) -> Option<usize> {
    let (mut all, mut inside) = (Vec::new(), Vec::new());
    root.visit(&mut |number, is_inside, element| {
        if wanted(element) {
            all.push(number);
            if is_inside {
                inside.push(number);
            }
        }
    });
    let from = if random.below(4) > 0 && !inside.is_empty() { &inside } else { &all };
    random.one_of(from).copied()
}

fn states(element: &Element) -> bool {
    element.attribute("classCode").is_some() || element.attribute("moodCode").is_some()
}

fn change(root: &mut Element, corpus: &Corpus, random: &mut Random) {
    let kind = random.below(16);
    let number = match kind {
        0..=2 => pick(root, random, states),
        3 | 4 => pick(root, random, |element| element.local() == "templateId"),
        5 => pick(root, random, |element| element.local() == "statusCode"),
        6 => pick(root, random, |element| element.attribute("xsi:type").is_some()),
        7 | 8 => pick(root, random, |element| !element.attributes.is_empty()),
        9 | 10 => pick(root, random, |element| element.elements().count() > 1),
        _ => pick(root, random, |_| true),
    };
    let Some(number) = number else { return };
    let other = pick(root, random, |element| element.children.len() < 500);
    let Some(element) = root.nth(number) else { return };
    match kind {
        0 => element.set("negationInd", random.word(&NEGATIONS)),
        1 => element.set("moodCode", random.word(&MOODS)),
        2 | 15 => element.set("nullFlavor", random.word(&NULL_FLAVORS)),
        3 => element.set("root", random.one_of(&corpus.values["root"]).unwrap()),
        4 | 11 => random.one_of(&corpus.parts).unwrap().clone_into(element),
        5 => element.set("code", random.word(&STATUSES)),
        6 => element.set("xsi:type", random.word(&TYPES)),
        7 | 8 => attribute(element, corpus, random),
        9 | 10 => children(element, random),
        12 => {
            let held = element.clone();
            if let Some(other) = other.and_then(|other| root.nth(other)) {
                other.children.push(Node::Element(held));
            }
        }
        13 => {
            let part = random.one_of(&corpus.parts).unwrap().clone();
            element.children.push(Node::Element(part));
        }
        _ => {
            element.children.retain(|child| matches!(child, Node::Element(_)));
            element.children.push(Node::Text(random.word(&VALUES).to_owned()));
        }
    }
}

fn attribute(element: &mut Element, corpus: &Corpus, random: &mut Random) {
    let at = random.below(element.attributes.len());
    let name = element.attributes[at].0.clone();
    match random.below(5) {
        0 => drop(element.attributes.remove(at)),
        1 => {
            let other = random.word(&RENAMED);
            if element.attribute(other).is_none() {
                other.clone_into(&mut element.attributes[at].0);
            }
        }
        2 if !name.starts_with("xmlns") => element.attributes[at].1 = random.word(&VALUES).to_owned(),
        3 if !name.starts_with("xmlns") => {
            let known = corpus.values.get(&name).and_then(|values| random.one_of(values));
            element.attributes[at].1.clone_from(known.unwrap_or(&name));
        }
        _ => {
            let value = &mut element.attributes[at].1;
            let digits: Vec<usize> = value.match_indices(|c: char| c.is_ascii_digit()).map(|(at, _)| at).collect();
            if let Some(at) = random.one_of(&digits) {
                value.replace_range(*at..=*at, random.word(&["", "-", ".", "0", "9"]));
            }
        }
    }
}

fn children(element: &mut Element, random: &mut Random) {
    let places: Vec<usize> =
        element.children.iter().enumerate().filter(|(_, child)| matches!(child, Node::Element(_))).map(|(at, _)| at).collect();
    let (Some(first), Some(second)) = (random.one_of(&places).copied(), random.one_of(&places).copied()) else { return };
    match random.below(4) {
        0 => drop(element.children.remove(first)),
        1 => element.children.swap(first, second),
        2 => {
            let copy = element.children[first].clone();
            element.children.insert(second, copy);
        }
        _ => {
            let Node::Element(held) = element.children[first].clone() else { return };
            if let Node::Element(other) = &mut element.children[second] {
                other.children.push(Node::Element(held));
            }
        }
    }
}

/// Very many of one element: what grows faster than the document shows here.
fn multiply(root: &mut Element, random: &mut Random) {
    let Some(number) = pick(root, random, |element| element.elements().count() > 0) else { return };
    let Some(element) = root.nth(number) else { return };
    let places: Vec<usize> =
        element.children.iter().enumerate().filter(|(_, child)| matches!(child, Node::Element(_))).map(|(at, _)| at).collect();
    let Some(at) = random.one_of(&places).copied() else { return };
    let copy = element.children[at].clone();
    let mut written = String::new();
    if let Node::Element(copy) = &copy {
        copy.write(&mut written);
    }
    let times = 2_000.min(1_000_000 / written.len().max(1));
    element.children.splice(at..at, std::iter::repeat_n(copy, times));
}

fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(4) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, u8::try_from(random.below(256)).unwrap()),
            2 => drop(bytes.remove(at)),
            _ => bytes[at] ^= 1 << random.below(8),
        }
        if bytes.is_empty() {
            return;
        }
    }
}
