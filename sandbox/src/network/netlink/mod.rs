//! netlink(7), as far as networks of steps need it: requests that are acknowledged, and dumps. Synchronous.
//!
//! - [`message`]: writing and reading messages and their attributes
//! - [`socket`]: sending them and hearing the answers
//! - [`route`]: the messages about links, addresses and routes (rtnetlink(7))
//! - [`firewall`]: the messages about tables, chains and rules of `nf_tables`
//!
//! It is code of our own since the crates for it bring an async runtime or run the program `nft`, and none
//! speaks `nf_tables` under a licence that fits.

pub(crate) mod firewall;
pub(crate) mod message;
pub(crate) mod route;
pub(crate) mod socket;

pub(crate) use socket::{Protocol, Socket};
