//! Debian's `docker-registry`: the distribution project's own server.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use image::{Compression, Descriptor, Manifest, MediaType, Reference};

use crate::{client, download, noise};

const PROGRAM: &str = "/usr/bin/docker-registry";
/// How long the server may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// The server, which ends with this value.
struct Server {
    process: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().expect("the server can be killed");
        self.process.wait().expect("the server ends");
    }
}

fn start(directory: &Path) -> Server {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = free.local_addr().expect("its address").port();
    drop(free);
    let storage = directory.join("storage");
    let config = format!(
        "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
         http: {{addr: \"127.0.0.1:{port}\"}}\n",
        storage.display()
    );
    let file = directory.join("config.yml");
    fs::write(&file, config).expect("a file");
    let mut command = Command::new(PROGRAM);
    command.arg("serve").arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let server = Server { process: command.spawn().expect("the server starts"), port };
    let start = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(start.elapsed() < PATIENCE, "the server does not listen");
        std::thread::yield_now();
    }
    server
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "a test that cannot run says so")]
async fn an_image_goes_there_and_comes_back() {
    if !Path::new(PROGRAM).exists() {
        eprintln!("SKIPPED: {PROGRAM} is not there");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let server = start(directory.path());
    let reference: Reference = format!("127.0.0.1:{}/team/app:1", server.port).parse().unwrap();
    let (client, repository) = (client(), reference.repository());

    let mut blobs = Vec::new();
    for (media_type, bytes) in
        [(MediaType::OciConfig, b"{}".to_vec()), (MediaType::OciLayer(Compression::None), noise(2_000_000))]
    {
        let (path, blob) = (directory.path().join("blob"), Descriptor::of(media_type, &bytes));
        fs::write(&path, &bytes).unwrap();
        assert!(!client.blob_exists(repository, blob.digest).await.unwrap());
        client.push_blob(repository, &blob, &path, |_| {}).await.unwrap();
        assert!(client.blob_exists(repository, blob.digest).await.unwrap());
        assert!(download(&client, repository, &blob).await.unwrap() == bytes);
        blobs.push(blob);
    }
    let manifest = Manifest::oci(blobs[0].clone(), vec![blobs[1].clone()]).to_bytes();
    client.push_manifest(&reference, &MediaType::OciManifest, manifest.clone()).await.unwrap();
    let descriptor = client.resolve(&reference).await.unwrap();
    assert_eq!(descriptor, Descriptor::of(MediaType::OciManifest, &manifest));
    assert_eq!(client.manifest(&reference.at_digest(descriptor.digest)).await.unwrap().bytes, manifest);

    let other: Reference = format!("127.0.0.1:{}/team/other", server.port).parse().unwrap();
    assert!(client.mount_blob(other.repository(), repository, blobs[1].digest).await.unwrap());
    assert!(client.blob_exists(other.repository(), blobs[1].digest).await.unwrap());
}
