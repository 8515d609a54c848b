//! Content of archive entries, with its holes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use super::header::{Header, Layout};
use crate::error::{ArchiveProblem, StoreError};

const BLOCK: usize = 512;

/// What is not written when it is all zeros.
const HOLE: usize = 4096;

/// More pieces than a map may have: GNU tar writes one per 512 bytes at worst, and this is 500 MB of those.
const MAX_PIECES: usize = 1_000_000;

/// One piece of content: where it goes and how long it is.
type Piece = (u64, u64);

/// An entry's content, ready to be written.
pub(super) struct Content<'a, R> {
    reader: &'a mut R,
    shape: Shape,
}

enum Shape {
    Plain,
    ZerosAreHoles,
    Pieces { pieces: Vec<Piece>, size: u64 },
}

impl<'a, R: Read> Content<'a, R> {
    /// Reads the map, if there is one.
    pub(super) fn new(reader: &'a mut R, layout: &Layout, header: &Header) -> Result<Self, StoreError> {
        let (pieces, size) = match layout {
            Layout::Plain => return Ok(Self { reader, shape: Shape::Plain }),
            Layout::Expanded => return Ok(Self { reader, shape: Shape::ZerosAreHoles }),
            Layout::Mapped { map, size } => (map_of_record(map), *size),
            Layout::MapFirst { size } => (map_of_content(reader).map_err(StoreError::ArchiveRead)?, *size),
        };
        let pieces = pieces
            .filter(|pieces| is_sound(pieces, size))
            .ok_or_else(|| header.problem(ArchiveProblem::BadSparseMap))?;
        Ok(Self { reader, shape: Shape::Pieces { pieces, size } })
    }

    pub(super) fn write_to(self, mut file: &File) -> io::Result<()> {
        match self.shape {
            Shape::Plain => io::copy(self.reader, &mut file).map(drop),
            Shape::ZerosAreHoles => write_around_zeros(self.reader, file),
            Shape::Pieces { pieces, size } => {
                file.set_len(size)?;
                for (offset, length) in pieces {
                    file.seek(SeekFrom::Start(offset))?;
                    if io::copy(&mut self.reader.take(length), &mut file)? != length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Ok(())
            }
        }
    }
}

fn write_around_zeros(reader: &mut impl Read, mut file: &File) -> io::Result<()> {
    let mut size = 0;
    let mut block = Vec::with_capacity(HOLE);
    loop {
        block.clear();
        let read = reader.take(HOLE as u64).read_to_end(&mut block)?;
        if read == 0 {
            return file.set_len(size);
        }
        if block.iter().any(|&byte| byte != 0) {
            file.seek(SeekFrom::Start(size))?;
            file.write_all(&block)?;
        }
        size += read as u64;
    }
}

/// `offset,length,offset,length,…`
fn map_of_record(map: &[u8]) -> Option<Vec<Piece>> {
    let numbers = std::str::from_utf8(map).ok()?.split(',').map(str::parse);
    pairs(&numbers.collect::<Result<Vec<u64>, _>>().ok()?)
}

/// The number of pieces, then offset and length of each, in decimal, one a line, padded to whole blocks.
fn map_of_content(reader: &mut impl Read) -> io::Result<Option<Vec<Piece>>> {
    let mut lines = Lines { reader, block: Vec::new(), at: 0 };
    let Some(count) = lines.number()?.and_then(|count| usize::try_from(count).ok()) else { return Ok(None) };
    if count > MAX_PIECES {
        return Ok(None);
    }
    let mut numbers = Vec::new();
    for _ in 0..count * 2 {
        match lines.number()? {
            Some(number) => numbers.push(number),
            None => return Ok(None),
        }
    }
    Ok(pairs(&numbers))
}

struct Lines<'a, R> {
    reader: &'a mut R,
    block: Vec<u8>,
    at: usize,
}

impl<R: Read> Lines<'_, R> {
    /// The number on the next line; `None` when there is none.
    fn number(&mut self) -> io::Result<Option<u64>> {
        let mut number: Option<u64> = None;
        loop {
            match self.byte()? {
                b'\n' => return Ok(number),
                digit @ b'0'..=b'9' => {
                    let digit = u64::from(digit - b'0');
                    match number.unwrap_or(0).checked_mul(10).and_then(|number| number.checked_add(digit)) {
                        Some(larger) => number = Some(larger),
                        None => return Ok(None),
                    }
                }
                _ => return Ok(None),
            }
        }
    }

    fn byte(&mut self) -> io::Result<u8> {
        if self.at == self.block.len() {
            self.block.resize(BLOCK, 0);
            self.reader.read_exact(&mut self.block)?;
            self.at = 0;
        }
        let byte = self.block.get(self.at).copied().ok_or(io::ErrorKind::UnexpectedEof)?;
        self.at += 1;
        Ok(byte)
    }
}

fn pairs(numbers: &[u64]) -> Option<Vec<Piece>> {
    let (pairs, rest) = numbers.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|&[offset, length]| (offset, length)).collect())
}

/// Pieces follow each other and lie in the file.
fn is_sound(pieces: &[Piece], size: u64) -> bool {
    let mut at = 0;
    pieces.iter().all(|&(offset, length)| match offset.checked_add(length) {
        Some(end) => {
            let is_next = offset >= at;
            at = end;
            is_next && end <= size
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_read_and_checked() {
        assert_eq!(map_of_record(b"0,5,4096,1"), Some(vec![(0, 5), (4096, 1)]));
        assert_eq!(map_of_record(b"0,5,4096"), None);
        assert!(is_sound(&[(0, 5), (4096, 1)], 4097));
        assert!(!is_sound(&[(0, 5), (4096, 2)], 4097));
        assert!(!is_sound(&[(4096, 1), (0, 5)], 4097));
        assert!(!is_sound(&[(u64::MAX, 2)], u64::MAX));

        let mut content = b"2\n0\n5\n4096\n1\n".to_vec();
        content.resize(BLOCK, 0);
        content.extend_from_slice(b"hello!");
        let mut reader = &content[..];
        assert_eq!(map_of_content(&mut reader).unwrap(), Some(vec![(0, 5), (4096, 1)]));
        assert_eq!(reader, b"hello!", "the map ends with its block");
    }
}
