//! Bytes on local disk: blobs, snapshots, file trees, pack and unpack, tags, locks.
#![forbid(unsafe_code)]
