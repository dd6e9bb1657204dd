//! The promises of [`ObjectStore`], as tests that every implementation runs: `conformance!(an_empty_store)`.

use std::collections::BTreeSet;

use phi_types::Sealed;
use phi_types::columns::ResourceBody;
use time::OffsetDateTime;

use crate::Ciphertext;
use crate::GetError;
use crate::MAX_PAGE;
use crate::ObjectName;
use crate::ObjectPrefix;
use crate::ObjectStore;
use crate::PutError;
use crate::PutMode;

/// Declares a test for each promise. `$store` is an async function without arguments that returns an empty store and
/// whatever must live as long as it.
macro_rules! conformance {
    ($store:ident: $($promise:ident)*) => {
        $(
            #[tokio::test]
            async fn $promise() {
                let (store, _guard) = $store().await;
                $crate::conformance::$promise(&store).await;
            }
        )*
    };
    ($store:ident) => {
        $crate::conformance::conformance!($store:
            an_object_is_read_as_it_was_written_in_parts
            an_object_in_memory_is_stored_whole
            an_object_appears_with_its_commit_and_not_before
            an_aborted_or_dropped_upload_leaves_nothing
            a_name_is_not_replaced_unless_asked
            of_two_uploads_that_create_a_name_one_succeeds
            a_replaced_object_is_new_to_new_readers_and_old_to_old_ones
            a_range_ends_with_the_object
            what_is_not_there_is_not_found
            a_deleted_object_is_gone_and_deleting_it_again_is_no_error
            pages_hold_every_object_once_in_the_order_of_bytes
            a_prefix_is_whole_segments
            objects_of_a_prefix_are_deleted_and_no_others
            an_abandoned_upload_is_removed_and_objects_stay
            uploads_and_deletions_in_one_folder_do_not_disturb_each_other
        );
    };
}

pub(crate) use conformance;

fn name(text: &str) -> ObjectName {
    text.parse().unwrap()
}

fn bytes(bytes: &[u8]) -> Ciphertext {
    Ciphertext::sealed(Sealed::<ResourceBody>::from_bytes(bytes.to_vec()))
}

async fn put(
    store: &dyn ObjectStore,
    text: &str,
    mode: PutMode,
    content: &[u8],
) -> Result<(), PutError> {
    store.put(&name(text), mode, bytes(content)).await
}

async fn create(store: &dyn ObjectStore, text: &str, content: &[u8]) {
    let created = put(store, text, PutMode::Create, content);
    created.await.unwrap();
}

async fn read(store: &dyn ObjectStore, text: &str) -> Result<Vec<u8>, GetError> {
    let reader = store.open(&name(text)).await?;
    let length = usize::try_from(reader.size()).unwrap();
    let content = reader.read(0, length).await?;
    assert_eq!(content.len(), length);
    Ok(content.into())
}

/// The names of all pages, of `limit` objects each.
async fn names(store: &dyn ObjectStore, prefix: &ObjectPrefix, limit: u16) -> Vec<String> {
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(prefix, after.as_ref(), limit).await.unwrap();
        assert!(page.objects.len() <= usize::from(limit));
        names.extend(page.objects.iter().map(|object| object.name.to_string()));
        after = page.next;
        if after.is_none() {
            return names;
        }
    }
}

async fn all(store: &dyn ObjectStore) -> Vec<String> {
    names(store, &ObjectPrefix::all(), MAX_PAGE).await
}

pub(crate) async fn an_object_is_read_as_it_was_written_in_parts(store: &dyn ObjectStore) {
    let mut upload = store.begin(&name("a/b/c"), PutMode::Create).await.unwrap();
    let mut expected = Vec::new();
    for part in 0..5_u8 {
        let part = vec![part; 100_000];
        upload.write(bytes(&part)).await.unwrap();
        expected.extend(part);
    }
    assert_eq!(upload.commit().await.unwrap(), 500_000);
    let reader = store.open(&name("a/b/c")).await.unwrap();
    assert_eq!(reader.size(), 500_000);
    let mut content = Vec::new();
    for start in (0..500_000).step_by(70_000) {
        content.extend_from_slice(&reader.read(start, 70_000).await.unwrap());
    }
    assert!(content == expected);
}

