//! The results of a record: comments first, then an overview, antibiograms by organism, and each analysis with its trend.
use super::format::{folded, has_more, matches};
use super::plot::plot;
use super::result::{CodeKey, ResultRow};
use super::time;
use maud::{Markup, html};
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

/// One analysis with its results, newest first.
struct Analysis<'r, 'a> {
    code: &'r CodeKey,
    chapter: &'r str,
    rows: Vec<&'r ResultRow<'a>>,
}

impl<'r, 'a> Analysis<'r, 'a> {
    /// The newest result that stands: one that was cancelled or is denied is in the list, never at its head.
    fn latest(&self) -> Option<&'r ResultRow<'a>> {
        self.rows.iter().find(|row| !row.void).or_else(|| self.rows.first()).copied()
    }
}

/// An organism with what grew from it, antibiotics included.
struct Isolate<'r, 'a> {
    row: &'r ResultRow<'a>,
    members: Vec<&'r ResultRow<'a>>,
}

/// Every section about results.
pub(super) fn sections(observations: &Value) -> Markup {
    let rows = shown(matches(observations).filter_map(ResultRow::of).collect());
    let isolates = isolates(&rows);
    let in_isolates: HashSet<&str> = isolates.iter().flat_map(|isolate| &isolate.members).map(|row| row.id).collect();
    let analyses = analyses(&rows, &in_isolates);
    html! {
        h2 id="results" { "Résultats de biologie" }
        @if has_more(observations) {
            // Groups have no time of their own, so they come last: where the list is cut, they are what is missing.
            p.notice role="status" {
                "Ce dossier a plus de résultats que cette page n'en montre. D'autres résultats, plus anciens, manquent, et il peut \
                 manquer des commentaires d'ensemble et le lien entre un germe et son antibiogramme."
            }
        }
        @if rows.is_empty() { section.card { p.empty { "Aucun résultat." } } }
        (comments(&rows))
        @if !analyses.is_empty() { (overview(&analyses)) }
        @if !isolates.is_empty() {
            h2 id="isolates" { "Germes et antibiogrammes" }
            div.analyses { @for (index, isolate) in isolates.iter().enumerate() { (antibiogram(isolate, index)) } }
        }
        @if !analyses.is_empty() {
            h2 id="analyses" { "Par analyse" }
            div.analyses { @for (index, analysis) in analyses.iter().enumerate() { (card(analysis, index)) } }
        }
    }
}

/// Leaves a repeated result out where the record has it itself: same code and time, not repeated (C7-22).
fn shown(mut rows: Vec<ResultRow<'_>>) -> Vec<ResultRow<'_>> {
    let own: HashSet<(String, String)> =
        rows.iter().filter(|row| !row.reported_previous).map(|row| (row.code.key.clone(), instant(row.time))).collect();
    // Without a time nothing says that two results are the same.
    rows.retain(|row| !row.reported_previous || row.time.is_empty() || !own.contains(&(row.code.key.clone(), instant(row.time))));
    rows.sort_by_key(|row| Reverse(instant(row.time)));
    rows
}

/// The same instant has the same text whatever its zone.
fn instant(time: &str) -> String {
    time.parse::<jiff::Timestamp>().map_or_else(|_| time.to_owned(), |time| time.to_string())
}

/// Organisms, and everything that hangs below them: through batteries too, so that germ, antibiotic and S/I/R stay together.
fn isolates<'r, 'a>(rows: &'r [ResultRow<'a>]) -> Vec<Isolate<'r, 'a>> {
    let by_id: HashMap<&str, &ResultRow<'_>> = rows.iter().map(|row| (row.id, row)).collect();
    // An isolate is the only result that has both a value and members.
    let roots = rows.iter().filter(|row| row.value.is_some() && !row.members.is_empty());
    roots
        .map(|row| {
            let (mut members, mut seen, mut open) = (Vec::new(), HashSet::from([row.id]), row.members.clone());
            open.reverse();
            while let Some(id) = open.pop() {
                let Some(member) = by_id.get(id).copied().filter(|_| seen.insert(id)) else { continue };
                open.extend(member.members.iter().rev());
                if !member.is_group() {
                    members.push(member);
                }
            }
            Isolate { row, members }
        })
        .collect()
}

