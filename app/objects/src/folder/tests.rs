//! The promises of every store, and those of a folder.

use std::os::unix::fs::symlink;

use phi_types::Sealed;
use phi_types::columns::ResourceBody;
use tempfile::TempDir;

use super::*;
use crate::Ciphertext;
use crate::conformance::conformance;

async fn an_empty_store() -> (FolderStore, TempDir) {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("objects");
    (FolderStore::open_folder(&root).await.unwrap(), folder)
}

conformance!(an_empty_store);

fn name(text: &str) -> ObjectName {
    text.parse().unwrap()
}

fn content() -> Ciphertext {
    Ciphertext::sealed(Sealed::<ResourceBody>::from_bytes(b"content".to_vec()))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn files_and_folders_are_private_from_their_first_moment() {
    let (store, _guard) = an_empty_store().await;
    let upload = store.begin(&name("f/g/a"), PutMode::Create).await.unwrap();
    let hidden = fs::read_dir(store.root.join("f/g")).unwrap().next();
    assert_eq!(mode(&hidden.unwrap().unwrap().path()), 0o600);
    upload.commit().await.unwrap();
    for folder in ["", "f", "f/g"] {
        assert_eq!(mode(&store.root.join(folder)), 0o700);
    }
    assert_eq!(mode(&store.root.join("f/g/a")), 0o600);
}

#[tokio::test]
async fn a_folder_that_is_open_to_others_or_none_is_refused() {
    let folder = TempDir::new().unwrap();
    let open = folder.path().join("open");
    fs::create_dir(&open).unwrap();
    for mode in [0o750, 0o701, 0o777] {
        fs::set_permissions(&open, fs::Permissions::from_mode(mode)).unwrap();
        let refused = FolderStore::open_folder(&open).await;
        assert!(matches!(refused, Err(FolderError::NotPrivate)));
    }
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = FolderStore::open_folder(&file).await;
    assert!(matches!(refused, Err(FolderError::NotAFolder)));
    let missing = FolderStore::open_folder(&folder.path().join("no/such")).await;
    assert!(matches!(missing, Err(FolderError::Unavailable(_))));
}

#[tokio::test]
async fn a_name_is_no_folder_of_another_name() {
    let (store, _guard) = an_empty_store().await;
    store
        .put(&name("a/b"), PutMode::Create, content())
        .await
        .unwrap();
    for (taken, mode) in [
        ("a", PutMode::Create),
        ("a", PutMode::Replace),
        ("a/b/c", PutMode::Create),
        ("a/b/c/d", PutMode::Replace),
    ] {
        let refused = store.put(&name(taken), mode, content()).await;
        assert!(matches!(refused, Err(PutError::NameTaken)), "{taken}");
    }
    let page = store.list(&ObjectPrefix::all(), None, MAX_PAGE).await;
    assert_eq!(page.unwrap().objects.len(), 1);
}

#[tokio::test]
async fn a_link_is_no_object() {
    let (store, guard) = an_empty_store().await;
    let outside = guard.path().join("outside");
    fs::write(&outside, "secret").unwrap();
    symlink(&outside, store.root.join("link")).unwrap();
    symlink(guard.path(), store.root.join("folder")).unwrap();
    assert!(store.open(&name("link")).await.is_err());
    let page = store.list(&ObjectPrefix::all(), None, MAX_PAGE).await;
    assert!(page.unwrap().objects.is_empty());
}

#[tokio::test]
async fn folders_that_become_empty_are_removed() {
    let (store, _guard) = an_empty_store().await;
    store
        .put(&name("f/g/a"), PutMode::Create, content())
        .await
        .unwrap();
    store.delete(&name("f/g/a")).await.unwrap();
    drop(store.begin(&name("h/i/b"), PutMode::Create).await.unwrap());
    assert_eq!(fs::read_dir(&*store.root).unwrap().count(), 0);
}

#[tokio::test]
async fn what_a_crash_left_is_no_object_and_is_removed() {
    let (store, _guard) = an_empty_store().await;
    fs::write(store.root.join(".0123456789abcdef"), "part").unwrap();
    let page = store.list(&ObjectPrefix::all(), None, MAX_PAGE).await;
    assert!(page.unwrap().objects.is_empty());
    let much_later = OffsetDateTime::from_unix_timestamp(32_503_680_000).unwrap();
    assert_eq!(store.remove_abandoned(much_later).await.unwrap(), 1);
    assert_eq!(fs::read_dir(&*store.root).unwrap().count(), 0);
}

#[tokio::test]
async fn an_upload_beyond_the_maximum_is_refused_and_leaves_nothing() {
    let (store, _guard) = an_empty_store().await;
    let target = store.path(&name("a"));
    let mut upload = upload::FolderUpload::begin(&store.root, target, PutMode::Create).unwrap();
    upload.pretend_written(crate::store::MAX_OBJECT_BYTES - 6);
    assert!(matches!(
        upload.write(content()).await,
        Err(PutError::TooLarge)
    ));
    assert!(Box::new(upload).commit().await.is_err());
    assert_eq!(fs::read_dir(&*store.root).unwrap().count(), 0);
}
