//! `cargo stack rename`: gives a fork its own title, name and trust domain.
//!
//! The names stand in `[workspace.metadata.product]` of the root manifest, which the crate `product` reads. Files that
//! cannot read it (the compose file, the templates for AWS and their parameters, documents) hold the names as text and
//! are rewritten with it.

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

    /// The names that follow from a title, unless they are given.
    ///
    /// # Errors
    /// When a name has other characters than its use allows, or is one that the repository uses for something else.
    pub fn from_title(
        title: &str,
        name: Option<String>,
        trust_domain: Option<String>,
    ) -> anyhow::Result<Self> {
        let name = name.unwrap_or_else(|| label(title));
        let trust_domain = trust_domain.unwrap_or_else(|| format!("{name}.internal"));
        let is_plain = |c: char| !c.is_control() && !"\"\\<>&'$`".contains(c);
        ensure!(
            !title.trim().is_empty() && title.chars().all(is_plain),
            "the title `{title}` must not be empty or have quotes, brackets, `&`, `$` or control characters"
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

    /// Texts of these names as they occur in files, with the texts of `other` in their places.
    fn replacements<'n>(&'n self, other: &'n Self) -> [(String, String); 4] {
        // The restore testing plan of AWS Backup allows no hyphens.
        let underscored = |names: &Self| names.name.replace('-', "_");
        [
            (self.trust_domain.clone(), other.trust_domain.clone()),
            (self.name.clone(), other.name.clone()),
            (underscored(self), underscored(other)),
            (self.title.clone(), other.title.clone()),
        ]
    }
}

/// Renames the product in every file of the repository that git knows, and returns the files that changed.
///
/// # Errors
/// When the repository has uncommitted changes, or a file cannot be read or written.
pub fn rename(root: &Path, names: &Names) -> anyhow::Result<Vec<String>> {
    let changes = git(root, &["status", "--porcelain"])?;
    ensure!(
        changes.is_empty(),
        "the repository has uncommitted changes: commit them first, so that the renaming can be undone"
    );
    let replacements = Names::current().replacements(names);
    let mut changed = Vec::new();
    for file in git(root, &["ls-files", "-z"])?.split_terminator('\0') {
        let path = root.join(file);
        // What is no text has no name in it.
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        let renamed = replacements
            .iter()
            .fold(text.clone(), |text, (old, new)| text.replace(old, new));
        if renamed != text {
            fs::write(&path, renamed)
                .with_context(|| format!("{} cannot be written", path.display()))?;
            changed.push(file.to_owned());
        }
    }
    Ok(changed)
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
    fn names_that_do_not_fit_are_refused_with_what_to_do() {
        for (title, name, option) in [
            ("", None, "the title"),
            ("A\"B", None, "the title"),
            ("Acme", Some("A"), "--name"),
            ("Acme", Some("a name"), "--name"),
            ("A Name That Is Longer Than AWS Allows", None, "--name"),
        ] {
            let error = Names::from_title(title, name.map(str::to_owned), None).unwrap_err();
            assert!(error.to_string().contains(option), "{error}");
        }
        let error = Names::from_title("Acme", None, Some("a_b".into())).unwrap_err();
        assert!(error.to_string().contains("--trust-domain"), "{error}");
    }
}
