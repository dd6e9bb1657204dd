//! Reads a file entry by entry, with one entry in memory at a time.

mod bundle;

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use anyhow::bail;
use flate2::read::MultiGzDecoder;
use serde_json::value::RawValue;
use sha2::Digest;
use sha2::Sha256;

/// Upper bound of one entry in bytes; web accepts less.
const LARGEST: u64 = 64 * 1024 * 1024;

/// The position of an entry in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryPosition {
    /// The number of the entry (or line), from 0, as FHIR paths count.
    pub entry: u64,
    /// The byte it begins at, after decompression.
    pub byte: u64,
}

impl fmt::Display for EntryPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry[{}], at byte {}", self.entry, self.byte)
    }
}

/// An entry of the file, unchanged.
#[derive(Debug)]
pub(super) struct Item<'a> {
    pub(super) place: EntryPosition,
    pub(super) full_url: Option<Cow<'a, str>>,
    /// `request.ifNoneExist`: the condition under which it is created.
    pub(super) if_none_exist: Option<String>,
    pub(super) resource: Option<&'a RawValue>,
}

/// The layout of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Bundle,
    Lines,
}

impl Format {
    /// The layout that the file's name stands for.
    pub(super) fn of(path: &Path) -> anyhow::Result<Self> {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        let plain = name.strip_suffix(".gz").unwrap_or(&name);
        match plain.rsplit_once('.') {
            Some((_, "ndjson")) => Ok(Self::Lines),
            Some((_, "json")) => Ok(Self::Bundle),
            _ => bail!(
                "{} is neither .json, .ndjson, nor either with .gz",
                path.display()
            ),
        }
    }
}

/// SHA-256 of the file, in hexadecimal.
pub(super) fn fingerprint(path: &Path) -> anyhow::Result<String> {
    let mut file =
        File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
    let mut hash = Sha256::new();
    let mut block = vec![0_u8; 64 * 1024];
    loop {
        let length = file.read(&mut block).context("the file cannot be read")?;
        let Some(read) = block.get(..length).filter(|read| !read.is_empty()) else {
            break;
        };
        hash.update(read);
    }
    Ok(hex::encode(hash.finalize()))
}

/// Passes every entry of a file to `each`, in order.
///
/// # Errors
/// When the file cannot be read or is not what its name says, with the place; or the error of `each`.
pub(super) fn each_item(
    path: &Path,
    each: &mut dyn FnMut(Item<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let file = File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
    let compressed = path.extension().is_some_and(|extension| extension == "gz");
    let reader: Box<dyn Read> = if compressed {
        Box::new(MultiGzDecoder::new(BufReader::new(file)))
    } else {
        Box::new(file)
    };
    let reader = BufReader::with_capacity(256 * 1024, reader);
    let read = match Format::of(path)? {
        Format::Bundle => bundle::each(reader, each),
        Format::Lines => each_of_lines(reader, each),
    };
    read.with_context(|| format!("{} cannot be imported further", path.display()))
}

fn each_of_lines(
    mut reader: impl BufRead,
    each: &mut dyn FnMut(Item<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut place = EntryPosition { entry: 0, byte: 0 };
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.by_ref().take(LARGEST).read_until(b'\n', &mut line);
        let length = u64::try_from(read.context("the file cannot be read")?)?;
        if length == 0 {
            return Ok(());
        }
        if !line.trim_ascii().is_empty() {
            let resource: &RawValue = serde_json::from_slice(&line)
                .with_context(|| format!("the line is no JSON ({place})"))?;
            each(Item {
                place,
                full_url: None,
                if_none_exist: None,
                resource: Some(resource),
            })?;
        }
        place = EntryPosition {
            entry: place.entry + 1,
            byte: place.byte + length,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items_of(name: &str, text: &[u8]) -> anyhow::Result<Vec<(EntryPosition, String)>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let mut items = Vec::new();
        each_item(&path, &mut |item| {
            items.push((
                item.place,
                item.resource
                    .map(RawValue::get)
                    .unwrap_or_default()
                    .to_owned(),
            ));
            Ok(())
        })?;
        Ok(items)
    }

    #[test]
    fn entries_come_one_by_one_with_the_byte_they_begin_at() {
        let text = br#"{"resourceType":"Bundle", "entry":[ {"resource":{"a":1}},
            {"fullUrl":"urn:x", "resource":{"b":1.10}}], "type":"transaction"}"#;
        let items = items_of("bundle.json", text).unwrap();
        assert_eq!(items.len(), 2);
        assert_eq!(items[1].1, r#"{"b":1.10}"#);
        for (place, _) in items {
            assert_eq!(text[usize::try_from(place.byte).unwrap()], b'{');
        }
    }

    #[test]
    fn a_bundle_that_breaks_off_is_an_error_after_what_was_whole() {
        let error = items_of("b.json", br#"{"entry":[{"resource":{}},{"res"#).unwrap_err();
        assert!(format!("{error:#}").contains("breaks off"), "{error:#}");
    }

    #[test]
    fn no_error_repeats_a_value_of_the_file() {
        for text in [
            r#"{"entry":"SECRET"}"#,
            r#"{"entry":["SECRET"]}"#,
            r#"{"entry":[{"fullUrl":["SECRET"]}]}"#,
            r#"{"resourceType":["SECRET"]}"#,
            r#"{"resourceType":"SECRET"}"#,
            r#"["SECRET"]"#,
        ] {
            let error = format!("{:#}", items_of("b.json", text.as_bytes()).unwrap_err());
            assert!(!error.contains("SECRET"), "{error}");
        }
    }

    #[test]
    fn lines_are_resources_and_empty_ones_are_passed_over() {
        let items = items_of("b.ndjson", b"{\"a\":1}\n\n{\"b\":2}").unwrap();
        assert_eq!(
            items[1],
            (EntryPosition { entry: 2, byte: 9 }, "{\"b\":2}".to_owned())
        );
    }

    #[test]
    fn another_resource_than_a_bundle_is_refused() {
        let error = items_of("p.json", br#"{"resourceType":"Patient"}"#).unwrap_err();
        assert!(format!("{error:#}").contains("no Bundle"), "{error:#}");
    }
}
