//! Lists of a folder: a walk in the order of the names' bytes that holds no more than a page for each level.

use std::collections::BTreeMap;
use std::fs;
use std::fs::DirEntry;
use std::io;
use std::path::Path;

use super::is_absent;
use crate::name::MAX_SEGMENTS;
use crate::name::ObjectName;
use crate::name::ObjectPrefix;
use crate::name::is_segment;
use crate::store::ObjectMetadata;
use crate::store::ObjectPage;

/// An entry of a folder.
enum Entry {
    /// An object, with its length in bytes.
    Object(u64),
    /// A folder, whose key ends with `/`.
    Folder,
}

/// A walk through the folders.
struct Walk {
    prefix: ObjectPrefix,
    after: Option<ObjectName>,
    limit: usize,
    found: Vec<ObjectMetadata>,
}

/// The page after `after`.
pub(super) fn page(
    root: &Path,
    prefix: ObjectPrefix,
    after: Option<ObjectName>,
    limit: usize,
) -> io::Result<ObjectPage> {
    let mut walk = Walk {
        prefix,
        after,
        limit,
        found: Vec::new(),
    };
    walk.visit(root, "", 1)?;
    let objects = walk.found;
    let last = objects.last().filter(|_| objects.len() == limit);
    Ok(ObjectPage {
        next: last.map(|object| object.name.clone()),
        objects,
    })
}

impl Walk {
    /// Finds the objects of a folder, whose names begin with `base`.
    fn visit(&mut self, folder: &Path, base: &str, depth: usize) -> io::Result<()> {
        let mut done: Option<String> = None;
        while self.found.len() < self.limit {
            let batch = self.smallest(folder, base, done.as_deref(), depth)?;
            let is_last = batch.len() < self.limit;
            for (key, entry) in batch {
                match entry {
                    Entry::Folder => {
                        let name = key.trim_end_matches('/').rsplit('/').next();
                        let path = folder.join(name.unwrap_or_default());
                        self.visit(&path, &key, depth.saturating_add(1))?;
                    }
                    Entry::Object(size) => {
                        if let Ok(name) = key.parse() {
                            self.found.push(ObjectMetadata { name, size });
                        }
                    }
                }
                if self.found.len() == self.limit {
                    return Ok(());
                }
                done = Some(key);
            }
            if is_last {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The first entries of a folder after `done` that may be part of the page: as many as a page has objects.
    fn smallest(
        &self,
        folder: &Path,
        base: &str,
        done: Option<&str>,
        depth: usize,
    ) -> io::Result<BTreeMap<String, Entry>> {
        let mut smallest = BTreeMap::new();
        let entries = match fs::read_dir(folder) {
            // Removed since its parent was read.
            Err(error) if is_absent(&error) => return Ok(smallest),
            entries => entries?,
        };
        for entry in entries {
            let Some((key, entry)) = read_entry(&entry?, base, depth)? else {
                continue;
            };
            if done.is_none_or(|done| key.as_str() > done) && self.admits(&key, &entry) {
                smallest.insert(key, entry);
                if smallest.len() > self.limit {
                    smallest.pop_last();
                }
            }
        }
        Ok(smallest)
    }

    /// Whether an object belongs to the page's range, or a folder may have such an object.
    fn admits(&self, key: &str, entry: &Entry) -> bool {
        let (prefix, after) = (self.prefix.as_str(), self.after.as_ref());
        match entry {
            Entry::Object(_) => {
                key.starts_with(prefix) && after.is_none_or(|after| key > after.as_str())
            }
            Entry::Folder => {
                (key.starts_with(prefix) || prefix.starts_with(key))
                    && after
                        .is_none_or(|after| key > after.as_str() || after.as_str().starts_with(key))
            }
        }
    }
}

/// An entry and its key; none for uploads, and for what is no part of a store.
fn read_entry(entry: &DirEntry, base: &str, depth: usize) -> io::Result<Option<(String, Entry)>> {
    let name = entry.file_name();
    let Some(name) = name.to_str().filter(|name| is_segment(name)) else {
        return Ok(None);
    };
    let kind = entry.file_type()?;
    if kind.is_dir() {
        let is_reachable = depth < MAX_SEGMENTS;
        return Ok(is_reachable.then(|| (format!("{base}{name}/"), Entry::Folder)));
    }
    if !kind.is_file() {
        return Ok(None);
    }
    match entry.metadata() {
        Ok(metadata) => Ok(Some((
            format!("{base}{name}"),
            Entry::Object(metadata.len()),
        ))),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}
