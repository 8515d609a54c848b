//! How a layer is compressed here.

use std::fmt;
use std::io::{self, Write};
use std::num::NonZeroUsize;

use image::Compression;

use super::gzip::ParallelGzip;

/// A compression with its level. The bytes it gives depend on the input alone, not on the number of threads; they
/// may differ between versions of this program, so a compressed digest is nobody's cache key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LayerEncoding {
    compression: Compression,
    level: i32,
}

impl LayerEncoding {
    /// The archive as it is.
    pub const UNCOMPRESSED: Self = Self { compression: Compression::None, level: 0 };
    /// gzip at the level that every builder defaults to.
    pub const GZIP: Self = Self { compression: Compression::Gzip, level: 6 };
    /// zstd at its own default level.
    pub const ZSTD: Self = Self { compression: Compression::Zstd, level: 3 };

    /// A compression at a level, clamped to what it knows: 0 to 9 for gzip, 1 to 22 for zstd. `None` is the
    /// default level.
    pub fn new(compression: Compression, level: Option<i32>) -> Self {
        let default = match compression {
            Compression::None => return Self::UNCOMPRESSED,
            Compression::Gzip => Self::GZIP,
            Compression::Zstd => Self::ZSTD,
        };
        let range = if compression == Compression::Gzip { 0..=9 } else { 1..=22 };
        Self {
            compression,
            level: level.map_or(default.level, |level| level.clamp(*range.start(), *range.end())),
        }
    }

    /// The algorithm, as media types name it.
    pub fn compression(self) -> Compression {
        self.compression
    }

    pub(super) fn encoder<W: Write>(self, out: W) -> io::Result<Encoder<W>> {
        Ok(match self.compression {
            Compression::None => Encoder::Plain(out),
            Compression::Gzip => Encoder::Gzip(ParallelGzip::new(out, self.level.unsigned_abs())),
            Compression::Zstd => {
                let mut encoder = zstd::Encoder::new(out, self.level)?;
                // With workers the input is cut into jobs; that output is the same for any number above zero.
                let workers = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
                encoder.multithread(u32::try_from(workers).unwrap_or(1))?;
                Encoder::Zstd(encoder)
            }
        })
    }
}

/// As the database names it.
impl fmt::Display for LayerEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.compression {
            Compression::None => f.write_str("tar"),
            Compression::Gzip => write!(f, "gzip-{}", self.level),
            Compression::Zstd => write!(f, "zstd-{}", self.level),
        }
    }
}

/// Compresses what is written to it.
pub(super) enum Encoder<W: Write> {
    Plain(W),
    Gzip(ParallelGzip<W>),
    Zstd(zstd::Encoder<'static, W>),
}

impl<W: Write> Encoder<W> {
    pub(super) fn finish(self) -> io::Result<W> {
        match self {
            Self::Plain(out) => Ok(out),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(buffer),
            Self::Gzip(encoder) => encoder.write(buffer),
            Self::Zstd(encoder) => encoder.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}
