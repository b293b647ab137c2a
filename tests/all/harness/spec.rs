//! Reads the tables of tests/specs/*.md: a heading is the name of a test, the table below it is its data.
use std::collections::BTreeMap;
use std::path::PathBuf;

/// One row, by the names of its columns; `-` stands for nothing.
pub(crate) type Row = BTreeMap<String, String>;

fn read(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/specs").join(format!("{name}.md"));
    std::fs::read_to_string(path).unwrap()
}

/// `The report, when` names the test `the_report_when`.
fn as_name(heading: &str) -> String {
    heading.to_lowercase().replace(' ', "_").replace(',', "")
}

/// Headings of a spec, as names of tests.
pub(crate) fn headings(name: &str) -> Vec<String> {
    read(name).lines().filter_map(|line| line.strip_prefix("## ")).map(as_name).collect()
}

/// The table below the heading that this test is named after.
pub(crate) fn rows(name: &str, test: &str) -> Vec<Row> {
    let text = read(name);
    let mut sections = text.split("\n## ").skip(1);
    let named = |section: &&str| as_name(section.lines().next().unwrap()) == test;
    let section = sections.find(named).unwrap_or_else(|| panic!("{name}.md has no heading {test}"));
    let mut lines = section.lines().filter(|line| line.starts_with('|'));
    let cells = |line: &str| -> Vec<String> { line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect() };
    let columns = cells(lines.next().unwrap());
    let rows: Vec<Row> = lines.skip(1).map(|line| columns.iter().cloned().zip(cells(line)).collect()).collect();
    assert!(!rows.is_empty(), "{name}.md: the table of {test} is empty");
    rows
}

/// A sample document, or nothing where the samples are not here (which is printed).
pub(crate) fn sample(file: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/samples/cda").join(file);
    let bytes = std::fs::read(&path).ok();
    if bytes.is_none() {
        println!("skipped: {} is not here", path.display());
    }
    bytes
}

/// Makes a test of each heading of a spec: the function of that name in `checks` gets the rows of its table.
macro_rules! specs {
    ($file:literal: $($name:ident),+ $(,)?) => {
        $(#[test]
        fn $name() {
            checks::$name(&crate::harness::spec::rows($file, stringify!($name)));
        })+

        #[test]
        fn every_heading_is_a_test() {
            assert_eq!(crate::harness::spec::headings($file), [$(stringify!($name)),+]);
        }
    };
}
pub(crate) use specs;
