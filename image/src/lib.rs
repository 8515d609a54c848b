//! The OCI vocabulary: digests, references, platforms, paths inside images, manifests, configs.
#![forbid(unsafe_code)]
