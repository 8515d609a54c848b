//! Parallel gzip whose output does not depend on the number of threads.
//!
//! The input is cut into blocks of [`BLOCK`] bytes. Each is deflated on its own, with the last 32 KiB of the block
//! before it as dictionary, and ends at a byte boundary (a *sync flush*), so the pieces join to one deflate stream
//! inside one gzip member. Where the cuts are depends on the input alone.

use std::io::{self, Write};

use crc32fast::Hasher;
use flate2::{Compress, Compression, FlushCompress, Status};
use rayon::prelude::*;

const BLOCK: usize = 1 << 20;

/// How far back deflate can refer.
const WINDOW: usize = 32 << 10;

/// RFC 1952: deflate, no flags, no time, no extra flags, unknown operating system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// Compresses what is written to it. [`ParallelGzip::finish`] ends the member.
pub(crate) struct ParallelGzip<W> {
    out: W,
    level: Compression,
    /// The tail of what was compressed already (a dictionary), then what was not yet.
    buffer: Vec<u8>,
    /// Length of the dictionary at the start of `buffer`.
    dictionary: usize,
    /// How much of new input makes a batch.
    batch: usize,
    checksum: Hasher,
    /// Length of the input, modulo 2³² as the trailer has it.
    size: u32,
    is_started: bool,
}

struct Piece {
    deflated: Vec<u8>,
    checksum: Hasher,
}

impl<W: Write> ParallelGzip<W> {
    pub(crate) fn new(out: W, level: u32) -> Self {
        let batch = BLOCK * rayon::current_num_threads().max(1) * 2;
        Self {
            out,
            level: Compression::new(level),
            buffer: Vec::new(),
            dictionary: 0,
            batch,
            checksum: Hasher::new(),
            size: 0,
            is_started: false,
        }
    }

    /// Writes what is left and the trailer.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.compress_batch(true)?;
        self.out.write_all(&self.checksum.finalize().to_le_bytes())?;
        self.out.write_all(&self.size.to_le_bytes())?;
        self.out.flush()?;
        Ok(self.out)
    }

    /// Compresses the whole blocks that have come together, or everything at the end.
    fn compress_batch(&mut self, is_end: bool) -> io::Result<()> {
        if !self.is_started {
            self.out.write_all(&HEADER)?;
            self.is_started = true;
        }
        let fresh = self.buffer.len() - self.dictionary;
        let count = if is_end { fresh.div_ceil(BLOCK).max(1) } else { fresh / BLOCK };
        let pieces: Vec<io::Result<Piece>> = (0..count)
            .into_par_iter()
            .map(|index| {
                let start = self.dictionary + index * BLOCK;
                let end = (start + BLOCK).min(self.buffer.len());
                let window = self.buffer.get(start.saturating_sub(WINDOW)..start).unwrap_or_default();
                let block = self.buffer.get(start..end).unwrap_or_default();
                deflate(block, window, self.level, is_end && index + 1 == count)
            })
            .collect();
        for piece in pieces {
            let piece = piece?;
            self.out.write_all(&piece.deflated)?;
            self.checksum.combine(&piece.checksum);
        }
        let done = (self.dictionary + count * BLOCK).min(self.buffer.len());
        let keep = done.saturating_sub(WINDOW);
        self.buffer.drain(..keep);
        self.dictionary = done - keep;
        Ok(())
    }
}

impl<W: Write> Write for ParallelGzip<W> {
    fn write(&mut self, input: &[u8]) -> io::Result<usize> {
        let room = (self.dictionary + self.batch).saturating_sub(self.buffer.len());
        let taken = input.get(..room.min(input.len())).unwrap_or_default();
        self.buffer.extend_from_slice(taken);
        #[expect(clippy::cast_possible_truncation, reason = "the trailer holds the size modulo 2³²")]
        let length = taken.len() as u32;
        self.size = self.size.wrapping_add(length);
        if self.buffer.len() - self.dictionary >= self.batch {
            self.compress_batch(false)?;
        }
        Ok(taken.len())
    }

    /// Buffered input stays buffered: flushing would move the cuts.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn deflate(block: &[u8], window: &[u8], level: Compression, is_last: bool) -> io::Result<Piece> {
    let mut compress = Compress::new(level, false);
    if !window.is_empty() {
        compress.set_dictionary(window).map_err(io::Error::other)?;
    }
    let flush = if is_last { FlushCompress::Finish } else { FlushCompress::Sync };
    let mut deflated = Vec::with_capacity(block.len() / 2 + 1024);
    loop {
        let rest = block.get(total_in(&compress)..).unwrap_or_default();
        let status = compress.compress_vec(rest, &mut deflated, flush).map_err(io::Error::other)?;
        // Room left in the output means that the flush is complete, too.
        let is_flushed = total_in(&compress) == block.len() && deflated.len() < deflated.capacity();
        if status == Status::StreamEnd || (!is_last && is_flushed) {
            break;
        }
        deflated.reserve(block.len() / 4 + 1024);
    }
    let mut checksum = Hasher::new();
    checksum.update(block);
    Ok(Piece { deflated, checksum })
}

fn total_in(compress: &Compress) -> usize {
    usize::try_from(compress.total_in()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    fn gzip(input: &[u8], threads: usize, chunk: usize) -> Vec<u8> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut writer = ParallelGzip::new(Vec::new(), 6);
            for part in input.chunks(chunk) {
                writer.write_all(part).unwrap();
            }
            writer.finish().unwrap()
        })
    }

    fn gunzip(bytes: &[u8]) -> Vec<u8> {
        let mut output = Vec::new();
        flate2::read::GzDecoder::new(bytes).read_to_end(&mut output).unwrap();
        output
    }

    /// Text-like bytes: compressible, but not periodic.
    fn sample(length: usize) -> Vec<u8> {
        let mut state = 1_u32;
        (0..length)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                b'a' + u8::try_from((state >> 24) % 7).unwrap()
            })
            .collect()
    }

    #[test]
    fn output_depends_on_the_input_alone() {
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 77] {
            let input = sample(length);
            let one = gzip(&input, 1, 8192);
            assert_eq!(one, gzip(&input, 4, 1_000_003), "length {length}");
            assert_eq!(gunzip(&one), input, "length {length}");
        }
    }

    #[test]
    fn incompressible_input_survives() {
        let mut input = vec![0; 2 * BLOCK + 5];
        getrandom::fill(&mut input).unwrap();
        assert_eq!(gunzip(&gzip(&input, 2, 65_536)), input);
    }

    #[test]
    fn the_empty_member_is_known() {
        assert_eq!(hex::encode(gzip(b"", 1, 1)), "1f8b08000000000000ff03000000000000000000");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn round_trip(input in proptest::collection::vec(any::<u8>(), 0..4096), chunk in 1_usize..512) {
            prop_assert_eq!(gunzip(&gzip(&input, 2, chunk)), input);
        }
    }
}
