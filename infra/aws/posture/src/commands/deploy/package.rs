//! Templates in the bucket, each under the hash of what it says: a change set can never read another
//! text than the one that was shown.

use std::fs;
use std::path::Path;

use anyhow::Context;
use sha2::Digest;
use sha2::Sha256;

use super::aws::Aws;

/// How a nested stack names its template, up to the file's name.
const NESTED: &str = "TemplateURL: ./";

/// The templates of a folder, on their way into a bucket.
pub(super) struct Package<'a> {
    aws: &'a Aws,
    folder: &'a Path,
    bucket: &'a str,
}

impl<'a> Package<'a> {
    pub(super) fn new(aws: &'a Aws, folder: &'a Path, bucket: &'a str) -> Self {
        Self {
            aws,
            folder,
            bucket,
        }
    }

    /// Uploads a template after those that it nests, and gives its address.
    pub(super) fn upload(&self, name: &str) -> anyhow::Result<String> {
        let text = with_addresses(&read(self.folder, name)?, |nested| self.upload(nested))?;
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

/// Replaces the names of nested templates by their addresses.
fn with_addresses(
    text: &str,
    mut address: impl FnMut(&str) -> anyhow::Result<String>,
) -> anyhow::Result<String> {
    let mut lines = Vec::new();
    for line in text.lines() {
        let nested = line.trim_start().strip_prefix(NESTED);
        match nested.and_then(|file| file.trim_end().strip_suffix(".yaml")) {
            Some(name) => {
                let indent = line.len() - line.trim_start().len();
                let address = address(name)?;
                lines.push(format!("{:indent$}TemplateURL: {address}", ""));
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
    fn nested_templates_get_their_addresses() {
        let text = "Keys:\n  Properties:\n    TemplateURL: ./keys.yaml\n    Parameters: {}\n";
        let packaged = with_addresses(text, |name| Ok(format!("https://bucket/{name}"))).unwrap();
        let expected =
            "Keys:\n  Properties:\n    TemplateURL: https://bucket/keys\n    Parameters: {}\n";
        assert_eq!(packaged, expected);
    }
}
