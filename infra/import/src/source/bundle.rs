//! Reads a Bundle's JSON as a stream.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::io;
use std::io::Read;
use std::rc::Rc;

use anyhow::Context;
use anyhow::anyhow;
use serde::Deserialize;
use serde::de;
use serde::de::DeserializeSeed;
use serde::de::Deserializer;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::EntryPosition;
use super::Item;
use super::LARGEST;

/// Passes every entry of a Bundle to `each`, in order.
pub(super) fn each(
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
        None => outcome.map_err(|error| match error.classify() {
            // Such a message would repeat the value.
            Category::Data => anyhow!(
                "at line {} column {} is another kind of value than a Bundle has",
                error.line(),
                error.column()
            ),
            Category::Io | Category::Syntax | Category::Eof => {
                anyhow!("the bundle breaks off: {error}")
            }
        }),
    }
}

/// The position of the reader, and the position that it must not pass before the next entry.
#[derive(Clone)]
struct Meter {
    read: Rc<Cell<u64>>,
    allowed: Rc<Cell<u64>>,
}

/// A reader that counts bytes. The JSON parser reads single bytes without lookahead inside an object, so that the count
/// is exact at the end of each entry.
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

/// Visits a Bundle's fields, and the entries in `entry`.
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
                        *self.failure = Some(anyhow!("this is no Bundle"));
                        return Err(de::Error::custom("stopped"));
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
            let place = EntryPosition {
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
    place: EntryPosition,
    each: &mut dyn FnMut(Item<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    #[derive(Deserialize)]
    struct Entry<'a> {
        #[serde(rename = "fullUrl", borrow)]
        full_url: Option<Cow<'a, str>>,
        #[serde(borrow)]
        resource: Option<&'a RawValue>,
        #[serde(borrow)]
        request: Option<&'a RawValue>,
    }
    #[derive(Default, Deserialize)]
    struct Request {
        #[serde(rename = "ifNoneExist")]
        if_none_exist: Option<String>,
    }
    // The cause is left out: it would repeat the value.
    let entry: Option<Entry<'_>> = serde_json::from_str(raw.get()).ok();
    let entry = entry.with_context(|| format!("this is no entry of a bundle ({place})"))?;
    // Only the condition is of interest: an import makes requests of its own.
    let request: Request = entry
        .request
        .and_then(|request| serde_json::from_str(request.get()).ok())
        .unwrap_or_default();
    each(Item {
        place,
        full_url: entry.full_url,
        if_none_exist: request.if_none_exist,
        resource: entry.resource,
    })
}
