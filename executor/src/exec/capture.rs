//! Reading standard output and standard error of a process, apart from each other and in the order of writing.
//!
//! Two pipes keep the streams apart, and would lose their order: whoever looks at both late cannot tell which was
//! written to first. So each pipe has room for one packet (a pipe in packet mode, see `O_DIRECT` in pipe(2), of one
//! page). A second write to the same stream waits until the first was read; the kernel queues the pipes in the
//! order in which they became readable (epoll(7)); and of a pipe that is reported, one packet is read. So what one
//! process writes arrives as it was written. Writes of more than a page are several packets.
//!
//! The price is a switch of processes for every packet. Two kinds of processes do not pay it, since their pipes
//! become ordinary ones, whose order is as good as the reader is fast: those that write very much
//! ([`EXACT_BYTES`]), and those that ask not to wait when they write (`O_NONBLOCK`, which belongs to the pipe and
//! not to the process: its other users, which do not expect it, would fail at every second line).
//!
//! The reader keeps the writing ends open too, so that the end of a stream does not count: a process may close its
//! streams and go on. Reading ends when the sandbox has ended; what is in the pipes by then is still read.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{Timespec, epoll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use solver::Stream;

/// Room for one packet: the least that a pipe has.
const ONE_PACKET: usize = 4096;
/// Room of a pipe whose order matters less; what every user may have (`/proc/sys/fs/pipe-max-size`).
const WIDE: usize = 1 << 20;
/// How much of a stream is read in exact order.
const EXACT_BYTES: u64 = 16 << 20;
/// How much is read at once.
const BUFFER: usize = 64 << 10;
/// How often is looked for processes that do not want to wait, while nothing is written.
const BETWEEN_LOOKS: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// What becomes readable, as it is known to the kernel.
const ENDED: u64 = 2;

/// The reading side of a process's streams.
#[derive(Debug)]
pub(crate) struct Capture {
    epoll: OwnedFd,
    /// Standard output, then standard error.
    pipes: [Pipe; 2],
    ended: PipeReader,
}

#[derive(Debug)]
struct Pipe {
    stream: Stream,
    reader: OwnedFd,
    /// The writing end, as the process has it.
    writer: OwnedFd,
    bytes: u64,
    order: Order,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// One packet at a time.
    Exact,
    /// As it comes.
    Loose,
}

/// What the process, and whoever waits for it, gets of a [`Capture`].
#[derive(Debug)]
pub(crate) struct Writers {
    /// Its standard output.
    pub(crate) stdout: OwnedFd,
    /// Its standard error.
    pub(crate) stderr: OwnedFd,
    /// Dropped when nobody can write any more, which ends the reading.
    pub(crate) alive: PipeWriter,
}

impl Capture {
    /// Makes the pipes.
    pub(crate) fn open() -> io::Result<(Self, Writers)> {
        let pipes = [Pipe::open(Stream::Stdout)?, Pipe::open(Stream::Stderr)?];
        let (ended, alive) = io::pipe()?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (number, pipe) in (0..).zip(&pipes) {
            let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
            epoll::add(&epoll, &pipe.reader, epoll::EventData::new_u64(number), flags)?;
        }
        epoll::add(&epoll, &ended, epoll::EventData::new_u64(ENDED), epoll::EventFlags::HUP)?;
        let [stdout, stderr] = &pipes;
        let writers =
            Writers { stdout: stdout.writer.try_clone()?, stderr: stderr.writer.try_clone()?, alive };
        Ok((Self { epoll, pipes, ended }, writers))
    }

    /// Gives all that is written to `sink`, until the writers are gone.
    pub(crate) fn read(mut self, mut sink: impl FnMut(Stream, &[u8])) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER];
        let mut has_ended = false;
        loop {
            let is_exact = self.pipes.iter().any(|pipe| pipe.order == Order::Exact);
            let patience =
                if has_ended { Some(Timespec::default()) } else { is_exact.then_some(BETWEEN_LOOKS) };
            let mut events =
                [epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) }];
            let count = match epoll::wait(&self.epoll, &mut events, patience.as_ref()) {
                Err(Errno::INTR) => continue,
                count => count?,
            };
            for (number, pipe) in (0..).zip(&mut self.pipes) {
                pipe.loosen_if_need_be(&self.epoll, number)?;
            }
            match events.first().filter(|_| count > 0).map(|event| event.data.u64()) {
                Some(ENDED) => {
                    has_ended = true;
                    epoll::delete(&self.epoll, &self.ended)?;
                }
                Some(number) => {
                    let pipe = usize::try_from(number).ok().and_then(|number| self.pipes.get_mut(number));
                    if let Some(pipe) = pipe {
                        pipe.read(&mut buffer, &mut sink)?;
                    }
                }
                None if has_ended => return self.read_the_rest(&mut buffer, &mut sink),
                None => {}
            }
        }
    }

    fn read_the_rest(&mut self, buffer: &mut [u8], sink: &mut impl FnMut(Stream, &[u8])) -> io::Result<()> {
        for pipe in &mut self.pipes {
            while pipe.read(buffer, sink)? {}
        }
        Ok(())
    }
}

