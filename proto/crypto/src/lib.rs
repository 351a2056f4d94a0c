//! Digests, HMAC and zeroised keys; the only importer of cipher crates.
