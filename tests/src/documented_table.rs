//! Tables in documents, which tests make.

use std::env;
use std::fs;

use anyhow::Context;
use anyhow::ensure;

/// The variable that lets a test write its table into the document instead of comparing it.
const REWRITE: &str = "STACK_REWRITE_TABLES";

/// Compares a table with the one that a document of this repository has between the lines `<!-- table NAME -->` and
/// `<!-- end of NAME -->`. Writes it there if `STACK_REWRITE_TABLES` is set.
///
/// # Errors
/// When the document has another table: shows both.
pub fn check_documented_table(document: &str, name: &str, table: &str) -> anyhow::Result<()> {
    let path = tools::workspace::root()?.join(document);
    let text = fs::read_to_string(&path).with_context(|| format!("{document} cannot be read"))?;
    let rewritten = with_table(&text, name, table)
        .with_context(|| format!("{document} has no place for the table {name}"))?;
    if env::var_os(REWRITE).is_some() {
        return fs::write(&path, rewritten)
            .with_context(|| format!("{document} cannot be written"));
    }
    ensure!(
        rewritten == text,
        "{document} has another table {name}. If this one is right, set {REWRITE}=1, run the test again, and review \
         the difference:\n{table}"
    );
    Ok(())
}

/// The text with another table.
fn with_table(text: &str, name: &str, table: &str) -> Option<String> {
    let (begin, end) = (
        format!("<!-- table {name} -->\n"),
        format!("<!-- end of {name} -->\n"),
    );
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    let table = table.trim_end();
    Some(format!("{before}{begin}\n{table}\n\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::with_table;

    #[test]
    fn a_table_replaces_the_one_at_its_place_and_nothing_else() {
        let text = "a\n<!-- table x -->\n| old |\n<!-- end of x -->\nb\n<!-- table y -->\n<!-- end of y -->\n";
        let expected = "a\n<!-- table x -->\n\n| new |\n\n<!-- end of x -->\nb\n<!-- table y -->\n<!-- end of y -->\n";
        let once = with_table(text, "x", "| new |\n");
        assert_eq!(once.as_deref(), Some(expected));
        assert_eq!(
            with_table(expected, "x", "| new |").as_deref(),
            Some(expected)
        );
        assert_eq!(with_table(text, "z", "| new |"), None);
    }
}
