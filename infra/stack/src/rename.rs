//! `cargo stack rename`: gives a fork its own title, name and trust domain.
//!
//! The names stand in `[workspace.metadata.product]` of the root manifest, which the crate `product` reads. Files that
//! cannot read it (the compose file, the templates for AWS and their parameters, documents) hold the names as text and
//! are rewritten with it.

use std::cmp::Reverse;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use anyhow::bail;
use anyhow::ensure;

/// The names of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The title on the pages: `Acme Health`.
    pub title: String,
    /// The name of folders, containers and cloud resources: `acme-health`.
    pub name: String,
    /// The trust domain of the development certificates: `acme-health.internal`.
    pub trust_domain: String,
}

impl Names {
    /// The names of this build.
    #[must_use]
    pub fn current() -> Self {
        Self {
            title: product::TITLE.to_owned(),
            name: product::NAME.to_owned(),
            trust_domain: product::TRUST_DOMAIN.to_owned(),
        }
    }

    /// No names: what is replaced by them is removed.
    fn none() -> Self {
        Self {
            title: String::new(),
            name: String::new(),
            trust_domain: String::new(),
        }
    }

    /// The names that follow from a title, unless they are given.
    ///
    /// # Errors
    /// When a name has other characters than its use allows.
    pub fn from_title(
        title: &str,
        name: Option<String>,
        trust_domain: Option<String>,
    ) -> anyhow::Result<Self> {
        let name = name.unwrap_or_else(|| label(title));
        let trust_domain = trust_domain.unwrap_or_else(|| format!("{name}.internal"));
        let is_plain = |c: char| c.is_alphanumeric() || " -.,+/()".contains(c);
        ensure!(
            title.trim() == title
                && (1..=60).contains(&title.chars().count())
                && title.chars().all(is_plain),
            "the title `{title}` must have 1 to 60 letters, digits, spaces and `-.,+/()`, and no space at either end"
        );
        ensure!(
            is_label(&name) && (3..=20).contains(&name.len()),
            "the name `{name}` must have 3 to 20 lower-case letters, digits and hyphens, and begin with a letter: give \
             one with --name"
        );
        ensure!(
            trust_domain.len() <= 63 && trust_domain.split('.').all(is_label),
            "the trust domain `{trust_domain}` must be a DNS name in lower case: give one with --trust-domain"
        );
        Ok(Self {
            title: title.to_owned(),
            name,
            trust_domain,
        })
    }

    /// The texts of these names in files, each with the text of `other` in its place; longer ones first.
    fn replacements(&self, other: &Self) -> Vec<(String, String)> {
        // The restore testing plan of AWS Backup allows no hyphens.
        let underscored = |names: &Self| names.name.replace('-', "_");
        let mut pairs = vec![
            (self.trust_domain.clone(), other.trust_domain.clone()),
            (self.title.clone(), other.title.clone()),
            (self.name.clone(), other.name.clone()),
        ];
        if self.name.contains('-') {
            pairs.push((underscored(self), underscored(other)));
        }
        pairs.sort_by_key(|(old, _)| Reverse(old.len()));
        pairs
    }
}

/// Replaces every occurrence of an old text once, from left to right: a new text is not searched again.
fn replaced(text: &str, replacements: &[(String, String)]) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if let Some((old, new)) = replacements.iter().find(|(old, _)| rest.starts_with(old)) {
            result.push_str(new);
            rest = rest.split_at(old.len()).1;
        } else {
            result.push(next);
            rest = rest.split_at(next.len_utf8()).1;
        }
    }
    result
}