fn analyses<'r, 'a>(rows: &'r [ResultRow<'a>], left_out: &HashSet<&str>) -> Vec<Analysis<'r, 'a>> {
    let mut by_code: BTreeMap<&str, Analysis<'r, 'a>> = BTreeMap::new();
    for row in rows {
        let alone = row.value.is_none() && row.notes.is_empty() && row.flags.is_empty() && row.marks.is_empty();
        if row.is_group() || alone || !row.members.is_empty() || left_out.contains(row.id) {
            continue;
        }
        let chapter = row.chapter.as_deref().unwrap_or("Autres résultats");
        by_code.entry(&row.code.key).or_insert_with(|| Analysis { code: &row.code, chapter, rows: Vec::new() }).rows.push(row);
    }
    let mut analyses: Vec<_> = by_code.into_values().collect();
    // Inside a chapter the analyses that are followed most come first.
    analyses.sort_by_key(|analysis| (analysis.chapter, Reverse(analysis.rows.len()), folded(&analysis.code.name)));
    analyses
}

/// Comments that stand on a whole act or battery: an urgent one must not be lost among the values. An act has no time of
/// its own, so its comment bears that of its results.
fn comments(rows: &[ResultRow<'_>]) -> Markup {
    let by_id: HashMap<&str, &ResultRow<'_>> = rows.iter().map(|row| (row.id, row)).collect();
    let commented = rows.iter().filter(|row| row.is_group() && !row.notes.is_empty());
    let mut commented: Vec<(&str, &ResultRow<'_>)> = commented.map(|row| (time_of(row, &by_id, DEPTH), row)).collect();
    commented.sort_by_key(|(time, _)| Reverse(instant(time)));
    html! {
        @if !commented.is_empty() {
            section.notice aria-labelledby="comments" {
                h3 id="comments" { "Commentaires du biologiste" }
                ul.comments {
                    @for (at, row) in &commented {
                        @for note in &row.notes {
                            li { @if !at.is_empty() { (time(at)) ", " } (row.code.name) " : " strong { (note) } }
                        }
                    }
                }
            }
        }
    }
}

/// Most levels that a report nests: act, isolate, battery, result.
const DEPTH: u8 = 4;

/// Its own time, else the first that a member has.
fn time_of<'a>(row: &ResultRow<'a>, by_id: &HashMap<&str, &ResultRow<'a>>, depth: u8) -> &'a str {
    if !row.time.is_empty() || depth == 0 {
        return row.time;
    }
    let members = row.members.iter().filter_map(|id| by_id.get(id));
    members.map(|member| time_of(member, by_id, depth - 1)).find(|time| !time.is_empty()).unwrap_or_default()
}

fn overview(analyses: &[Analysis<'_, '_>]) -> Markup {
    let mut chapter = "";
    html! {
        section.card aria-label="Derniers résultats" {
            div.scroll {
                table.wide {
                    caption { "Dernier résultat de chaque analyse ; le nom mène à la suite des valeurs" }
                    thead { tr { th scope="col" { "Analyse" } th scope="col" { "Valeur" } th scope="col" { "Interprétation" } th scope="col" { "Référence" } th scope="col" { "Date" } th scope="col" { "Valeurs" } } }
                    tbody {
                        @for (index, analysis) in analyses.iter().enumerate() {
                            @if analysis.chapter != chapter {
                                tr.chapter { th colspan="6" scope="colgroup" { ({ chapter = analysis.chapter; chapter }) } }
                            }
                            @if let Some(latest) = analysis.latest() {
                                tr {
                                    th scope="row" { a href=(format!("#a{index}")) { (analysis.code.name) } }
                                    td { (value(latest)) }
                                    td { (marks(latest)) (flags(latest)) }
                                    td.range data-label="Référence" { (latest.range) }
                                    td { @if !latest.time.is_empty() { (time(latest.time)) } }
                                    td.count { (analysis.rows.len()) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn card(analysis: &Analysis<'_, '_>, index: usize) -> Markup {
    let anchor = format!("a{index}");
    // Once in the head of the column; a row in another unit says so itself.
    let unit = analysis.rows.first().map_or("", |row| row.unit.as_str());
    html! {
        article.card.analysis id=(anchor) aria-labelledby=(format!("{anchor}-name")) {
            header {
                (heading(analysis.code, &anchor))
                @if let Some(latest) = analysis.latest() {
                    div.latest {
                        (value(latest)) " " (marks(latest)) (flags(latest))
                        @if !latest.time.is_empty() { small { (time(latest.time)) } }
                    }
                }
            }
            @if let Some(plot) = plot(&analysis.code.name, &analysis.rows, &anchor) { (plot) }
            div.scroll {
                table {
                    caption { "Valeurs, de la plus récente à la plus ancienne" }
                    thead { tr { th scope="col" { "Date" } th scope="col" { "Valeur" @if !unit.is_empty() { " (" (unit) ")" } } th scope="col" { "Référence" } th scope="col" { "Interprétation" } } }
                    tbody { @for row in &analysis.rows { (line(row, unit)) } }
                }
            }
            @if let Some(method) = analysis.rows.first().and_then(|row| row.method.as_ref()) { p.hint { "Méthode : " (method) } }
        }
    }
}

fn heading(code: &CodeKey, anchor: &str) -> Markup {
    html! {
        h3 id=(format!("{anchor}-name")) {
            (code.name)
            @if let Some(code) = &code.code { span.code { (code) } }
        }
    }
}

fn line(row: &ResultRow<'_>, unit: &str) -> Markup {
    html! {
        tr {
            td { @if row.time.is_empty() { "Sans date" } @else { (time(row.time)) } }
            td {
                @match &row.value {
                    Some(value) if row.unit == unit => span.number { (value) },
                    _ => (value(row)),
                }
                (notes(row))
            }
            td.range { (row.range) }
            td { (marks(row)) (flags(row)) }
        }
    }
}

fn antibiogram(isolate: &Isolate<'_, '_>, index: usize) -> Markup {
    let anchor = format!("i{index}");
    let with_ranges = isolate.members.iter().any(|row| !row.range.is_empty());
    html! {
        article.card.analysis id=(anchor) aria-labelledby=(format!("{anchor}-name")) {
            header {
                h3 id=(format!("{anchor}-name")) {
                    span.organism { (isolate.row.value.as_deref().unwrap_or_default()) }
                    span.code { (isolate.row.code.name) }
                }
                @if !isolate.row.time.is_empty() { div.latest { small { (time(isolate.row.time)) } } }
            }
            (marks(isolate.row)) (flags(isolate.row))
            div.scroll {
                table {
                    caption { "Ce que cette souche a donné, antibiotiques compris" }
                    thead { tr { th scope="col" { "Analyse ou antibiotique" } th scope="col" { "Valeur" } @if with_ranges { th scope="col" { "Référence" } } th scope="col" { "Interprétation" } } }
                    tbody {
                        @for row in &isolate.members {
                            tr {
                                th scope="row" { (row.code.name) }
                                td { (value(row)) (notes(row)) }
                                @if with_ranges { td.range { (row.range) } }
                                td { (marks(row)) (flags(row)) }
                            }
                        }
                    }
                }
            }
            @for note in &isolate.row.notes { p { (note) } }
        }
    }
}

/// What the laboratory says of one result.
fn notes(row: &ResultRow<'_>) -> Markup {
    html! { @for note in &row.notes { br; span.hint { (note) } } }
}

fn value(row: &ResultRow<'_>) -> Markup {
    html! {
        @match &row.value {
            Some(value) => span.number { (value) @if !row.unit.is_empty() { " " span.unit { (row.unit) } } },
            None => span.empty { "Sans valeur" },
        }
    }
}

fn marks(row: &ResultRow<'_>) -> Markup {
    html! {
        @for mark in &row.marks {
            span class=(format!("mark {}", mark.class)) { (mark.text) " (" (mark.code) ")" } " "
        }
    }
}

fn flags(row: &ResultRow<'_>) -> Markup {
    html! { @for flag in &row.flags { " " span.flag { (flag) } } }
}
