//! Reading the Dockerfile, wherever it is. A BOM and the line ends are left to the parser.

use std::fs;
use std::io;
use std::sync::Arc;

use executor::Session;
use graph::name::{HttpName, redacted};
use image::ImagePath;
use rustix::io::Errno;
use store::Tree;

use crate::engine::Engine;
use crate::error::BuildError;
use crate::export::blocking;
use crate::outcome::DockerfileText;
use crate::request::{DOCKERFILE_NAMES, DockerfileSource};

impl Engine {
    /// Reads the Dockerfile. `remote` is the main context, if that was fetched.
    pub(crate) async fn read_dockerfile(
        &self,
        source: &DockerfileSource,
        session: &Session,
        remote: Option<&Tree>,
    ) -> Result<DockerfileText, BuildError> {
        let display = source.display().into_owned();
        let bytes = match source {
            DockerfileSource::Text { text, .. } => text.clone(),
            DockerfileSource::File { path, .. } => {
                fs::read(path).map_err(|source| unreadable(&display, source))?
            }
            DockerfileSource::InContext(path) => in_tree(remote, path.as_deref(), &display)?,
            DockerfileSource::Url(url) => self.download(url, session).await?,
        };
        match decoded(bytes) {
            Ok(text) => Ok(DockerfileText { display, text }),
            Err(offset) => Err(BuildError::DockerfileEncoding { display, offset }),
        }
    }

    async fn download(&self, url: &str, session: &Session) -> Result<Vec<u8>, BuildError> {
        let name = HttpName { url: url.to_owned(), checksum: None };
        let pin = session.pin_http(name).await.map_err(BuildError::unpinned)?;
        let (store, content) = (self.store.clone(), pin.content);
        let read = blocking(move || store.blobs().read(&content)).await;
        read.map_err(|source| BuildError::failed(format!("read what {} gave", redacted(url)), source))
    }
}

/// The text of a Dockerfile. As in BuildKit, a name in a comment that was written in Latin-1 costs nobody
/// the build: bytes that are not UTF-8 are replaced. A file with zeros in it is none, but UTF-16 or a
/// program; then the first byte that is wrong is returned.
fn decoded(bytes: Vec<u8>) -> Result<String, usize> {
    String::from_utf8(bytes).or_else(|error| {
        if error.as_bytes().contains(&0) {
            return Err(error.utf8_error().valid_up_to());
        }
        Ok(String::from_utf8_lossy(error.as_bytes()).into_owned())
    })
}

fn unreadable(display: &str, source: io::Error) -> BuildError {
    BuildError::ReadDockerfile { display: display.to_owned(), source: Arc::new(source) }
}

/// The file of that name in a context that was fetched, or the one with a usual name.
fn in_tree(tree: Option<&Tree>, path: Option<&str>, display: &str) -> Result<Vec<u8>, BuildError> {
    let not_found = || unreadable(display, Errno::NOENT.into());
    let tree = tree.ok_or_else(not_found)?;
    for name in path.map_or(DOCKERFILE_NAMES.to_vec(), |path| vec![path]) {
        let read = tree.read(&ImagePath::new(name));
        let read =
            read.map_err(|source| BuildError::failed(format!("read {display} of the context"), source))?;
        if let Some(bytes) = read {
            return Ok(bytes);
        }
    }
    Err(not_found())
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn older_encodings_are_text_and_other_ones_are_not() {
        assert_eq!(decoded(b"FROM scratch".to_vec()).as_deref(), Ok("FROM scratch"));
        assert_eq!(decoded(b"# M\xfcller".to_vec()).as_deref(), Ok("# M\u{fffd}ller"));
        assert_eq!(decoded(b"\xff\xfeF\0R\0".to_vec()), Err(0));
    }
}
