//! The upload of templates. The key of each contains the hash of its text, so that a change set cannot read another text
//! than the one that was shown.

use std::fs;
use std::path::Path;

use anyhow::Context;
use sha2::Digest;
use sha2::Sha256;

use super::aws::Aws;

/// The text before the file name of a nested template.
const NESTED: &str = "TemplateURL: ./";

/// An upload of templates from a folder to a bucket.
pub(super) struct TemplateUpload<'a> {
    aws: &'a Aws,
    folder: &'a Path,
    bucket: &'a str,
}

impl<'a> TemplateUpload<'a> {
    pub(super) fn new(aws: &'a Aws, folder: &'a Path, bucket: &'a str) -> Self {
        Self {
            aws,
            folder,
            bucket,
        }
    }

    /// Uploads a template after those that it nests, and returns its URL.
    pub(super) fn upload(&self, name: &str) -> anyhow::Result<String> {
        let text = with_urls(&read(self.folder, name)?, |nested| self.upload(nested))?;
        let key = format!("templates/{}.yaml", hex::encode(Sha256::digest(&text)));
        let file = tempfile::NamedTempFile::new().context("a temporary file cannot be made")?;
        fs::write(file.path(), &text).context("a template cannot be written")?;
        self.aws.upload(self.bucket, &key, file.path())?;
        let Aws { region, .. } = self.aws;
        Ok(format!(
            "https://{}.s3.{region}.amazonaws.com/{key}",
            self.bucket
        ))
    }
}

/// A template's text.
pub(super) fn read(folder: &Path, name: &str) -> anyhow::Result<String> {
    let path = folder.join(format!("{name}.yaml"));
    fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))
}

/// Replaces the file names of nested templates by their URLs.
fn with_urls(
    text: &str,
    mut url: impl FnMut(&str) -> anyhow::Result<String>,
) -> anyhow::Result<String> {
    let mut lines = Vec::new();
    for line in text.lines() {
        let nested = line.trim_start().strip_prefix(NESTED);
        match nested.and_then(|file| file.trim_end().strip_suffix(".yaml")) {
            Some(name) => {
                let indent = line.len() - line.trim_start().len();
                let url = url(name)?;
                lines.push(format!("{:indent$}TemplateURL: {url}", ""));
            }
            None => lines.push(line.to_owned()),
        }
    }
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_of_nested_templates_become_urls() {
        let text = "Keys:\n  Properties:\n    TemplateURL: ./keys.yaml\n    Parameters: {}\n";
        let packaged = with_urls(text, |name| Ok(format!("https://bucket/{name}"))).unwrap();
        let expected =
            "Keys:\n  Properties:\n    TemplateURL: https://bucket/keys\n    Parameters: {}\n";
        assert_eq!(packaged, expected);
    }
}
