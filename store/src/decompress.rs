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

/// Whether a stream that begins with these bytes, 512 of them at least if it has as many, is meant as an archive: it is
/// compressed, or its first block is the header of a tar entry.
pub fn begins_like_archive(start: &[u8]) -> bool {
    let is_compressed = matches!(
        start,
        [0x1f, 0x8b, 8, ..]
            | [0x28, 0xb5, 0x2f, 0xfd, ..]
            | [b'B', b'Z', b'h', ..]
            | [0xfd, b'7', b'z', b'X', b'Z', 0, ..]
    );
    is_compressed || start.first_chunk().is_some_and(is_tar_header)
}

/// Whether a block has the checksum of a header, in which the checksum's own field counts as blanks.
fn is_tar_header(block: &[u8; 512]) -> bool {
    const CHECKSUM: std::ops::Range<usize> = 148..156;
    let byte = |(at, byte): (usize, &u8)| if CHECKSUM.contains(&at) { 32 } else { u32::from(*byte) };
    let sum: u32 = block.iter().enumerate().map(byte).sum();
    tar::Header::from_byte_slice(block).cksum().is_ok_and(|checksum| checksum == sum)
}

/// The modification time of the newest regular file in a tar archive of any known compression, in seconds since 1970;
/// none if there is no file in it.
pub fn newest_file(reader: impl Read) -> io::Result<Option<i64>> {
    let mut archive = tar::Archive::new(decompress(reader)?);
    let mut newest = None;
    for entry in archive.entries()? {
        let entry = entry?;
        if entry.header().entry_type().is_file() {
            newest = newest.max(i64::try_from(entry.header().mtime()?).ok());
        }
    }
    Ok(newest)
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
    fn archives_begin_in_their_own_way() {
        let mut header = tar::Header::new_old();
        header.set_path("x").unwrap();
        header.set_cksum();
        assert!(begins_like_archive(header.as_bytes()));
        assert!(begins_like_archive(&gzip(b"x")));
        assert!(!begins_like_archive(&header.as_bytes()[..511]));
        assert!(!begins_like_archive(&[0; 512]));
        assert!(!begins_like_archive(b"FROM scratch\n"));
        assert!(!begins_like_archive("# ".repeat(256).as_bytes()));
    }

    #[test]
    fn the_newest_file_counts() {
        let archive = |entries: &[(tar::EntryType, u64)]| {
            let mut builder = tar::Builder::new(Vec::new());
            for (entry_type, mtime) in entries {
                let mut header = tar::Header::new_gnu();
                header.set_entry_type(*entry_type);
                header.set_mtime(*mtime);
                header.set_size(0);
                header.set_path("x").unwrap();
                header.set_cksum();
                builder.append(&header, io::empty()).unwrap();
            }
            gzip(&builder.into_inner().unwrap())
        };
        let (file, directory) = (tar::EntryType::Regular, tar::EntryType::Directory);
        let found = |entries: &[_]| newest_file(&archive(entries)[..]).unwrap();
        assert_eq!(found(&[(file, 5), (file, 7), (directory, 9), (file, 6)]), Some(7));
        assert_eq!(found(&[(directory, 9)]), None);
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
