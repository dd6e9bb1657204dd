//! Reading a file entry by entry: never more than one of them is in memory.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, anyhow, bail};
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// One entry may not be larger than this; the front door takes less.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Where something stands in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The number of the entry (or line), from 0, as FHIR paths count.
    pub entry: u64,
    /// The byte it begins at, after decompression.
    pub byte: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry[{}], at byte {}", self.entry, self.byte)
    }
}

/// An entry as it stands in the file.
#[derive(Debug)]
pub(super) struct Item<'a> {
    pub(super) place: Place,
    pub(super) full_url: Option<Cow<'a, str>>,
    pub(super) resource: Option<&'a RawValue>,
}

/// How a file is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Bundle,
    Lines,
}

impl Format {
    /// Tells the layout from the file's name.
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

/// SHA-256 of the file as it lies there, in hexadecimal.
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

/// Hands every entry of a file to `each`, in order.
///
/// # Errors
/// When the file cannot be read or is not what its name says, with the place; or what `each` says.
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
        Format::Bundle => each_of_bundle(reader, each),
        Format::Lines => each_of_lines(reader, each),
    };
    read.with_context(|| format!("{} cannot be imported further", path.display()))
}

fn each_of_lines(
    mut reader: impl BufRead,
    each: &mut dyn FnMut(Item<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut place = Place { entry: 0, byte: 0 };
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
                resource: Some(resource),
            })?;
        }
        place = Place {
            entry: place.entry + 1,
            byte: place.byte + length,
        };
    }
}

fn each_of_bundle(
    reader: impl Read,
    each: &mut dyn FnMut(Item<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let meter = Meter {
        read: Rc::default(),
        allowed: Rc::new(Cell::new(LARGEST)),
    };
    let mut failure = None;
    let mut json = serde_json::Deserializer::from_reader(Metered {
        reader,
        meter: meter.clone(),
    });
    let walk = Walk {
        meter,
        each,
        failure: &mut failure,
        entry: 0,
    };
    let outcome = json.deserialize_map(walk).and_then(|()| json.end());
    match failure {
        Some(failure) => Err(failure),
        None => outcome.map_err(|error| anyhow!("the bundle breaks off: {error}")),
    }
}

/// How far the reader has come, and how far it may go before the next entry.
#[derive(Clone)]
struct Meter {
    read: Rc<Cell<u64>>,
    allowed: Rc<Cell<u64>>,
}

/// A reader that counts. The JSON reader takes single bytes and looks ahead by none inside an
/// object, so the count is exact at the end of each entry.
struct Metered<R> {
    reader: R,
    meter: Meter,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        let read = self.meter.read.get() + u64::try_from(length).unwrap_or(u64::MAX);
        self.meter.read.set(read);
        if read > self.meter.allowed.get() {
            return Err(io::Error::other("one entry is larger than 64 MiB"));
        }
        Ok(length)
    }
}

/// Walks over a bundle's fields, and in `entry` over the entries.
struct Walk<'a> {
    meter: Meter,
    each: &'a mut dyn FnMut(Item<'_>) -> anyhow::Result<()>,
    failure: &'a mut Option<anyhow::Error>,
    entry: u64,
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a FHIR bundle")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key::<String>()? {
            match field.as_str() {
                "entry" => map.next_value_seed(Entries(&mut self))?,
                "resourceType" => {
                    let name: String = map.next_value()?;
                    if name != "Bundle" {
                        return Err(de::Error::custom("this is no Bundle"));
                    }
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

struct Entries<'w, 'a>(&'w mut Walk<'a>);

impl<'de> DeserializeSeed<'de> for Entries<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the entries of a bundle")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let walk = self.0;
        while let Some(raw) = entries.next_element::<Box<RawValue>>()? {
            let read = walk.meter.read.get();
            walk.meter.allowed.set(read + LARGEST);
            let length = u64::try_from(raw.get().len()).unwrap_or(read);
            let place = Place {
                entry: walk.entry,
                byte: read.saturating_sub(length),
            };
            walk.entry += 1;
            if let Err(error) = hand_over(&raw, place, walk.each) {
                *walk.failure = Some(error);
                return Err(de::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

fn hand_over(
    raw: &RawValue,
    place: Place,
    each: &mut dyn FnMut(Item<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    #[derive(Deserialize)]
    struct Entry<'a> {
        #[serde(rename = "fullUrl", borrow)]
        full_url: Option<Cow<'a, str>>,
        #[serde(borrow)]
        resource: Option<&'a RawValue>,
    }
    let entry: Entry<'_> = serde_json::from_str(raw.get())
        .with_context(|| format!("this is no entry of a bundle ({place})"))?;
    each(Item {
        place,
        full_url: entry.full_url,
        resource: entry.resource,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items_of(name: &str, text: &[u8]) -> anyhow::Result<Vec<(Place, String)>> {
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
    fn lines_are_resources_and_empty_ones_are_passed_over() {
        let items = items_of("b.ndjson", b"{\"a\":1}\n\n{\"b\":2}").unwrap();
        assert_eq!(
            items[1],
            (Place { entry: 2, byte: 9 }, "{\"b\":2}".to_owned())
        );
    }

    #[test]
    fn another_resource_than_a_bundle_is_refused() {
        let error = items_of("p.json", br#"{"resourceType":"Patient"}"#).unwrap_err();
        assert!(format!("{error:#}").contains("no Bundle"), "{error:#}");
    }
}