impl Pipe {
    fn open(stream: Stream) -> io::Result<Self> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::DIRECT)?;
        rustix::fs::fcntl_setfl(&reader, OFlags::NONBLOCK)?;
        // Where a page is larger, so is the packet.
        fcntl_setpipe_size(&writer, ONE_PACKET)?;
        Ok(Self { stream, reader, writer, bytes: 0, order: Order::Exact })
    }

    /// Reads once; tells whether there was something.
    fn read(&mut self, buffer: &mut [u8], sink: &mut impl FnMut(Stream, &[u8])) -> io::Result<bool> {
        match rustix::io::read(&self.reader, &mut *buffer) {
            Err(Errno::AGAIN | Errno::INTR) => Ok(false),
            result => {
                let length = result?;
                self.bytes += length as u64;
                sink(self.stream, buffer.get(..length).unwrap_or_default());
                Ok(length > 0)
            }
        }
    }

    /// Makes this an ordinary pipe, where nobody is to wait for the reader any more.
    fn loosen_if_need_be(&mut self, epoll: &OwnedFd, number: u64) -> io::Result<()> {
        if self.order == Order::Loose {
            return Ok(());
        }
        let flags = rustix::fs::fcntl_getfl(&self.writer)?;
        let is_impatient = flags.contains(OFlags::NONBLOCK);
        if !is_impatient && self.bytes <= EXACT_BYTES {
            return Ok(());
        }
        self.order = Order::Loose;
        if !is_impatient {
            // Many small writes may share a page again. (The impatient may change the flags at any time, too.)
            rustix::fs::fcntl_setfl(&self.writer, flags - OFlags::DIRECT)?;
        }
        // Refused where the user has very many pipes; then this one stays as it is.
        let _ = fcntl_setpipe_size(&self.writer, WIDE);
        // There may be more than one read takes, so that it is reported for as long as there is something.
        let data = epoll::EventData::new_u64(number);
        Ok(epoll::modify(epoll, self.reader.as_fd(), data, epoll::EventFlags::IN)?)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::process::{Command, Stdio};
    use std::thread;

    use super::*;

    /// What a process writes, as a list of streams and texts; neighbours of one stream are joined.
    fn captured(script: &str) -> Vec<(Stream, Vec<u8>)> {
        let (capture, writers) = Capture::open().unwrap();
        let mut found: Vec<(Stream, Vec<u8>)> = Vec::new();
        thread::scope(|scope| {
            scope.spawn(move || {
                let Writers { stdout, stderr, alive } = writers;
                let mut command = Command::new("/bin/sh");
                let command = command.args(["-c", script]).stdin(Stdio::null()).stdout(stdout).stderr(stderr);
                command.status().unwrap();
                drop(alive);
            });
            capture
                .read(|stream, bytes| match found.last_mut() {
                    Some((last, text)) if *last == stream => text.extend_from_slice(bytes),
                    _ => found.push((stream, bytes.to_vec())),
                })
                .unwrap();
        });
        found
    }

    #[test]
    fn a_thousand_alternating_lines_keep_their_order() {
        let found = captured("i=0; while [ $i -lt 1000 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done");
        assert_eq!(found.len(), 2000);
        for (number, pair) in found.chunks(2).enumerate() {
            assert_eq!(pair[0], (Stream::Stdout, format!("out {number}\n").into_bytes()));
            assert_eq!(pair[1], (Stream::Stderr, format!("err {number}\n").into_bytes()));
        }
    }

    #[test]
    fn nothing_is_lost_of_very_much() {
        let bytes = 3 * EXACT_BYTES;
        let found = captured(&format!("head -c {bytes} /dev/zero; echo end >&2"));
        let length = |wanted| {
            found
                .iter()
                .filter(|(stream, _)| *stream == wanted)
                .map(|(_, text)| text.len() as u64)
                .sum::<u64>()
        };
        assert_eq!((length(Stream::Stdout), length(Stream::Stderr)), (bytes, 4));
    }

    #[test]
    fn closed_streams_end_nothing() {
        let found = captured("exec >&- 2>&-; true");
        assert_eq!(found, []);
        let found = captured("echo first; exec >&-; echo second >&2");
        assert_eq!(found, [(Stream::Stdout, b"first\n".to_vec()), (Stream::Stderr, b"second\n".to_vec())]);
    }

    #[test]
    fn who_does_not_want_to_wait_gets_an_ordinary_pipe() {
        let (capture, writers) = Capture::open().unwrap();
        let mut length = 0;
        thread::scope(|scope| {
            scope.spawn(move || {
                let flags = rustix::fs::fcntl_getfl(&writers.stdout).unwrap();
                rustix::fs::fcntl_setfl(&writers.stdout, flags | OFlags::NONBLOCK).unwrap();
                let mut stdout = File::from(writers.stdout);
                stdout.write_all(b"noticed\n").unwrap();
                // The reader widens the pipe when it reads; from then on there is room for a mebibyte.
                while rustix::pipe::fcntl_getpipe_size(&stdout).unwrap() < WIDE {
                    thread::yield_now();
                }
                for _ in 0..WIDE / ONE_PACKET / 2 {
                    stdout.write_all(&[b'x'; 100]).unwrap();
                }
                drop(writers.alive);
            });
            capture.read(|_, bytes| length += bytes.len()).unwrap();
        });
        assert_eq!(length, 8 + WIDE / ONE_PACKET / 2 * 100);
    }
}
