//! The tables of nftables in a network namespace, asked of the kernel by netlink (netlink(7),
//! `linux/netfilter/nf_tables.h`), since the program `nft` need not be installed.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// `NFNL_SUBSYS_NFTABLES << 8`, to which the kind of a message is added.
const NFTABLES: u16 = 10 << 8;
/// `NFT_MSG_GETTABLE`
const GET_TABLE: u16 = NFTABLES | 1;
/// `NLM_F_REQUEST | NLM_F_DUMP`
const DUMP: u16 = 0x301;
/// `NLMSG_ERROR`
const ERROR: u16 = 2;
/// `NLMSG_DONE`
const DONE: u16 = 3;
/// `NFTA_TABLE_NAME`
const NAME: u16 = 1;

/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;
/// Length of `struct nfgenmsg`, which follows it.
const FAMILY: usize = 4;

/// The names of all tables of this namespace. None where the kernel has no nftables.
pub(super) fn names(network: &File) -> io::Result<Vec<String>> {
    let Some(socket) = socket_in(network)? else { return Ok(Vec::new()) };
    let mut request = Vec::new();
    request.extend(u32::try_from(HEADER + FAMILY).unwrap_or_default().to_ne_bytes());
    request.extend([GET_TABLE, DUMP].map(u16::to_ne_bytes).concat());
    request.extend([0; 8 + FAMILY]);
    rustix::net::send(&socket, &request, SendFlags::empty())?;
    let mut names = Vec::new();
    loop {
        let mut buffer = vec![0; 64 << 10];
        let (length, _) = rustix::net::recv(&socket, &mut buffer[..], RecvFlags::empty())?;
        let mut rest = &buffer[..length];
        while let Some((kind, body, next)) = message(rest) {
            match kind {
                DONE | ERROR => return Ok(names),
                _ => names.extend(body.get(FAMILY..).and_then(table_name)),
            }
            rest = next;
        }
    }
}

/// A socket keeps the namespace in which it was made. Entered by a thread of its own.
fn socket_in(network: &File) -> io::Result<Option<OwnedFd>> {
    let open = || {
        move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
        let (family, protocol) = (AddressFamily::NETLINK, Some(netlink::NETFILTER));
        match rustix::net::socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, protocol) {
            Err(rustix::io::Errno::PROTONOSUPPORT) => Ok(None),
            result => Ok(result.map(Some)?),
        }
    };
    thread::scope(|scope| scope.spawn(open).join().expect("this closure does not panic"))
}

/// The kind and the body of the first message, and what follows on it.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?)).ok()?;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let next = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, bytes.get(HEADER..length)?, next))
}

/// The attribute with the name, which is a text that ends with a zero.
fn table_name(mut attributes: &[u8]) -> Option<String> {
    loop {
        let length = usize::from(u16::from_ne_bytes(attributes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(attributes.get(2..4)?.try_into().ok()?);
        if kind == NAME {
            let text = attributes.get(4..length)?;
            return Some(String::from_utf8_lossy(text).trim_end_matches('\0').to_owned());
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A message with a body that is a family and attributes.
    fn one(kind: u16, flags: u16, family: u8, resource: u16, attributes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + FAMILY + attributes.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend([kind, flags].map(u16::to_ne_bytes).concat());
        bytes.extend([0; 8]);
        bytes.extend([family, 0]);
        bytes.extend(resource.to_be_bytes());
        bytes.extend(attributes);
        bytes
    }

    /// Makes a table for IPv4 that outlives its maker.
    pub(in crate::machine) fn make(network: &File, name: [u8; 4]) -> io::Result<()> {
        let Some(socket) = socket_in(network)? else { return Err(io::ErrorKind::Unsupported.into()) };
        let attribute = [&[8, 0, 1, 0], name.as_slice()].concat();
        // NFNL_MSG_BATCH_BEGIN, NFT_MSG_NEWTABLE with NLM_F_CREATE, NFNL_MSG_BATCH_END
        let batch =
            [one(0x10, 1, 0, 10, &[]), one(NFTABLES, 0x405, 2, 0, &attribute), one(0x11, 1, 0, 10, &[])]
                .concat();
        rustix::net::send(&socket, &batch, SendFlags::empty())?;
        let mut buffer = [0; 4096];
        rustix::net::recv(&socket, &mut buffer[..], RecvFlags::empty())?;
        Ok(())
    }
}