pub(crate) async fn an_object_in_memory_is_stored_whole(store: &dyn ObjectStore) {
    create(store, "a", b"content").await;
    create(store, "empty", b"").await;
    assert_eq!(read(store, "a").await.unwrap(), b"content");
    assert_eq!(read(store, "empty").await.unwrap(), b"");
}

pub(crate) async fn an_object_appears_with_its_commit_and_not_before(store: &dyn ObjectStore) {
    let mut upload = store.begin(&name("f/a"), PutMode::Create).await.unwrap();
    upload.write(bytes(b"content")).await.unwrap();
    assert!(matches!(read(store, "f/a").await, Err(GetError::NotFound)));
    assert!(all(store).await.is_empty());
    upload.commit().await.unwrap();
    assert_eq!(all(store).await, ["f/a"]);
}

pub(crate) async fn an_aborted_or_dropped_upload_leaves_nothing(store: &dyn ObjectStore) {
    for is_aborted in [true, false] {
        let mut upload = store.begin(&name("f/a"), PutMode::Create).await.unwrap();
        upload.write(bytes(b"content")).await.unwrap();
        if is_aborted {
            upload.abort().await;
        } else {
            drop(upload);
        }
        assert!(matches!(read(store, "f/a").await, Err(GetError::NotFound)));
        assert!(all(store).await.is_empty());
    }
    create(store, "f/a", b"other").await;
}

pub(crate) async fn a_name_is_not_replaced_unless_asked(store: &dyn ObjectStore) {
    create(store, "a", b"first").await;
    let refused = put(store, "a", PutMode::Create, b"second");
    assert!(matches!(refused.await, Err(PutError::NameTaken)));
    assert_eq!(read(store, "a").await.unwrap(), b"first");
    let replaced = put(store, "a", PutMode::Replace, b"third");
    replaced.await.unwrap();
    assert_eq!(read(store, "a").await.unwrap(), b"third");
    assert_eq!(all(store).await, ["a"]);
}

pub(crate) async fn of_two_uploads_that_create_a_name_one_succeeds(store: &dyn ObjectStore) {
    let mut first = store.begin(&name("a"), PutMode::Create).await.unwrap();
    let mut second = store.begin(&name("a"), PutMode::Create).await.unwrap();
    first.write(bytes(b"first")).await.unwrap();
    second.write(bytes(b"second")).await.unwrap();
    second.commit().await.unwrap();
    assert!(matches!(first.commit().await, Err(PutError::NameTaken)));
    assert_eq!(read(store, "a").await.unwrap(), b"second");
}

pub(crate) async fn a_replaced_object_is_new_to_new_readers_and_old_to_old_ones(
    store: &dyn ObjectStore,
) {
    create(store, "a", b"first").await;
    let old = store.open(&name("a")).await.unwrap();
    let replaced = put(store, "a", PutMode::Replace, b"second one");
    replaced.await.unwrap();
    // A store without snapshots may refuse to read on, and never mixes the two.
    match old.read(0, 100).await {
        Ok(content) => assert_eq!(&content[..], b"first"),
        Err(GetError::NotFound | GetError::Unavailable(_)) => {}
    }
    assert_eq!(read(store, "a").await.unwrap(), b"second one");
}

pub(crate) async fn a_range_ends_with_the_object(store: &dyn ObjectStore) {
    create(store, "a", b"0123456789").await;
    let reader = store.open(&name("a")).await.unwrap();
    for (start, length, expected) in [
        (0, 0, &b""[..]),
        (0, 3, b"012"),
        (7, 3, b"789"),
        (7, 4, b"789"),
        (9, usize::MAX, b"9"),
        (10, 1, b""),
        (u64::MAX, usize::MAX, b""),
    ] {
        assert_eq!(&reader.read(start, length).await.unwrap()[..], expected);
    }
}

pub(crate) async fn what_is_not_there_is_not_found(store: &dyn ObjectStore) {
    create(store, "f/a", b"content").await;
    for text in ["b", "f", "f/b", "g/a", "f/a/b"] {
        assert!(
            matches!(read(store, text).await, Err(GetError::NotFound)),
            "{text}"
        );
    }
}

