//! OCI distribution protocol, client side: authentication, resolve, verified blob streams, push.
#![forbid(unsafe_code)]
