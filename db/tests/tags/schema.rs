//! The columns that the migrations create, and the README's table of those in the clear.

use std::collections::BTreeSet;
use std::path::Path;

/// The table and the name of each column in `CREATE TABLE` and `ALTER TABLE … ADD COLUMN` of the migrations.
pub(crate) fn columns() -> BTreeSet<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut columns = BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let mut table = None;
        for line in text.lines().filter(|line| !line.starts_with("--")) {
            let mut words = line
                .split_whitespace()
                .map(|word| word.trim_matches(['`', '(']));
            let words: [&str; 5] = std::array::from_fn(|_| words.next().unwrap_or_default());
            match words {
                ["CREATE" | "ALTER", "TABLE", name, "ADD", _] => {
                    panic!("write ADD COLUMN to {name} on a line of its own");
                }
                ["CREATE" | "ALTER", "TABLE", name, ..] => table = Some(name.to_owned()),
                ["ADD", "COLUMN", column, ..] => {
                    columns.insert((table.clone().unwrap(), column.to_owned()));
                }
                ["PRIMARY" | "UNIQUE" | "KEY" | "CONSTRAINT" | ")" | "", ..] => {}
                [column, ..] if line.starts_with("  ") => {
                    columns.insert((table.clone().unwrap(), column.to_owned()));
                }
                _ => {}
            }
        }
    }
    assert!(columns.len() > 100, "{columns:?}");
    columns
}

/// The names in the first column of the README's table: `column` of any table, `table.column`, or `table.*`.
fn documented() -> BTreeSet<String> {
    let readme = include_str!("../../README.md");
    let section = readme
        .split("## What the columns in the clear reveal")
        .nth(1)
        .unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.flat_map(|row| row.split('|').nth(1).unwrap().split(','))
        .map(|name| name.trim().trim_matches('`').to_owned())
        .collect()
}

#[test]
fn the_readme_says_of_every_column_in_the_clear_what_it_reveals() {
    let documented = documented();
    let mut used = BTreeSet::new();
    for (table, column) in columns() {
        let is_sealed = phi_types::columns::ALL
            .iter()
            .any(|(of, name, _)| (*of, *name) == (table.as_str(), column.as_str()));
        if is_sealed {
            continue;
        }
        let names = [
            format!("{table}.{column}"),
            format!("{table}.*"),
            column.clone(),
        ];
        let name = names.into_iter().find(|name| documented.contains(name));
        used.insert(name.unwrap_or_else(|| panic!("{table}.{column} is not in the README")));
    }
    let stale: Vec<_> = documented.difference(&used).collect();
    assert!(stale.is_empty(), "no such columns: {stale:?}");
}