/// Renames the product in every file of the repository that git knows, and returns the files that changed.
///
/// # Errors
/// When the repository has uncommitted changes, a new name occurs in it already, or a file cannot be read or written.
pub fn rename(root: &Path, names: &Names) -> anyhow::Result<Vec<String>> {
    let changes = git(root, &["status", "--porcelain"])?;
    ensure!(
        changes.is_empty(),
        "the repository has uncommitted changes: commit them first, so that the renaming can be undone"
    );
    let current = Names::current();
    let replacements = current.replacements(names);
    let removals = current.replacements(&Names::none());
    let mut renamed_files = Vec::new();
    for file in git(root, &["ls-files", "-z"])?.split_terminator('\0') {
        let path = root.join(file);
        // A symbolic link may lead out of the repository; what is not text has no name in it.
        let is_file = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file());
        let Some(text) = is_file.then(|| fs::read_to_string(&path).ok()).flatten() else {
            continue;
        };
        if !has_examples(file) {
            check_unused(file, &replaced(&text, &removals), names)?;
        }
        let renamed = replaced(&text, &replacements);
        if renamed != text {
            renamed_files.push((file.to_owned(), path, renamed));
        }
    }
    ensure!(
        !renamed_files.is_empty(),
        "no file has the names of this program: build it again in this repository (`cargo stack rename` does)"
    );
    // Nothing is written before every file was checked.
    for (_, path, renamed) in &renamed_files {
        fs::write(path, renamed)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(renamed_files.into_iter().map(|(file, ..)| file).collect())
}

/// Whether a file names other products, as examples.
fn has_examples(file: &str) -> bool {
    file.starts_with("infra/stack/") || Path::new(file).extension().is_some_and(|it| it == "md")
}

/// Checks that a file, without the old names, does not have the new ones yet: a later renaming would change those texts too.
fn check_unused(file: &str, without_old: &str, names: &Names) -> anyhow::Result<()> {
    for new in [&names.name, &names.trust_domain] {
        ensure!(
            !without_old.contains(new.as_str()),
            "{file} has the text `{new}` already: choose another with --name or --trust-domain"
        );
    }
    Ok(())
}

fn git(root: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git")
        .current_dir(root)
        .args(arguments)
        .output()
        .context("git cannot be started: is it installed?")?;
    if !output.status.success() {
        bail!(
            "git {} failed: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    String::from_utf8(output.stdout).context("a file's name is not UTF-8")
}

/// A title in lower case, with hyphens for what is neither letter nor digit.
fn label(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<String> = words
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    words.join("-")
}

fn is_label(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && !text.contains("--")
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_gives_the_other_names() {
        let names = Names::from_title("Acme Health 2", None, None).unwrap();
        assert_eq!(names.name, "acme-health-2");
        assert_eq!(names.trust_domain, "acme-health-2.internal");
        let given = Names::from_title("Ärzte", Some("aerzte".into()), Some("a.example".into()));
        assert_eq!(given.unwrap().trust_domain, "a.example");
    }

    #[test]
    fn each_old_text_is_replaced_once_and_the_longest_first() {
        let pairs = [
            ("acme.internal", "acme-health.internal"),
            ("acme", "acme-health"),
        ];
        let pairs = pairs.map(|(old, new)| (old.to_owned(), new.to_owned()));
        let text = "acme acme.internal acme-prod";
        assert_eq!(
            replaced(text, &pairs),
            "acme-health acme-health.internal acme-health-prod"
        );
    }

    #[test]
    fn names_that_do_not_fit_are_refused_with_what_to_do() {
        for (title, name, option) in [
            ("", None, "the title"),
            ("A\"B", None, "the title"),
            ("Acme", Some("A"), "--name"),
            ("Acme", Some("a name"), "--name"),
            ("Acme", Some("a--b"), "--name"),
            (" Acme", None, "the title"),
            ("A Name That Is Longer Than AWS Allows", None, "--name"),
        ] {
            let error = Names::from_title(title, name.map(str::to_owned), None).unwrap_err();
            assert!(error.to_string().contains(option), "{error}");
        }
        let error = Names::from_title("Acme", None, Some("a_b".into())).unwrap_err();
        assert!(error.to_string().contains("--trust-domain"), "{error}");
    }
}
