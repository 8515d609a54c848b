//! Recognising how an archive is compressed, by its first bytes.

use std::io::{self, BufRead, BufReader, Cursor, Read};

/// Longest signature below.
const SIGNATURE: usize = 6;

/// An xz stream may ask for this much memory at most, in KiB.
const XZ_MEMORY: u32 = 1 << 20;

/// The uncompressed bytes of a stream that is gzip (of any number of members), zstd, bzip2, xz, or none of them.
pub fn decompress<'reader>(mut reader: impl Read + 'reader) -> io::Result<Box<dyn Read + 'reader>> {
    let mut start = Vec::with_capacity(SIGNATURE);
    (&mut reader).take(SIGNATURE as u64).read_to_end(&mut start)?;
    let signature = start.clone();
    let whole = BufReader::with_capacity(128 * 1024, Cursor::new(start).chain(reader));
    Ok(match signature.as_slice() {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(whole)),
        // A frame of zstd, or a skippable one before it.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            Box::new(zstd::Decoder::with_buffer(whole)?)
        }
        [b'B', b'Z', b'h', ..] => Box::new(bzip2::bufread::MultiBzDecoder::new(whole)),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => {
            Box::new(lzma_rust2::XzReader::new_mem_limit(whole, true, XZ_MEMORY))
        }
        _ => Box::new(whole),
    })
}

/// Whether a stream is a tar archive in any known compression: what `ADD` unpacks. Reads its beginning only.
pub fn is_archive(reader: impl Read) -> bool {
    let Ok(plain) = decompress(reader) else { return false };
    let mut plain = BufReader::new(plain);
    if plain.fill_buf().map_or(true, <[u8]>::is_empty) {
        return false;
    }
    let mut archive = tar::Archive::new(plain);
    // An empty archive is two blocks of zeros and has no first entry; then there is nothing to unpack.
    archive.entries().is_ok_and(|mut entries| matches!(entries.next(), Some(Ok(_))))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn bzip2(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn xz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder =
            lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn plain(bytes: &[u8]) -> Vec<u8> {
        let mut output = Vec::new();
        decompress(bytes).unwrap().read_to_end(&mut output).unwrap();
        output
    }

    #[test]
    fn every_compression_is_recognised() {
        let text = b"hello, hello, hello";
        for compressed in
            [text.to_vec(), gzip(text), bzip2(text), xz(text), zstd::encode_all(&text[..], 3).unwrap()]
        {
            assert_eq!(plain(&compressed), text);
        }
        assert_eq!(plain(b""), b"");
        assert_eq!(plain(b"ab"), b"ab");
    }

    #[test]
    fn all_members_are_read() {
        assert_eq!(plain(&[gzip(b"one "), gzip(b"two")].concat()), b"one two");
        let frames = [zstd::encode_all(&b"one "[..], 1).unwrap(), zstd::encode_all(&b"two"[..], 1).unwrap()];
        assert_eq!(plain(&frames.concat()), b"one two");
        assert_eq!(plain(&[bzip2(b"one "), bzip2(b"two")].concat()), b"one two");
        assert_eq!(plain(&[xz(b"one "), xz(b"two")].concat()), b"one two");
    }

    #[test]
    fn archives_are_told_from_other_files() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(0);
        header.set_cksum();
        builder.append_data(&mut header, "file", &b""[..]).unwrap();
        let archive = builder.into_inner().unwrap();
        assert!(is_archive(&archive[..]));
        assert!(is_archive(&gzip(&archive)[..]));
        assert!(!is_archive(&gzip(b"only compressed text")[..]));
        assert!(!is_archive(&b"#!/bin/sh\necho not an archive\n"[..]));
        assert!(!is_archive(&b""[..]));
        assert!(!is_archive(&[0_u8; 1024][..]));
    }
}
