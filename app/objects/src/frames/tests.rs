//! Frames as they are written, and objects that are none.

use async_trait::async_trait;
use bytes::Bytes;
use phi_types::columns::ResourceBody;

use super::*;
use crate::Ciphertext;

/// An object in memory.
struct Object(Bytes);

#[async_trait]
impl ObjectReader for Object {
    fn size(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap()
    }

    async fn read(&self, start: u64, length: usize) -> Result<Bytes, GetError> {
        let start = usize::try_from(start).unwrap().min(self.0.len());
        let end = start.saturating_add(length).min(self.0.len());
        Ok(self.0.slice(start..end))
    }
}

fn value(bytes: &[u8]) -> Sealed<ResourceBody> {
    Sealed::from_bytes(bytes.to_vec())
}

async fn read(object: &[u8], max: usize) -> Result<Vec<Sealed<ResourceBody>>, FrameError> {
    let mut frames = Frames::new(Box::new(Object(Bytes::copy_from_slice(object))), max);
    let mut values = Vec::new();
    while let Some(value) = frames.next().await? {
        values.push(value);
    }
    Ok(values)
}

#[tokio::test]
async fn values_are_read_as_they_were_written() {
    let values = [value(b"first"), value(&[0xE1; 300]), value(b"x")];
    let mut object = Vec::new();
    for value in &values {
        object.extend_from_slice(Ciphertext::framed(value).unwrap().bytes());
    }
    assert_eq!(read(&object, 300).await.unwrap(), values);
    assert_eq!(read(&[], 300).await.unwrap(), []);
}

#[tokio::test]
async fn an_object_that_ends_within_a_frame_is_malformed() {
    let framed = Ciphertext::framed(&value(b"value")).unwrap();
    for length in 1..framed.bytes().len() {
        let part = framed.bytes().slice(..length);
        assert!(matches!(read(&part, 300).await, Err(FrameError::Malformed)));
    }
}

#[tokio::test]
async fn a_frame_beyond_the_readers_maximum_is_not_read() {
    let framed = Ciphertext::framed(&value(b"value")).unwrap();
    assert!(read(framed.bytes(), 5).await.is_ok());
    for (object, max) in [
        (&framed.bytes()[..], 4),
        (&[0xFF; 9], usize::MAX),
        (&[0; 4], 300),
    ] {
        assert!(matches!(
            read(object, max).await,
            Err(FrameError::Malformed)
        ));
    }
}
