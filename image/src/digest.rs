//! Digests, one type for each thing that has one.
//!
//! A layer has several digests: that of its tar archive (its diff id), that of the compressed
//! blob, and that of the whole chain below it. They are types of their own, so that one is never
//! taken for another. All are SHA-256, the only algorithm that images use in practice.

use std::fmt;
use std::io;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// The SHA-256 digest of some bytes. Its text form is `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 hexadecimal digits, in lower case, without the algorithm.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// The first twelve hexadecimal digits, as people read them.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..6])
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// It is not `sha256:` and 64 hexadecimal digits in lower case.
    #[error("invalid digest {0:?}: expected sha256:<64 hexadecimal digits>")]
    Malformed(String),
    /// The algorithm is another one than SHA-256.
    #[error("unsupported digest algorithm in {0:?}: only sha256 is supported")]
    Algorithm(String),
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let malformed = || DigestError::Malformed(text.to_owned());
        let (algorithm, digits) = text.split_once(':').ok_or_else(malformed)?;
        if algorithm != "sha256" {
            return Err(match algorithm {
                "sha512" | "sha384" | "blake3" => DigestError::Algorithm(text.to_owned()),
                _ => malformed(),
            });
        }
        if digits.bytes().any(|digit| digit.is_ascii_uppercase()) {
            return Err(malformed());
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| malformed())?;
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Takes the digest of a stream of bytes that is written to it.
#[derive(Clone, Debug, Default)]
pub struct Digester(Sha256);

impl Digester {
    /// A digester that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl io::Write for Digester {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

macro_rules! digest_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Digest);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = DigestError;

            fn from_str(text: &str) -> Result<Self, DigestError> {
                text.parse().map(Self)
            }
        }
    };
}

digest_newtype! {
    /// The digest of a layer's uncompressed tar archive.
    DiffId
}
digest_newtype! {
    /// The digest of a layer together with all layers below it (OCI image spec, "Layer `ChainID`").
    ChainId
}
digest_newtype! {
    /// The identity of an image: the digest of its config.
    ImageId
}

impl ChainId {
    /// The chain id of these layers, base first. None if there are no layers.
    pub fn of(layers: &[DiffId]) -> Option<Self> {
        let (base, rest) = layers.split_first()?;
        Some(rest.iter().fold(Self(base.0), |chain, layer| chain.with(*layer)))
    }

    /// The chain id after one more layer on top.
    #[must_use]
    pub fn with(self, layer: DiffId) -> Self {
        Self(Digest::of(format!("{self} {layer}").as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn text_goes_there_and_back() {
        let digest = Digest::of(b"");
        assert_eq!(digest.to_string(), EMPTY);
        assert_eq!(EMPTY.parse(), Ok(digest));
        assert_eq!(digest.short(), "e3b0c44298fc");
        assert_eq!(serde_json::to_string(&digest).unwrap(), format!("{EMPTY:?}"));
        assert_eq!(serde_json::from_str::<Digest>(&format!("{EMPTY:?}")).unwrap(), digest);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in
            ["", "sha256:", "sha256:12", &EMPTY[7..], &EMPTY.to_uppercase(), "md5:00", &format!("{EMPTY}0")]
        {
            assert!(matches!(text.parse::<Digest>(), Err(DigestError::Malformed(_))), "{text}");
        }
        let upper = format!("sha256:{}", EMPTY[7..].to_uppercase());
        assert!(upper.parse::<Digest>().is_err());
        assert!(matches!("sha512:00".parse::<Digest>(), Err(DigestError::Algorithm(_))));
    }

    #[test]
    fn a_stream_has_the_digest_of_its_bytes() {
        let mut digester = Digester::new();
        io::copy(&mut &b"some bytes"[..], &mut digester).unwrap();
        assert_eq!(digester.finish(), Digest::of(b"some bytes"));
    }

    #[test]
    fn chain_ids_follow_the_specification() {
        let layer = |text: &str| DiffId(Digest::of(text.as_bytes()));
        assert_eq!(ChainId::of(&[]), None);
        assert_eq!(ChainId::of(&[layer("a")]), Some(ChainId(layer("a").0)));
        let two = Digest::of(format!("{} {}", layer("a"), layer("b")).as_bytes());
        assert_eq!(ChainId::of(&[layer("a"), layer("b")]), Some(ChainId(two)));
    }
}