pub(crate) async fn a_deleted_object_is_gone_and_deleting_it_again_is_no_error(
    store: &dyn ObjectStore,
) {
    create(store, "f/g/a", b"content").await;
    create(store, "f/b", b"content").await;
    for text in ["f/g/a", "f/g/a", "f/g", "f", "other/name"] {
        store.delete(&name(text)).await.unwrap();
    }
    assert_eq!(all(store).await, ["f/b"]);
    create(store, "f/g/a", b"again").await;
    assert_eq!(read(store, "f/g/a").await.unwrap(), b"again");
}

pub(crate) async fn pages_hold_every_object_once_in_the_order_of_bytes(store: &dyn ObjectStore) {
    let mut expected = BTreeSet::new();
    for folder in ["a", "a-b", "a.b", "a/b", "a0", "b/c/d/e/f/g/h"] {
        for number in 0..5 {
            let name = format!("{folder}/{number}");
            create(store, &name, b"content").await;
            expected.insert(name);
        }
    }
    for name in ["a-", "a1", "a/1-", "a/b-"] {
        create(store, name, b"content").await;
        expected.insert(name.to_owned());
    }
    let expected: Vec<_> = expected.into_iter().collect();
    for limit in [1, 2, 3, 7, MAX_PAGE, u16::MAX] {
        assert_eq!(
            names(store, &ObjectPrefix::all(), limit).await,
            expected,
            "{limit}"
        );
    }
    // A page begins after a name, whether it is there or not.
    let (prefix, middle) = (ObjectPrefix::all(), name("a/b-0"));
    let page = store.list(&prefix, Some(&middle), MAX_PAGE).await;
    let after = page.unwrap().objects;
    let greater = expected.iter().filter(|it| it.as_str() > "a/b-0");
    assert!(after.iter().map(|object| object.name.as_str()).eq(greater));
    assert!(after.iter().all(|object| object.size == 7));
}

pub(crate) async fn a_prefix_is_whole_segments(store: &dyn ObjectStore) {
    for text in ["a/b/1", "a/b/2", "a/bc/1", "a/b.1", "ab/1"] {
        create(store, text, b"").await;
    }
    let below = |text| ObjectPrefix::below(&name(text));
    for limit in [1, MAX_PAGE] {
        assert_eq!(names(store, &below("a/b"), limit).await, ["a/b/1", "a/b/2"]);
        assert_eq!(
            names(store, &below("a"), limit).await,
            ["a/b.1", "a/b/1", "a/b/2", "a/bc/1"]
        );
        assert!(names(store, &below("a/b/1"), limit).await.is_empty());
        assert!(names(store, &below("c"), limit).await.is_empty());
    }
}

pub(crate) async fn objects_of_a_prefix_are_deleted_and_no_others(store: &dyn ObjectStore) {
    for text in ["a/1", "a/b/1", "a/b/2", "a-/1", "ab"] {
        create(store, text, b"").await;
    }
    let below = ObjectPrefix::below(&name("a"));
    assert_eq!(store.delete_all(&below).await.unwrap(), 3);
    assert_eq!(all(store).await, ["a-/1", "ab"]);
}

pub(crate) async fn an_abandoned_upload_is_removed_and_objects_stay(store: &dyn ObjectStore) {
    create(store, "f/a", b"content").await;
    let mut upload = store.begin(&name("f/g/b"), PutMode::Create).await.unwrap();
    upload.write(bytes(b"part")).await.unwrap();
    let long_ago = OffsetDateTime::UNIX_EPOCH;
    assert_eq!(store.remove_abandoned(long_ago).await.unwrap(), 0);
    let much_later = OffsetDateTime::from_unix_timestamp(32_503_680_000).unwrap();
    assert_eq!(store.remove_abandoned(much_later).await.unwrap(), 1);
    assert!(upload.commit().await.is_err());
    assert_eq!(all(store).await, ["f/a"]);
}

pub(crate) async fn uploads_and_deletions_in_one_folder_do_not_disturb_each_other(
    store: &dyn ObjectStore,
) {
    let work = (0..8).map(|number| async move {
        let name = name(&format!("f/g/{number}"));
        for _ in 0..20 {
            let created = store.put(&name, PutMode::Create, bytes(b"content"));
            created.await.unwrap();
            store.delete(&name).await.unwrap();
        }
    });
    let mut all_done: Vec<_> = work.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        all_done.retain_mut(|it| it.as_mut().poll(context).is_pending());
        if all_done.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    assert!(all(store).await.is_empty());
}
